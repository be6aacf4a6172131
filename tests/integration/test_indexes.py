"""Each query is served by its index, shown by EXPLAIN over the tasks of 4 users."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tasks.models import Task
from tests.tokens import bearer

TASKS = 40_000 if connection.vendor == "postgresql" else 4_000  # SQLite chooses the same index for fewer


@pytest.fixture(scope="module")
def _crowd(django_db_setup, django_db_blocker):
    """Made once: the transactions of the tests see it, and leave it as it is."""
    with django_db_blocker.unblock():
        Task.objects.bulk_create(
            (Task(user_id=f"user{number % 4}", title="x", completed=number % 3 == 0) for number in range(TASKS)),
            batch_size=5_000,
        )
        Task.objects.bulk_create(Task(user_id="few", title="x") for _ in range(100))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tasks_task")
        yield
        Task.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tasks_task")


@pytest.fixture
def crowd(_crowd, db):
    """10,000 or 1,000 tasks of each of 4 users, and 100 of one with few."""


def plan_of(client, path):
    """How the database finds what a request asks for."""
    with CaptureQueriesContext(connection) as captured:
        response = client.get(path)
    assert response.status_code == 200
    [query] = captured.captured_queries
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {query['sql']}".replace("%", "%%"))
        return "\n".join(str(row) for row in cursor.fetchall()), response


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
@pytest.mark.parametrize(
    ("completed", "index"), [("", "task_user_created"), ("&completed=true", "task_user_completed_created")]
)
def test_every_page_is_read_from_its_index_in_its_order(anonymous, crowd, ordering, completed, index):
    client = APIClient(headers=bearer("user3"))
    path = f"/api/user3/tasks?limit=50&ordering={ordering}{completed}"

    for _ in range(3):
        plan, response = plan_of(client, path)
        assert re.search(rf"(USING INDEX|Index Scan using|Index Scan Backward using) {index} ", plan), plan
        assert not re.search(r"Seq Scan|SCAN (?!page)|Sort|TEMP B-TREE|Bitmap", plan), plan
        assert re.search(r"user_id=\?|user_id\)::text = 'user3'", plan), plan
        path = "/api/user3/tasks" + re.findall("<(.*?)>", response["Link"])[0]
    [back] = re.findall('<([^<>]*?)>; rel="prev"', response["Link"])
    plan, response = plan_of(client, f"/api/user3/tasks{back}")
    assert index in plan  # so near the beginning, the planner may as well sort what little lies before
    assert not re.search(r"Seq Scan|SCAN (?!page)", plan), plan


def test_a_whole_list_reads_no_other_users_rows(crowd):
    """By which of the two indexes is the planner's choice: it may as well read all of one user's rows and sort them."""
    plan, _ = plan_of(APIClient(headers=bearer("few")), "/api/few/tasks")

    assert re.search("task_user_(completed_)?created", plan), plan
    assert not re.search(r"Seq Scan|SCAN (?!page)", plan), plan


def test_one_task_is_found_by_its_primary_key(crowd):
    task = Task.objects.order_by("id")[100]

    plan = Task.objects.owned_by(task.user_id).filter(id=task.id).explain()

    assert re.search("INTEGER PRIMARY KEY|tasks_task_pkey", plan)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the index for words is PostgreSQL's alone")
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "tasks_task_pkey"),
        ("p=9", "tasks_task_pkey"),
        ("completed__exact=1", "tasks_task_pkey"),
        ("created_at__gte=2100-01-01T00:00:00Z", "task_created"),
        ("user_id=few", "task_user_"),
        ("user_id=few&completed__exact=0", "task_user_"),
        ("q=few", "task_user_"),
        ("q={id}", "tasks_task_pkey"),
        ("q=rare wor", "task_title_words"),
        ("q=nothing like it", "task_title_words"),
        ("q=wor&user_id=few", "task_user_|task_title_words"),
    ],
)
def test_whatever_staff_look_for_is_found_by_an_index(admin_client, crowd, query, index):
    task = Task.objects.bulk_create(Task(user_id="few", title="A rare word") for _ in range(10))[0]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")

    with CaptureQueriesContext(connection) as captured:
        assert admin_client.get(f"/admin/tasks/task/?{query.format(id=task.id)}").status_code == 200

    plans = []
    for statement in [query["sql"] for query in captured.captured_queries if '"tasks_task"' in query["sql"]]:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}".replace("%", "%%"))
            plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert len(plans) >= 2  # the count and the page
    for plan in plans:
        assert "Seq Scan" not in plan, plan
    assert re.search(index, "\n".join(plans)), plans
