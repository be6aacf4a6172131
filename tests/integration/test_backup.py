"""The backup of docs/operations.md, taken and restored by the commands that stand there, on a real PostgreSQL."""

import hashlib
import os
import re
import subprocess
from urllib.parse import quote

import psycopg
import pytest

from tests.postgresql import TOOLS
from tests.server import ROOT, manage, new_database, production, running

pytestmark = pytest.mark.skipif(
    os.environ["DATABASE_URL"].startswith("sqlite"), reason="pg_dump is PostgreSQL's: SQLite is a file to copy"
)

ODD = [
    "ß — 買牛奶 🥛",
    "\\N",
    "\\.",
    "a\tb\nc\rd\"e'f\\",
    "\u202e\u00a0\ufeff",
    "NULL",
    "🥛" * 200,
    "{}",
    "$1; DROP TABLE x;",
]


def documented():
    [section] = re.findall(
        r"^## Back up and restore\n(.*?)^## ", (ROOT / "docs" / "operations.md").read_text(), re.M | re.S
    )
    dump, restore, compare = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return dump, restore, compare


def test_what_was_dumped_is_what_is_restored(tmp_path):
    dump, restore, compare = documented()
    (tmp_path / "lost").mkdir()
    (tmp_path / "found").mkdir()
    with new_database(tmp_path / "lost") as lost, new_database(tmp_path / "found") as found:
        environment = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "DATABASE_URL": lost, "RESTORE_URL": found}
        with running(tmp_path / "lost", lost) as server:
            newest = fill(server)
            at_the_dump = contents(lost)
            run(dump, tmp_path, environment)
            server.request("POST", "/api/alice/tasks", {"title": "after the dump"}, "alice")

        run(restore, tmp_path, environment)

        assert contents(found) == at_the_dump
        assert contents(lost) != at_the_dump
        assert structure(found) == structure(lost)
        ours, theirs = run(compare, tmp_path, environment).splitlines()
        assert ours != theirs
        with psycopg.connect(lost) as connection:
            connection.execute("DELETE FROM tasks_task WHERE title = 'after the dump'")
        ours, theirs = run(compare, tmp_path, environment).splitlines()
        assert ours == theirs

        assert manage(production(found), "migrate", "--check").returncode == 0
        with running(tmp_path / "found", found) as server:
            created = server.request("POST", "/api/alice/tasks", {"title": "after the restore"}, "alice")
            replayed = server.request("POST", "/api/alice/tasks", {"title": "once"}, "alice", Idempotency_Key="key")
        assert created.status == 201
        assert created.json()["id"] > newest
        assert replayed.headers["Idempotency-Replayed"] == "true"


def fill(server):
    """Tasks with everything that is hard to quote, of several users, with gaps; the id of the newest."""
    for user in ("alice", "ünï/çødé"):
        for title in ODD:
            for description in (None, "", *ODD[:4]):
                made = server.request("POST", *own(user, {"title": title, "description": description}))
                assert made.status == 201
        server.request("PATCH", made.headers["Location"], {"completed": True}, user)
        gone = server.request("POST", *own(user, {"title": "gone"}))
        server.request("DELETE", gone.headers["Location"], user=user)
    server.request("POST", *own("alice", {"title": "once"}), Idempotency_Key="key")
    staff = server.environment | {"DJANGO_SUPERUSER_PASSWORD": "x" * 20}
    assert manage(staff, "createsuperuser", "--no-input", "--username", "sam", "--email", "").returncode == 0
    newest: int = gone.json()["id"] + 1
    return newest


def own(user, body):
    return f"/api/{quote(user)}/tasks", body, user


def run(commands, folder, environment):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(url):
    """A hash over the rows of each table, and where each sequence stands."""
    with psycopg.connect(url) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        assert {"tasks_task", "api_idempotencykey", "auth_user", "django_migrations"} <= set(tables)
        found = {}
        for table in tables:
            rows = sorted(row[0] for row in connection.execute(f'SELECT t::text FROM "{table}" t'))  # noqa: S608 - its own name
            found[table] = (len(rows), hashlib.sha256("\0".join(rows).encode()).hexdigest())
        assert found["tasks_task"][0] > 100
        sequences = connection.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1").fetchall()
        return found, sequences


COLUMNS = """
    SELECT attrelid::regclass, attname, atttypid::regtype, atttypmod, attnotnull, attidentity
    FROM pg_attribute JOIN pg_tables ON attrelid = tablename::regclass
    WHERE schemaname = 'public' AND attnum > 0 AND NOT attisdropped
"""
CONSTRAINTS = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid > 0"
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"


def structure(url):
    """Every column, constraint and index, as PostgreSQL itself writes them."""
    with psycopg.connect(url) as connection:
        found = [sorted(map(str, connection.execute(query))) for query in (COLUMNS, CONSTRAINTS, INDEXES)]
    assert "task_title_not_blank" in str(found)
    assert "task_user_created" in str(found)
    return found
