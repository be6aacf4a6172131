"""Two writers at once, stepped by hand; a database that goes away."""

import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection

from tasks.models import Task, TaskQuerySet
from tasks.views import TaskViewSet
from tests import postgresql
from tests.server import running


def test_who_comes_second_does_not_overwrite(make_task):
    task = make_task()
    mine, theirs = Task.objects.get(), Task.objects.get()

    assert Task.objects.owned_by("alice").revise(theirs, completed=True)
    assert not Task.objects.owned_by("alice").revise(mine, title="Buy bread")

    task.refresh_from_db()
    assert (task.title, task.completed) == ("Buy milk", True)
    assert (theirs.completed, theirs.updated_at) == (True, task.updated_at)
    assert mine.title == "Buy milk"


def test_a_deleted_task_is_not_written(make_task):
    task = make_task()
    Task.objects.all().delete()

    assert not Task.objects.owned_by("alice").revise(task, title="x")
    assert not Task.objects.exists()


def test_another_users_task_is_not_written(make_task):
    task = make_task("bob")

    assert not Task.objects.owned_by("alice").revise(task, title="x")
    assert Task.objects.get().title == "Buy milk"


@pytest.mark.parametrize(("method", "body"), [("put", {"title": "Mine"}), ("patch", {"completed": True})])
def test_a_write_that_was_overtaken_reads_again(alice, make_task, monkeypatch, method, body):
    """Between the read and the write, somebody else changes the other columns."""
    task = make_task(description="old")
    revise = TaskQuerySet.revise
    overtaken: list[bool] = []

    def overtake(self, seen, **changes):
        if not overtaken:
            overtaken.append(True)
            theirs = {"completed": True} if method == "put" else {"title": "Theirs"}
            Task.objects.update(updated_at=seen.updated_at + timedelta(seconds=1), **theirs)
        return revise(self, seen, **changes)

    monkeypatch.setattr(TaskQuerySet, "revise", overtake)

    response = getattr(alice, method)(f"/api/alice/tasks/{task.id}", body)

    task.refresh_from_db()
    assert response.status_code == 200
    assert (task.title, task.completed) == (("Mine", True) if method == "put" else ("Theirs", True))
    assert (response.json()["title"], response.json()["completed"]) == (task.title, task.completed)


@pytest.mark.parametrize(("if_match", "status"), [("*", 204), (None, 412)])
def test_a_conditional_delete_that_was_overtaken_looks_again(alice, make_task, monkeypatch, if_match, status):
    path = f"/api/alice/tasks/{make_task().id}"
    tag = alice.get(path)["ETag"]
    check = TaskViewSet.check_if_match

    def overtake(self, task):
        check(self, task)
        monkeypatch.setattr(TaskViewSet, "check_if_match", check)
        Task.objects.update(updated_at=task.updated_at + timedelta(seconds=1))

    monkeypatch.setattr(TaskViewSet, "check_if_match", overtake)

    response = alice.delete(path, headers={"If-Match": if_match or tag})

    assert response.status_code == status
    assert Task.objects.exists() == (status == 412)


def test_a_write_that_always_comes_too_late_gives_up(alice, make_task, monkeypatch):
    path = f"/api/alice/tasks/{make_task().id}"
    monkeypatch.setattr(TaskQuerySet, "revise", lambda *args, **kwargs: False)

    response = alice.patch(path, {"completed": True})

    assert response.status_code == 503
    assert response["Retry-After"] == "5"


@pytest.mark.parametrize(("method", "body"), [("put", {"title": "Mine"}), ("patch", {"completed": True})])
def test_a_write_that_a_delete_overtook_is_a_404(alice, make_task, monkeypatch, method, body):
    task = make_task()
    revise = TaskQuerySet.revise

    def overtake(self, seen, **changes):
        Task.objects.all().delete()
        return revise(self, seen, **changes)

    monkeypatch.setattr(TaskQuerySet, "revise", overtake)

    response = getattr(alice, method)(f"/api/alice/tasks/{task.id}", body)

    assert (response.status_code, response.json()) == (404, {"detail": "Task not found"})
    assert not Task.objects.exists()


def test_a_lock_that_is_held_too_long_is_a_503_and_nothing_is_written(tmp_path):
    with running(tmp_path) as server:
        path = server.request("POST", "/api/alice/tasks", {"title": "x"}, "alice").headers["Location"]

        with locked(server.environment["DATABASE_URL"]):
            answer = server.request("PATCH", path, {"completed": True}, "alice")

        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert server.request("GET", path, user="alice").json()["completed"] is False
        assert server.request("PATCH", path, {"completed": True}, "alice").status == 200
        errors = [json.loads(line) for line in server.log.read_text().splitlines() if '"ERROR"' in line]
        assert [(line["message"], line["user"], line["path"]) for line in errors] == [("Database error", "alice", path)]


@contextmanager
def locked(url):
    """Nobody else can write as long as this lasts."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE tasks_task IN SHARE MODE")
            yield
            other.rollback()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server that could go away")
def test_a_database_that_goes_away_and_comes_back(tmp_path):
    with postgresql.server() as database, running(tmp_path, database.get_uri()) as server:
        path = server.request("POST", "/api/alice/tasks", {"title": "x"}, "alice").headers["Location"]

        database.stop()
        answers = [server.request("GET", path, user="alice") for _ in range(8)]
        health, live = server.request("GET", "/health"), server.request("GET", "/health/live")
        database.start()
        again = [server.request("GET", path, user="alice").status for _ in range(8)]

        assert {answer.status for answer in answers} == {503}
        assert {answer.headers["Retry-After"] for answer in answers} == {"5"}
        assert {tuple(answer.json()) for answer in answers} == {("detail",)}
        assert (health.status, health.json()["status"], live.status) == (503, "unhealthy", 200)
        assert again == [200] * 8
        assert server.request("GET", "/health").status == 200


@pytest.mark.skipif(connection.vendor == "sqlite", reason="these are PostgreSQL's")
def test_connections_have_timeouts(db):
    connection.ensure_connection()
    shown = {
        name: connection.connection.execute(f"SHOW {name}").fetchone()[0]
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    }

    assert shown == {
        "statement_timeout": "15s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "15s",
    }
