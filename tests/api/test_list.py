from datetime import UTC, datetime, timedelta

from tasks.models import Task


def test_no_tasks_are_an_empty_array(alice, db):
    response = alice.get("/api/alice/tasks")

    assert response.status_code == 200
    assert response.content == b"[]"
    assert alice.get("/api/alice/tasks", headers={"If-None-Match": response["ETag"]}).status_code == 304


def test_a_task_has_seven_members_in_order(alice, make_task):
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    task = make_task(description="Two litres", created_at=moment, updated_at=moment + timedelta(microseconds=1))

    response = alice.get("/api/alice/tasks")

    assert [list(task) for task in response.json()] == [
        ["id", "user_id", "title", "description", "completed", "created_at", "updated_at"]
    ]
    assert response.json() == [
        {
            "id": task.id,
            "user_id": "alice",
            "title": "Buy milk",
            "description": "Two litres",
            "completed": False,
            "created_at": "2026-01-02T03:04:05.000000Z",
            "updated_at": "2026-01-02T03:04:05.000001Z",
        }
    ]


def test_tasks_come_in_creation_order_and_ties_by_id(alice, make_task):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = make_task(title="later", created_at=now + timedelta(seconds=1))
    first = make_task(title="first", created_at=now)
    second = make_task(title="second", created_at=now)

    response = alice.get("/api/alice/tasks")

    assert [task["id"] for task in response.json()] == [first.id, second.id, later.id]


def test_a_patch_does_not_change_the_order(alice, make_task):
    tasks = [make_task(title=str(number)) for number in range(5)]

    alice.patch(f"/api/alice/tasks/{tasks[0].id}", {"completed": True})

    assert [task["id"] for task in alice.get("/api/alice/tasks").json()] == [task.id for task in tasks]


def test_a_list_is_whole_and_one_statement(alice, make_task, django_assert_num_queries):
    Task.objects.bulk_create(Task(user_id="alice", title=str(number)) for number in range(300))

    with django_assert_num_queries(1):
        response = alice.get("/api/alice/tasks")

    assert len(response.json()) == 300


def test_unknown_parameters_and_formats_are_ignored(alice, make_task):
    make_task()

    for path in ("/api/alice/tasks", "/health"):
        response = alice.get(f"{path}?format=xml&colour=blue", headers={"Accept": "text/html"})

        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"


def test_head_is_get_without_a_body(alice, make_task):
    make_task()

    head, get = alice.head("/api/alice/tasks"), alice.get("/api/alice/tasks")

    assert head.status_code == 200
    assert head.content == b""
    assert head["Content-Length"] == str(len(get.content))
    assert head["Content-Type"] == get["Content-Type"]
