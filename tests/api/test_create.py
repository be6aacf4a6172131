from urllib.parse import quote

import pytest

from tasks.models import Task
from tests.tokens import bearer

LONGEST_TITLE = "😀" * 200
LONGEST_DESCRIPTION = "\N{COMBINING ACUTE ACCENT}" * 1000


def test_a_created_task_is_returned_with_its_location(alice, db):
    response = alice.post("/api/alice/tasks", {"title": "Buy milk", "description": "Two litres"})

    task = Task.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"/api/alice/tasks/{task.id}"
    assert (
        response.json().items()
        >= {
            "id": task.id,
            "user_id": "alice",
            "title": "Buy milk",
            "description": "Two litres",
            "completed": False,
            "created_at": task.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "updated_at": task.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }.items()
    )
    assert alice.get(response["Location"]).json() == response.json()


def test_255_code_points_are_a_user(anonymous, db):
    user_id = "😀" * 255

    response = anonymous.post(f"/api/{user_id}/tasks", {"title": "x"}, headers=bearer(user_id))

    assert response.status_code == 201
    assert response.json()["user_id"] == user_id


def test_creating_is_one_statement(alice, db, django_assert_num_queries):
    with django_assert_num_queries(1):
        alice.post("/api/alice/tasks", {"title": "Buy milk"})


def test_owner_id_and_status_are_not_the_clients_to_choose(alice, db):
    response = alice.post(
        "/api/alice/tasks",
        {"id": 7, "user_id": "bob", "title": "Mine", "completed": True, "created_at": "1999-01-01", "colour": "blue"},
    )

    task = Task.objects.get()
    assert response.status_code == 201
    assert (task.user_id, task.completed, task.created_at.year > 1999) == ("alice", False, True)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("  Buy milk\t\n", "Buy milk"),
        ("\u2003\u00a0x\u3000", "x"),
        (LONGEST_TITLE, LONGEST_TITLE),
        (f"   {LONGEST_TITLE}   ", LONGEST_TITLE),
        ("'; DROP TABLE tasks_task; --", "'; DROP TABLE tasks_task; --"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("\x01\x7f\x85\u200b\u2028\ufeff\uffff\U0010ffff.", "\x01\x7f\x85\u200b\u2028\ufeff\uffff\U0010ffff."),
        ("cafe\u0301", "cafe\u0301"),
    ],
)
def test_titles_are_trimmed_and_otherwise_kept(alice, db, sent, stored):
    response = alice.post("/api/alice/tasks", {"title": sent})

    assert response.status_code == 201
    assert response.json()["title"] == stored
    assert Task.objects.get().title == stored


@pytest.mark.parametrize("description", [None, "", "   ", "\n x \t", LONGEST_DESCRIPTION, "%s {} \\ \" '"])
def test_descriptions_are_kept_exactly(alice, db, description):
    response = alice.post("/api/alice/tasks", {"title": "x", "description": description})

    assert response.status_code == 201
    assert response.json()["description"] == description
    assert Task.objects.get().description == description


def test_an_absent_description_is_null(alice, db):
    assert alice.post("/api/alice/tasks", {"title": "x"}).json()["description"] is None


@pytest.mark.parametrize(
    ("body", "field", "code", "message"),
    [
        ({}, "title", "required", "This field is required."),
        ({"title": None}, "title", "null", "This field may not be null."),
        ({"title": ""}, "title", "blank", "This field may not be blank."),
        ({"title": " \t\u3000"}, "title", "blank", "This field may not be blank."),
        ({"title": "x" * 201}, "title", "max_length", "Ensure this field has no more than 200 characters."),
        ({"title": 5}, "title", "invalid", "Not a valid string."),
        ({"title": 1.5}, "title", "invalid", "Not a valid string."),
        ({"title": True}, "title", "invalid", "Not a valid string."),
        ({"title": ["x"]}, "title", "invalid", "Not a valid string."),
        ({"title": {"x": "y"}}, "title", "invalid", "Not a valid string."),
        ({"title": "a\0b"}, "title", "null_characters_not_allowed", "Null characters are not allowed."),
        (
            {"title": "x", "description": "x" * 1001},
            "description",
            "max_length",
            "Ensure this field has no more than 1000 characters.",
        ),
        ({"title": "x", "description": 5}, "description", "invalid", "Not a valid string."),
        (
            {"title": "x", "description": "a\0b"},
            "description",
            "null_characters_not_allowed",
            "Null characters are not allowed.",
        ),
        ([], "body", "invalid", "Invalid data. Expected a dictionary, but got list."),
        ("x", "body", "invalid", "Invalid data. Expected a dictionary, but got str."),
        (5, "body", "invalid", "Invalid data. Expected a dictionary, but got int."),
    ],
)
def test_a_wrong_body_is_refused_with_field_code_and_message(alice, db, body, field, code, message):
    response = alice.post("/api/alice/tasks", body)

    assert response.status_code == 422
    assert response.json() == {
        "detail": f"{field}: {message}",
        "errors": [{"field": field, "code": code, "message": message}],
    }
    assert not Task.objects.exists()


def test_null_is_no_task(alice, db):
    response = alice.generic("POST", "/api/alice/tasks", "null", "application/json")

    assert response.status_code == 422
    assert response.json()["errors"] == [{"field": "body", "code": "null", "message": "This field may not be null."}]


def test_half_of_a_surrogate_pair_is_no_text(alice, db):
    response = alice.generic("POST", "/api/alice/tasks", r'{"title": "\ud800"}', "application/json")

    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "surrogate_characters_not_allowed"


def test_every_problem_is_reported(alice, db):
    response = alice.post("/api/alice/tasks", {"title": "", "description": 5})

    assert response.status_code == 422
    assert response.json()["detail"] == "title: This field may not be blank. description: Not a valid string."
    assert [error["field"] for error in response.json()["errors"]] == ["title", "description"]


@pytest.mark.parametrize("user_id", ["ü 😀", "a%2Fb", "100%", "auth0|5", "a/b", "tasks", "x/tasks/5", "?#&=+;", ".."])
def test_any_user_id_has_a_path_and_a_location(anonymous, db, user_id):
    path = f"/api/{quote(user_id, safe='')}/tasks"

    created = anonymous.post(path, {"title": "x"}, headers=bearer(user_id))
    found = anonymous.get(created["Location"], headers=bearer(user_id))

    assert created.status_code == 201
    assert created.json()["user_id"] == user_id
    assert found.json() == created.json()
