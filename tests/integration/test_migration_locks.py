"""What `make lint-migrations` lets through and what not: docs/operations.md has the same pairs."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import connection, migrations, models
from django.db.migrations import operations
from django.db.migrations.state import ProjectState

from tasks.models import Task
from tests.deploy.migrations import refused
from tests.server import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
locks = pytest.mark.skipif(connection.vendor != "postgresql", reason="it is PostgreSQL's locks")
INDEX = models.Index(fields=["user_id", "updated_at"], name="task_updated")
CHECK = models.CheckConstraint(condition=models.Q(title__gt=""), name="task_title")
LATER = models.DateTimeField(null=True)


def sql_of(*migration):
    """The statements of these operations on `tasks`, in a transaction of their own or, for some, without one."""
    state = ProjectState.from_apps(apps)
    atomic = not any(isinstance(operation, AddIndexConcurrently) for operation in migration)
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        for operation in migration:
            before, state = state, state.clone()
            operation.state_forwards("tasks", state)
            operation.database_forwards("tasks", editor, before, state)
    statements = [line.rstrip(";") for line in editor.collected_sql if not line.startswith("--")]
    return ["BEGIN", *statements, "COMMIT"] if atomic else statements


@locks
@pytest.mark.parametrize(
    ("rule", "operation"),
    [
        ("require-concurrent-index-creation", operations.AddIndex("task", INDEX)),
        ("require-concurrent-index-deletion", operations.RemoveIndex("task", "task_user_created")),
        ("constraint-missing-not-valid", operations.AddConstraint("task", CHECK)),
        (
            "disallowed-unique-constraint",
            operations.AddConstraint("task", models.UniqueConstraint(fields=["user_id", "title"], name="task_once")),
        ),
        ("changing-column-type", operations.AlterField("task", "title", models.TextField())),
        ("adding-not-nullable-field", operations.AlterField("task", "description", models.CharField(max_length=1000))),
        ("renaming-column", operations.RenameField("task", "title", "name")),
    ],
)
def test_what_stops_a_busy_table_is_refused(rule, operation):
    assert rule in refused(sql_of(operation))


@locks
@pytest.mark.parametrize(
    "migration",
    [
        [AddIndexConcurrently("task", INDEX)],
        [AddConstraintNotValid("task", CHECK)],
        [operations.AddField("task", "due", LATER)],
        [operations.AddField("task", "seen", models.BooleanField(db_default=False))],
    ],
)
def test_what_is_done_instead_of_a_refused_migration_is_not_refused(migration):
    assert not refused(sql_of(*migration))


@locks
def test_a_constraint_is_validated_in_a_migration_of_its_own():
    add, validate = AddConstraintNotValid("task", CHECK), ValidateConstraint("task", "task_title")

    assert "constraint-missing-not-valid" in refused(sql_of(add, validate))
    assert not refused(["BEGIN", 'ALTER TABLE "tasks_task" VALIDATE CONSTRAINT "task_title"', "COMMIT"])


@locks
def test_what_was_thought_through_can_say_so():
    longer = 'ALTER TABLE "tasks_task" ALTER COLUMN "title" TYPE varchar(300)'

    assert "changing-column-type" in refused([longer])
    assert not refused(["-- squawk-ignore changing-column-type\n" + longer])


def test_a_migration_for_both_databases_is_carried_out():
    """By the page's own lines: SQLite knows neither NOT VALID nor CONCURRENTLY."""
    page = (ROOT / "docs" / "operations.md").read_text()
    [lines] = re.findall(r"```python\n(AddCheck = .*?)```", page, re.DOTALL)
    names: dict[str, Any] = {
        "AddConstraintNotValid": AddConstraintNotValid,
        "AddIndexConcurrently": AddIndexConcurrently,
    }
    names |= {"ValidateConstraint": ValidateConstraint, "connection": connection, "migrations": migrations}
    exec(lines, names)  # noqa: S102 - our own page
    state = ProjectState.from_apps(apps)

    for operation in [names["AddCheck"]("task", CHECK), *names["validations"], names["AddAnIndex"]("task", INDEX)]:
        before, state = state, state.clone()
        operation.state_forwards("tasks", state)
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("tasks", editor, before, state)

    with connection.cursor() as cursor:
        made = connection.introspection.get_constraints(cursor, "tasks_task")
    assert made["task_title"]["check"]
    assert made["task_updated"]["index"]
    with connection.schema_editor(atomic=False) as editor:
        editor.remove_index(Task, INDEX)
        editor.remove_constraint(Task, CHECK)
