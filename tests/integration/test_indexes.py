"""Each query is served by its index, shown by EXPLAIN over 40,000 tasks of 40 users."""

import re

import pytest
from django.db import connection

from tasks.models import Task


@pytest.fixture
def crowd(db):
    Task.objects.bulk_create(
        (Task(user_id=f"user{number % 40}", title="x", completed=number % 3 == 0) for number in range(40_000)),
        batch_size=5_000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")


QUERIES = {
    # the planner may as well read a whole list by the other index and sort it
    "list": (lambda tasks: tasks.in_creation_order(), "task_user_"),
    "first page": (lambda tasks: tasks.in_creation_order()[:50], "task_user_created"),
    # `completed__in`, because SQLite can't use an index for Django's bare `WHERE completed`
    "status": (
        lambda tasks: tasks.filter(completed__in=[True]).in_creation_order()[:50],
        "task_user_completed_created",
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_index_serves(crowd, name):
    query, index = QUERIES[name]

    plan = query(Task.objects.owned_by("user5")).explain()

    assert re.search(rf"(USING INDEX|Index Scan using|Index Scan on) {index}", plan)
    assert not re.search(r"Seq Scan|SCAN ", plan)
    assert name == "list" or not re.search(r"Sort|TEMP B-TREE", plan)


def test_one_task_is_found_by_its_primary_key(crowd):
    task = Task.objects.order_by("id")[100]

    plan = Task.objects.owned_by(task.user_id).filter(id=task.id).explain()

    assert re.search("INTEGER PRIMARY KEY|tasks_task_pkey", plan)
