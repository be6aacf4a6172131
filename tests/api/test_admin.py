"""What support staff have from day one; and that their door and the users' are two."""

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from tasks.models import Task, TaskQuerySet
from tests.tokens import bearer


@pytest.fixture
def staff(admin_client):
    admin_client.raise_request_exception = False
    return admin_client


def test_admin_leads_to_the_admin(client):
    response = client.get("/admin")

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_a_person_signs_in_with_a_csrf_token(db):
    User.objects.create_superuser("agent", password="a long password")
    browser = Client(enforce_csrf_checks=True)
    credentials = {"username": "agent", "password": "a long password", "next": "/admin/"}

    assert browser.post("/admin/login/", credentials).status_code == 403
    browser.get("/admin/login/")
    credentials["csrfmiddlewaretoken"] = browser.cookies["csrftoken"].value
    response = browser.post("/admin/login/", credentials)

    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert browser.get("/admin/tasks/task/").status_code == 200
    for cookie in browser.cookies.values():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")


def test_the_pages_have_their_files(staff):
    response = staff.get("/admin/static/admin/css/base.css")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/css")
    assert b"DJANGO Admin styles" in b"".join(response.streaming_content)
    response.close()


def test_tasks_are_found_by_the_exact_user_id(staff, make_task):
    make_task("alice", "hers")
    make_task("Alice", "not hers")
    make_task("alice2", "not hers either")

    page = staff.get("/admin/tasks/task/?q=alice").content.decode()

    assert "hers" in page
    assert "not hers" not in page


@pytest.mark.parametrize(
    "query", ["completed__exact=1", "completed__exact=0", "created_at__gte=2020-01-01T00:00:00Z", "q=nobody"]
)
def test_filters(staff, make_task, query):
    make_task()

    assert staff.get(f"/admin/tasks/task/?{query}").status_code == 200


def test_a_mistake_is_corrected_and_leaves_a_trace(staff, make_task):
    task = make_task(description="Two litres")

    response = staff.post(
        f"/admin/tasks/task/{task.id}/change/",
        {"title": "Buy bread", "description": "Two litres", "completed": "on", "user_id": "bob", "id": 7},
    )

    after = Task.objects.get()
    assert response.status_code == 302
    assert (after.id, after.user_id, after.title, after.completed) == (task.id, "alice", "Buy bread", True)
    assert after.created_at == task.created_at
    assert after.updated_at > task.updated_at
    assert "Changed Title and Completed." in staff.get(f"/admin/tasks/task/{task.id}/history/").content.decode()


@pytest.mark.parametrize(
    ("field", "value"), [("title", ""), ("title", " \t"), ("title", "x" * 201), ("description", "x" * 1001)]
)
def test_a_wrong_value_is_a_message_in_the_form(staff, make_task, field, value):
    task = make_task()
    form = {"title": "x", "description": "y"} | {field: value}

    response = staff.post(f"/admin/tasks/task/{task.id}/change/", form)

    assert response.status_code == 200
    assert field in response.context["adminform"].form.errors
    assert Task.objects.get().title == "Buy milk"


def test_staff_make_no_tasks(staff):
    assert staff.get("/admin/tasks/task/add/").status_code == 403


def test_a_session_does_not_open_the_api(staff, make_task):
    make_task("admin")

    for user_id in ("admin", "1", "alice"):
        response = staff.get(f"/api/{user_id}/tasks")
        assert response.status_code == 401
        assert response.json() == {"detail": "Missing authentication token"}


@pytest.mark.parametrize("path", ["/admin/", "/admin/tasks/task/", "/admin/auth/user/", "/admin/nope/"])
def test_a_token_does_not_open_the_admin(anonymous, db, path):
    response = anonymous.get(path, headers=bearer("admin", is_staff=True, is_superuser=True))

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def test_the_api_has_no_session(alice, db):
    request = alice.get("/api/alice/tasks").wsgi_request

    assert not hasattr(request, "session")
    assert not hasattr(request, "_messages")


@pytest.mark.parametrize("password", ["short", "password1", "4815162342"])
def test_a_weak_password_of_staff_is_refused(password):
    with pytest.raises(ValidationError):
        validate_password(password)


def test_a_missing_slash_is_a_404_to_staff_too(staff):
    assert staff.get("/admin/tasks/task").status_code == 404


def test_a_correction_writes_no_other_column(staff, make_task, monkeypatch):
    task = make_task()
    revise = TaskQuerySet.revise

    def overtaken(self, *args, **kwargs):
        Task.objects.update(description="The user's, of just now")
        return revise(self, *args, **kwargs)

    monkeypatch.setattr(TaskQuerySet, "revise", overtaken)

    staff.post(f"/admin/tasks/task/{task.id}/change/", {"title": "Buy bread", "description": ""})

    after = Task.objects.get()
    assert (after.title, after.description) == ("Buy bread", "The user's, of just now")


def test_the_list_shows_and_filters_what_support_asks_for(staff, make_task):
    make_task()

    page = staff.get("/admin/tasks/task/").context["cl"]

    assert page.list_display[1:] == ["id", "user_id", "title", "completed", "created_at", "updated_at"]
    assert [spec.title for spec in page.filter_specs] == ["completed", "created at"]
    assert page.full_result_count is None
