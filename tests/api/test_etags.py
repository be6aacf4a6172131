"""Conditional requests (RFC 9110): what has not changed is not sent, what has changed is not overwritten."""

import time
from datetime import UTC, datetime

import pytest

from tasks.models import Task

TASKS = "/api/alice/tasks"
STALE = {"detail": "The task has changed since: read it again, and send its new ETag as If-Match"}


@pytest.fixture
def path(make_task):
    return f"{TASKS}/{make_task(description='Two litres').id}"


@pytest.fixture
def tag(alice, path):
    return alice.get(path)["ETag"]


def when(**headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}


def test_a_write_answers_with_the_tag_of_the_next_read(alice, db):
    created = alice.post(TASKS, {"title": "x"})
    path = created["Location"]
    assert alice.get(path)["ETag"] == created["ETag"]

    replaced = alice.put(path, {"title": "y"})
    assert alice.get(path)["ETag"] == replaced["ETag"] != created["ETag"]

    completed = alice.patch(path, {"completed": True})
    assert alice.get(path)["ETag"] == completed["ETag"] != replaced["ETag"]
    assert alice.head(path)["ETag"] == completed["ETag"]


def test_a_tag_is_strong_and_stays_while_nothing_changes(alice, path, tag):
    assert tag.startswith('"')
    assert tag.endswith('"')
    assert alice.get(path)["ETag"] == tag


def test_a_list_has_a_tag_that_changes_with_it(alice, path):
    tag = alice.get(TASKS)["ETag"]
    assert alice.get(TASKS)["ETag"] == alice.head(TASKS)["ETag"] == tag

    alice.patch(path, {"completed": True})
    changed = alice.get(TASKS)["ETag"]
    alice.delete(path)

    assert len({tag, changed, alice.get(TASKS)["ETag"]}) == 3


def test_pages_with_other_links_have_other_tags(alice, make_task):
    make_task()
    alone = alice.get(f"{TASKS}?limit=1")
    make_task()
    followed = alice.get(f"{TASKS}?limit=1")

    assert alone.content == followed.content
    assert alone["ETag"] != followed["ETag"]


def test_a_list_in_another_order_has_another_tag(alice, make_task):
    make_task()
    make_task(title="Buy bread")

    tags = {alice.get(f"{TASKS}?ordering={order}created_at")["ETag"] for order in ("", "-")}

    assert len(tags) == 2


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '{}, W/"y"', "*", ' "a,b" ,{} '])
@pytest.mark.parametrize("what", ["task", "list"])
def test_what_the_client_has_is_not_sent_again(alice, path, method, form, what):
    path = path if what == "task" else TASKS
    tag = alice.get(path)["ETag"]

    response = getattr(alice, method)(path, headers=when(If_None_Match=form.format(tag)))

    assert (response.status_code, response.content) == (304, b"")
    assert response["ETag"] == tag
    assert response["Cache-Control"] == "private, no-cache"
    assert "Content-Type" not in response
    assert "Content-Length" not in response


def test_what_has_changed_is_sent_again(alice, path, tag):
    alice.patch(path, {"completed": True})

    response = alice.get(path, headers=when(If_None_Match=tag))

    assert response.status_code == 200
    assert response["ETag"] != tag


def test_a_page_is_polled_like_anything_else(alice, path, make_task, monkeypatch):
    """A cursor has no time in it: that would be another Link, and another tag, every second."""
    make_task()
    tag = alice.get(f"{TASKS}?limit=1")["ETag"]
    later = time.time() + 10
    monkeypatch.setattr("time.time", lambda: later)

    assert alice.get(f"{TASKS}?limit=1", headers=when(If_None_Match=tag)).status_code == 304


def test_another_users_condition_is_a_403_and_no_304(bob, path, tag):
    response = bob.get(path, headers=when(If_None_Match="*"))

    assert response.status_code == 403


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        '"x", {}',
        "*",
        "W/{}",
        ', {},, W/"y" ,',
        '"2026-01-01T00:00:00.000000Z", {}, "2026-01-02T00:00:00.000000Z"',
    ],
)
def test_a_current_tag_lets_a_write_pass(alice, path, tag, form):
    put = alice.put(path, {"title": "y"}, headers=when(If_Match=form.format(tag)))
    patch = alice.patch(path, {"completed": True}, headers=when(If_Match=form.format(put["ETag"])))
    delete = alice.delete(path, headers=when(If_Match=form.format(patch["ETag"])))

    assert [put.status_code, patch.status_code, delete.status_code] == [200, 200, 204]
    assert not Task.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("form", ['"x"', '"x", "y"', '""', '"2026-01-01T00:00:00.000000Z"', '"2026-01-01"', 'W/"x",,'])
def test_a_stale_one_is_a_412_and_nothing_is_written(alice, path, tag, method, form):
    before = alice.get(path).json()

    response = getattr(alice, method)(path, {"title": "y", "completed": True}, headers=when(If_Match=form.format(tag)))

    assert (response.status_code, response.json()) == (412, STALE)
    assert alice.get(path).json() == before


def test_a_tag_is_stale_after_any_write(alice, path, tag):
    alice.put(path, {"title": "Buy milk", "description": "Two litres"})

    assert alice.put(path, {"title": "y"}, headers=when(If_Match=tag)).status_code == 412


@pytest.mark.parametrize("header", ["*", '"x"', "nonsense"])
def test_a_missing_task_is_a_404_whatever_is_demanded(alice, path, header):
    alice.delete(path)

    for method in ("put", "patch", "delete"):
        response = getattr(alice, method)(path, {"title": "y", "completed": True}, headers=when(If_Match=header))
        assert (response.status_code, response.json()) == (404, {"detail": "Task not found"})


def test_a_stale_tag_comes_before_a_wrong_body_and_after_a_wrong_type(alice, path):
    assert alice.put(path, {"title": ""}, headers=when(If_Match='"x"')).status_code == 412
    assert alice.generic("PUT", path, "x", "text/plain", headers=when(If_Match='"x"')).status_code == 415


NONSENSE = ["", "x", '"x', "'x'", 'w/"x"', '"x" "y"', '*, "x"', '"x\x7f"', '"a b"', "W/*", ","]


@pytest.mark.parametrize("header", NONSENSE)
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_condition_that_is_none_is_a_400(alice, path, method, header):
    before = alice.get(path).json()

    response = getattr(alice, method)(path, {"title": "y", "completed": True}, headers=when(If_Match=header))

    assert response.status_code == 400
    assert response.json() == {
        "detail": "If-Match must be an ETag as you got it, in its double quotes, or a list of them, or *"
    }
    assert alice.get(path).json() == before


@pytest.mark.parametrize("header", NONSENSE)
def test_a_condition_on_reading_that_makes_no_sense_is_a_400(alice, path, header):
    for target in (path, TASKS):
        response = alice.get(target, headers=when(If_None_Match=header))
        assert response.status_code == 400
        assert response.json()["detail"].startswith("If-None-Match must be an ETag")


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize(("form", "statements"), [("{}", 1), ("{}, {}, {}", 1), ('"2026-01-01T00:00:00.000000Z"', 2)])
def test_a_conditional_write_is_one_statement_and_a_second_tells_why_not(
    alice, path, tag, method, form, statements, django_assert_num_queries
):
    with django_assert_num_queries(statements):
        getattr(alice, method)(path, {"title": "y", "completed": True}, headers=when(If_Match=form.replace("{}", tag)))


def test_a_task_in_a_list_has_its_tag(alice, path, tag):
    [task] = alice.get(TASKS).json()

    assert tag == f'"{task["updated_at"]}"'
    assert alice.patch(path, {"completed": True}, headers=when(If_Match=tag)).status_code == 200


def test_a_time_without_microseconds_has_a_tag(alice, path):
    Task.objects.update(updated_at=datetime(2026, 1, 1, tzinfo=UTC))

    tag = alice.get(path)["ETag"]

    assert tag == '"2026-01-01T00:00:00.000000Z"'
    assert alice.put(path, {"title": "y"}, headers=when(If_Match=tag)).status_code == 200
