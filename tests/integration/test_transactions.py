"""Two writers at once, stepped by hand; a database that goes away."""

import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from api.rows import UserRows
from tasks.models import ROW_FIELDS, Task, own_tasks
from tests import postgresql
from tests.server import Server, new_database, production, running

WRITES = [("put", {"title": "Mine"}, "revise"), ("patch", {"completed": True}, "revise"), ("delete", None, "remove")]


@pytest.fixture
def between(monkeypatch):
    """Something that happens when a view has read and checked, and has yet to write."""

    def prepare(step, happen):
        original = getattr(UserRows, step)

        def late(self, *args, **kwargs):
            happen()
            return original(self, *args, **kwargs)

        monkeypatch.setattr(UserRows, step, late)

    return prepare


def test_a_revision_writes_what_it_names_and_nothing_else(make_task):
    task = make_task(description="old")
    Task.objects.update(title="Theirs")

    revised = own_tasks.of("alice").revise(task.id, completed=True)

    task.refresh_from_db()
    assert (task.title, task.description, task.completed) == ("Theirs", "old", True)
    assert revised == {name: getattr(task, name) for name in ROW_FIELDS}


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=1)])
def test_a_revision_moves_updated_at_forward_even_where_the_clock_went_back(make_task, ahead):
    task = make_task()
    before = timezone.now() + ahead
    Task.objects.update(updated_at=before)

    revised = own_tasks.of("alice").revise(task.id, title="x")

    assert revised
    assert revised["updated_at"] == before + timedelta(microseconds=1) if ahead else revised["updated_at"] > before


def test_a_task_that_has_changed_since_is_neither_revised_nor_removed(make_task):
    task, alices = make_task(), own_tasks.of("alice")
    seen = task.updated_at
    alices.revise(task.id, title="Theirs")

    assert alices.revise(task.id, as_of=[seen], title="x") is None
    assert alices.remove(task.id, as_of=[seen]) is None
    assert Task.objects.get().title == "Theirs"


def test_the_owners_tasks_are_an_ordinary_query_as_well(make_task):
    milk, bread = make_task(), make_task(title="Buy bread", completed=True)
    make_task("bob")

    owned = Task.objects.owned_by("alice")

    assert list(owned.in_creation_order()) == [milk, bread]
    assert owned.with_status(completed=True).get() == bread
    assert owned.count() == 2
    assert Task.objects.filter(completed=False).owned_by("alice").get() == milk


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}])
@pytest.mark.parametrize(("method", "body", "step"), WRITES[:2])
def test_of_two_writes_at_once_both_survive(alice, make_task, between, method, body, step, headers):
    task = make_task(description="old")
    theirs = {"completed": True} if method == "put" else {"title": "Theirs"}
    between(step, lambda: Task.objects.update(updated_at=task.updated_at + timedelta(seconds=1), **theirs))

    response = getattr(alice, method)(f"/api/alice/tasks/{task.id}", body, headers=headers)

    task.refresh_from_db()
    assert response.status_code == 200
    assert (task.title, task.completed) == (("Mine", True) if method == "put" else ("Theirs", True))
    assert (response.json()["title"], response.json()["completed"]) == (task.title, task.completed)


@pytest.mark.parametrize(("method", "body", "step"), WRITES)
def test_a_conditional_write_that_was_overtaken_writes_nothing(alice, make_task, between, method, body, step):
    path = f"/api/alice/tasks/{make_task().id}"
    tag = alice.get(path)["ETag"]
    later = timezone.now() + timedelta(seconds=1)
    between(step, lambda: Task.objects.update(title="Theirs", updated_at=later))

    response = getattr(alice, method)(path, body, headers={"If-Match": tag})

    assert response.status_code == 412
    assert Task.objects.values_list("title", "completed", "updated_at").get() == ("Theirs", False, later)


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}, {"If-Match": "its tag"}])
@pytest.mark.parametrize(("method", "body", "step"), WRITES)
def test_a_write_that_a_delete_overtook_is_a_404(alice, make_task, between, method, body, step, headers):
    path = f"/api/alice/tasks/{make_task().id}"
    headers = {name: alice.get(path)["ETag"] if value == "its tag" else value for name, value in headers.items()}
    between(step, lambda: Task.objects.all().delete())

    response = getattr(alice, method)(path, body, headers=headers)

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


def test_a_schema_that_was_never_migrated_is_no_traceback_to_anybody(tmp_path):
    with new_database(tmp_path) as url:
        server = Server(production(url, HOME=str(tmp_path)), tmp_path / "server.log", "gunicorn")
        server.start()
        try:
            answer = server.request("GET", "/api/alice/tasks", user="alice")
        finally:
            server.stop()

    assert answer.status in (500, 503)
    assert list(answer.json()) == ["detail"]
    assert "SELECT" not in answer.body.decode()


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
