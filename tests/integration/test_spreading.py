"""Tasks can be spread over machines by user (docs/scaling.md): no statement stands in the way."""

import re

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Model

from api.models import IdempotencyKey
from api.rows import registry
from tasks.models import own_tasks
from tests.tokens import bearer

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="it is PostgreSQL's"),
    pytest.mark.django_db(transaction=True),
]
MODELS: list[type[Model]] = [IdempotencyKey, *registry]
LIST = "/admin/tasks/task/"


def unstable(statement):
    """What of a statement PostgreSQL itself does not take for IMMUTABLE, by name: functions and those of operators."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION pg_temp.parsed() RETURNS void LANGUAGE sql BEGIN ATOMIC " + statement + "; END")
        cursor.execute("SELECT prosqlbody::text FROM pg_proc WHERE proname = 'parsed'")
        [[tree]] = cursor.fetchall()
        cursor.execute("DROP FUNCTION pg_temp.parsed")
        functions = {int(oid) for oid in re.findall(r":(?:funcid|opfuncid|hashfuncid) (\d+)", tree)}
        cursor.execute("SELECT proname FROM pg_proc WHERE oid = ANY(%s) AND provolatile <> 'i'", [list(functions)])
        named = [name for [name] in cursor.fetchall()]
    return named + re.findall(r"\{(SQLVALUEFUNCTION|COERCEVIAIO)", tree)


@pytest.fixture
def statements(alice, admin_client, make_task, settings):
    """Every statement on a user's rows, with its values in it, by the API, the admin and the commands."""
    settings.AXES_ENABLED = False
    recorded = []

    def record(execute, sql, params, many, context):
        if any(f'"{model._meta.db_table}"' in sql for model in MODELS):
            recorded.append(psycopg.ClientCursor(connection.connection).mogrify(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        body = {"title": "Buy milk", "description": "Rye", "text": "x"}
        for resource in ("tasks", "jottings"):
            path = f"/api/alice/{resource}"
            made = alice.post(path, body, headers={"Idempotency-Key": resource})
            alice.post(path, body, headers={"Idempotency-Key": resource})
            one, tag = made.headers["Location"], made.headers["ETag"]
            for query in ("", "?limit=1", "?completed=true", "?ordering=-created_at"):
                alice.get(path + query)
            alice.get(one, headers={"If-None-Match": tag})
            changed = alice.put(one, body, headers={"If-Match": tag})
            alice.put(one, body, headers={"If-Match": tag})
            alice.patch(one, {"completed": True})
            alice.delete(one, headers={"If-Match": f"{changed.headers['ETag']}, {tag}"})
            alice.delete(alice.post(path, body).headers["Location"])
        tasks = [make_task(user) for user in ("alice", "bob", "bob", "carol")]
        page = f"{LIST}{tasks[0].id}/change/"
        stamp = admin_client.get(page).context["adminform"].form.initial
        admin_client.post(
            page, {name: value for name, value in stamp.items() if value is not None} | {"title": "Bread"}
        )
        for action in ("mark_completed", "delete_selected"):
            chosen = [task.id for task in tasks[:2]]
            admin_client.post(LIST, {"action": action, "_selected_action": chosen, "post": "yes"})
        admin_client.post(f"{LIST}{tasks[2].id}/delete/", {"post": "yes"})
        own_tasks.of("carol").revise(tasks[3].id, title="Buy bread")
        alice.post("/api/alice/tasks", body, headers={"Idempotency-Key": "last"})
        for command, *arguments in (
            ["export_user", "alice"],
            ["erase_user", "carol", "--yes"],
            ["purge_idempotency_keys"],
        ):
            call_command(command, *arguments, verbosity=0)
        alice.delete("/api/alice")
        alice.get("/api/alice/tasks", headers=bearer("alice"))
    return recorded


def test_no_write_uses_what_is_not_immutable(statements):
    tables = "|".join(model._meta.db_table for model in MODELS)
    writes = [each for each in statements if re.match(rf'(INSERT INTO|UPDATE|DELETE FROM) "({tables})"', each)]

    assert {each.split()[0] for each in writes} == {"INSERT", "UPDATE", "DELETE"}
    assert sum("INTERVAL '1 microsecond'" in each for each in writes) >= 5
    assert {each: found for each in writes if (found := unstable(each))} == {}


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE tasks_task SET updated_at = updated_at + interval '1 microsecond' WHERE user_id = 'a'""",
        """UPDATE tasks_task SET updated_at = now() WHERE user_id = 'a'""",
        """UPDATE tasks_task SET updated_at = CURRENT_TIMESTAMP WHERE user_id = 'a'""",
        """DELETE FROM tasks_task WHERE user_id = 'a' AND title = to_char(created_at, 'YYYY')""",
        """UPDATE tasks_task SET title = created_at::text WHERE user_id = 'a'""",
    ],
)
def test_what_is_not_immutable_is_found(statement):
    assert unstable(statement)


def test_every_lock_names_the_user(statements):
    locks = [each for each in statements if "FOR UPDATE" in each]

    assert len(locks) >= 4
    assert [each for each in locks if not re.search(r'WHERE .*"user_id" = ', each)] == []
