"""PUT."""

from datetime import UTC, datetime

import pytest


def test_title_and_description_are_replaced(alice, make_task):
    task = make_task(description="Two litres", completed=True)

    response = alice.put(f"/api/alice/tasks/{task.id}", {"title": " Buy bread ", "description": ""})

    assert response.status_code == 200
    assert response.json() == alice.get(f"/api/alice/tasks/{task.id}").json()
    assert (
        response.json().items()
        >= {
            "id": task.id,
            "user_id": "alice",
            "title": "Buy bread",
            "description": "",
            "completed": True,
            "created_at": task.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }.items()
    )


def test_an_absent_description_becomes_null(alice, make_task):
    task = make_task(description="Two litres")

    response = alice.put(f"/api/alice/tasks/{task.id}", {"title": "Buy milk"})

    assert response.json()["description"] is None


def test_the_whole_task_may_be_sent_back(alice, make_task):
    task = make_task()
    whole = alice.get(f"/api/alice/tasks/{task.id}").json()

    response = alice.put(
        f"/api/alice/tasks/{task.id}", whole | {"title": "New", "completed": True, "user_id": "bob", "id": 5}
    )

    assert response.status_code == 200
    assert response.json() | {"updated_at": None} == whole | {"title": "New", "updated_at": None}


def test_updated_at_moves_forward_even_when_nothing_changes(alice, make_task):
    task = make_task()
    path = f"/api/alice/tasks/{task.id}"
    moments = [alice.get(path).json()["updated_at"]]

    moments += [alice.put(path, {"title": task.title}).json()["updated_at"] for _ in range(3)]

    assert moments == sorted(set(moments))
    assert alice.get(path).json()["updated_at"] == moments[-1]


def test_updated_at_moves_forward_although_the_clock_went_back(alice, make_task):
    task = make_task(updated_at=datetime(2099, 1, 1, tzinfo=UTC))

    response = alice.put(f"/api/alice/tasks/{task.id}", {"title": "x"})

    assert response.json()["updated_at"] == "2099-01-01T00:00:00.000001Z"


def test_an_update_is_one_statement(alice, make_task, django_assert_num_queries):
    task = make_task()

    with django_assert_num_queries(1):
        alice.put(f"/api/alice/tasks/{task.id}", {"title": "x"})


@pytest.mark.parametrize("body", [{}, {"title": ""}, {"title": 5}, {"title": "x" * 201}, {"description": "x"}, []])
def test_a_wrong_body_changes_nothing(alice, make_task, body):
    task = make_task()
    before = alice.get(f"/api/alice/tasks/{task.id}").json()

    response = alice.put(f"/api/alice/tasks/{task.id}", body)

    assert response.status_code == 422
    assert alice.get(f"/api/alice/tasks/{task.id}").json() == before


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("body", ["{", '{"title": 5}', ""])
def test_a_missing_task_comes_before_a_wrong_body(alice, db, method, body):
    response = alice.generic(method.upper(), "/api/alice/tasks/1", body, "text/plain")

    assert response.status_code == 404
    assert response.json() == {"detail": "Task not found"}
