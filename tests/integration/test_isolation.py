"""Each layer holds by itself: nobody reaches another user's task with one of them switched off."""

import json
import re
from urllib.parse import quote

import pytest
from django.db import connection
from django.db.models import Model

from api.models import IdempotencyKey
from api.permissions import PathNamesTokenUser
from api.rows import OwnedRows, UserRows, registry
from api.views import OwnedViewSet
from tasks.models import Task
from tests.notes.models import Note
from tests.tokens import bearer

REQUESTS = [
    ("get", "tasks"),
    ("post", "tasks"),
    ("get", "tasks/{id}"),
    ("put", "tasks/{id}"),
    ("patch", "tasks/{id}"),
    ("delete", "tasks/{id}"),
    ("get", "jottings"),
    ("post", "jottings"),
    ("get", "jottings/{id}"),
    ("put", "jottings/{id}"),
    ("delete", "jottings/{id}"),
]
BODY = {"title": "Changed", "text": "Changed", "completed": True, "pinned": True}


def send(client, method, path, **headers):
    return client.generic(method.upper(), path, json.dumps(BODY), "application/json", headers=headers)


def rows(user_id):
    return [list(model.objects.filter(user_id=user_id).values()) for model in (Task, Note)]


@pytest.fixture
def make_both(make_task):
    """A task and a note with the same id, so that one path is right for either."""

    def make(user_id, text="a secret"):
        task = make_task(user_id, text)
        Note.objects.create(id=task.id, user_id=user_id, text=text)
        return task

    return make


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_with_layer_2_switched_off_get_queryset_refuses_anothers_path_by_itself(
    alice, make_both, monkeypatch, method, path
):
    monkeypatch.setattr(PathNamesTokenUser, "has_permission", lambda *args: True)
    task = make_both("bob")
    before = rows("bob")

    response = send(alice, method, f"/api/bob/{path.format(id=task.id)}")

    assert (response.status_code, response.json()) == (403, {"detail": "User ID mismatch"})
    assert rows("bob") == before


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_with_the_path_unchecked_nobody_reaches_anothers_task(alice, make_both, monkeypatch, method, path):
    monkeypatch.setattr(PathNamesTokenUser, "has_permission", lambda *args: True)
    monkeypatch.setattr(OwnedViewSet, "user_of_path_and_token", lambda self: self.request.user.id)
    task = make_both("bob", "a secret of bob's")
    before = rows("bob")

    response = send(alice, method, f"/api/bob/{path.format(id=task.id)}")

    assert b"secret" not in response.content
    assert rows("bob") == before
    assert response.status_code == (404 if "{id}" in path else {"get": 200, "post": 201}[method])
    made = {task.user_id for task in Task.objects.exclude(title="a secret of bob's")}
    assert made == ({"alice"} if (method, path) == ("post", "tasks") else set())


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_with_layer_3_switched_off_anothers_path_is_still_refused(alice, make_both, monkeypatch, method, path):
    monkeypatch.setattr(OwnedRows, "of", lambda self, user_id: UserRows(self, "bob", tuple(self.fields)))
    task = make_both("bob")
    before = rows("bob")

    response = send(alice, method, f"/api/bob/{path.format(id=task.id)}")

    assert (response.status_code, response.json()) == (403, {"detail": "User ID mismatch"})
    assert rows("bob") == before


class Recorder:
    """Every statement on a table of ours, with its parameters."""

    def __init__(self):
        self.statements = []

    def __call__(self, execute, sql, params, many, context):
        models: list[type[Model]] = [IdempotencyKey, *registry]
        if any(model._meta.db_table in sql for model in models):
            self.statements.append((sql, params))
        return execute(sql, params, many, context)


def names_the_user(sql, params, user_id):
    """The user is a bound parameter, and of the right column."""
    if sql.startswith("INSERT"):
        columns = sql.partition("(")[2].partition(")")[0].replace('"', "").split(", ")
        return params[columns.index("user_id")] == user_id
    if sql.startswith('UPDATE "django_admin_log"'):  # the rows are in a query of their own
        inner = re.search(r'FROM "\w+" U0 WHERE U0\."user_id" = (%s)\)', sql)
        return inner is not None and params[sql[: inner.start(1)].count("%s")] == user_id
    head, _, where = sql.replace('"user_id" = (%s)', '"user_id" = %s').partition(" WHERE ")
    before = head.count("%s") + where.split('"user_id" = %s')[0].count("%s")
    named_first = re.match(r'\("\w+"\."user_id" = %s AND ', where)  # then no OR behind it can widen it
    return '"user_id" = %s' in where and (named_first or " OR " not in where) and params[before] == user_id


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *REQUESTS,
        ("delete", ""),
        ("get", "tasks?limit=1&completed=false&ordering=-created_at"),
        ("get", "jottings?limit=1&pinned=false"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"If-Match": "*", "If-None-Match": '"x"'}, {"Idempotency-Key": "key"}])
def test_every_statement_has_the_tokens_user_as_a_bound_parameter(alice, bob, make_both, method, path, headers):
    own, foreign = make_both("alice"), make_both("bob")
    for resource in ("tasks", "jottings"):
        send(bob, "post", f"/api/bob/{resource}", **{"Idempotency-Key": "key"})
    recorder = Recorder()

    with connection.execute_wrapper(recorder):
        for task in (own, foreign):
            send(alice, method, f"/api/alice/{path.format(id=task.id)}".removesuffix("/"), **headers)

    assert recorder.statements
    for sql, params in recorder.statements:
        assert names_the_user(sql, params, "alice"), sql


def test_the_recorder_sees_a_statement_without_the_user():
    assert not names_the_user('DELETE FROM "tasks_task" WHERE "tasks_task"."id" IN (%s)', (5,), "alice")
    assert not names_the_user(
        'SELECT 1 FROM "tasks_task" WHERE ("tasks_task"."id" = %s OR "tasks_task"."user_id" = %s)',
        (5, "alice"),
        "alice",
    )
    assert not names_the_user('UPDATE "tasks_task" SET "user_id" = %s WHERE "id" = %s', ("alice", 5), "alice")
    assert not names_the_user('SELECT 1 FROM "tasks_task" WHERE "tasks_task"."user_id" = %s', ("bob",), "alice")
    assert not names_the_user(
        'INSERT INTO "tasks_task" ("user_id", "title") VALUES (%s, %s)', ("bob", "alice"), "alice"
    )


@pytest.mark.parametrize("user_id", ["' OR '1'='1", "alice'--", "%", "_____", "alice\\", '"', "alice OR 1=1"])
def test_a_user_id_is_no_sql(anonymous, make_task, user_id):
    make_task("alice")
    path = f"/api/{quote(user_id, safe='')}/tasks"

    assert anonymous.get(path, headers=bearer(user_id)).json() == []
    assert anonymous.post(path, {"title": "x"}, headers=bearer(user_id)).json()["user_id"] == user_id


@pytest.mark.parametrize("other", ["Alice", "ALICE", "alice ", "alice\u200b", "a\u0142ice", "\uff41lice"])
def test_user_ids_are_compared_bytewise(make_task, other):
    make_task("alice")

    assert not Task.objects.owned_by(other).exists()
    assert Task.objects.owned_by("alice").count() == 1
