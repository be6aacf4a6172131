import pytest
from django.core.management import call_command
from django.db import connection

from tasks.models import Task


def table_names():
    return connection.introspection.table_names()


@pytest.mark.django_db(transaction=True)
def test_the_initial_migration_goes_back_and_forth():
    call_command("migrate", "tasks", "zero", verbosity=0)
    assert "tasks_task" not in table_names()

    call_command("migrate", "tasks", verbosity=0)
    assert Task.objects.create(user_id="alice", title="x").pk


def test_both_databases_have_the_same_indexes_and_constraints(db):
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "tasks_task")

    names = {index.name for index in Task._meta.indexes} | {check.name for check in Task._meta.constraints}
    assert names <= set(found)
    assert found["task_user_created"]["columns"] == ["user_id", "created_at", "id"]
    assert found["task_user_completed_created"]["columns"] == ["user_id", "completed", "created_at", "id"]


def test_no_change_of_the_model_is_without_its_migration(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
