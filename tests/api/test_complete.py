"""PATCH."""

import pytest


@pytest.mark.parametrize("completed", [True, False])
def test_only_the_status_is_set(alice, make_task, completed):
    task = make_task(description="", completed=not completed)
    before = alice.get(f"/api/alice/tasks/{task.id}").json()

    response = alice.patch(
        f"/api/alice/tasks/{task.id}", {"completed": completed, "title": "ignored", "description": "ignored"}
    )

    assert response.status_code == 200
    assert response.json() == alice.get(f"/api/alice/tasks/{task.id}").json()
    assert response.json() == before | {"completed": completed, "updated_at": response.json()["updated_at"]}
    assert response.json()["updated_at"] > before["updated_at"]


def test_to_complete_a_task_is_one_statement(alice, make_task, django_assert_num_queries):
    task = make_task()

    with django_assert_num_queries(1):
        alice.patch(f"/api/alice/tasks/{task.id}", {"completed": True})


@pytest.mark.parametrize("completed", [1, 0, "true", "yes", "on", "", 1.0, [], [True], {}])
def test_anything_but_true_and_false_is_refused(alice, make_task, completed):
    task = make_task()
    message = "Must be a valid boolean."

    response = alice.patch(f"/api/alice/tasks/{task.id}", {"completed": completed})

    assert response.status_code == 422
    assert response.json() == {
        "detail": f"completed: {message}",
        "errors": [{"field": "completed", "code": "invalid", "message": message}],
    }


@pytest.mark.parametrize(
    ("body", "code"), [({}, "required"), ({"completed": None}, "null"), ({"title": "x"}, "required")]
)
def test_the_status_is_required(alice, make_task, body, code):
    task = make_task()

    response = alice.patch(f"/api/alice/tasks/{task.id}", body)

    assert response.status_code == 422
    assert [(error["field"], error["code"]) for error in response.json()["errors"]] == [("completed", code)]
