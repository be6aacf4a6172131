"""A real server under load while its PostgreSQL crashes: 2xx, 503 and 504 only, and no acknowledged write is lost."""

import http.client
import json
import os
import signal
import threading
import time
import uuid
from collections import Counter
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests import postgresql
from tests.server import running

pytestmark = pytest.mark.skipif(connection.vendor == "sqlite", reason="it is PostgreSQL's")
TASKS = "/api/alice/tasks"
CLIENTS = 6


@pytest.fixture
def database():
    with postgresql.server() as running:
        yield running


@pytest.fixture
def server(request, tmp_path, database):
    url = f"{database.get_uri()}&options=-c%20statement_timeout%3D1s&connect_timeout=2"
    with running(tmp_path, url, request.param) as server:
        yield server


class Load:
    """Clients that create tasks, every other one with a key, which is sent until it is answered with 201."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.statuses: Counter[int] = Counter()
        self.with_key: list[str] = []
        self.outcomes: dict[str, int] = {}  # of titles that were sent once
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.create) for _ in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *args: Any) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def create(self) -> None:
        while not self.stopped.is_set():
            title = str(uuid.uuid4())
            self.outcomes[title] = self.send("POST", TASKS, title)
            title = str(uuid.uuid4())
            while self.send("POST", TASKS, title, Idempotency_Key=title) != http.client.CREATED:
                time.sleep(0.05)
            self.with_key.append(title)
            self.send("GET", f"{TASKS}?limit=1", None)

    def send(self, method: str, path: str, title: str | None, **headers: str) -> int:
        body = title and {"title": title}
        answer = self.server.request(method, path, body, "alice", **headers)
        self.statuses[answer.status] += 1
        json.loads(answer.body)
        return int(answer.status)


def stop_at_once(database: Any) -> None:
    os.kill(database.get_pid(), signal.SIGQUIT)  # pg_ctl stop -m immediate
    time.sleep(1)
    database.start()


def kill_a_backend(database: Any) -> None:
    """In mid-statement: the server ends all other connections, and recovers."""
    other = psycopg.connect(database.get_uri())
    other.execute("LOCK TABLE tasks_task")
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted LIMIT 1"
    with psycopg.connect(database.get_uri(), autocommit=True) as third:
        while not (found := third.execute(waiting).fetchone()):
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)
    other.close()


def freeze(database: Any) -> None:
    """All processes of the server, until connections to it have been given up."""
    with psycopg.connect(database.get_uri()) as other:
        others = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        pids = [database.get_pid(), *(pid for (pid,) in other.execute(others).fetchall())]
    try:
        send(pids, signal.SIGSTOP)
        time.sleep(8)
    finally:
        send(pids, signal.SIGCONT)


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_for(database: Any) -> None:
    for _ in range(600):
        try:
            psycopg.connect(database.get_uri()).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return


def bugs(server: Any) -> str:
    """The log lines of 500s."""
    return "\n".join(line for line in server.log.read_text().splitlines() if "Internal Server Error" in line)


@pytest.mark.parametrize(
    ("server", "breaks"),
    [("gunicorn", [stop_at_once, kill_a_backend, freeze]), ("granian", [stop_at_once])],
    indirect=["server"],
)
def test_a_server_whose_database_crashes_recovers_and_tells_the_truth(server, database, breaks):
    with Load(server) as load:
        for break_it in breaks:
            time.sleep(0.5)
            break_it(database)
            wait_for(database)
            back = time.monotonic()
            well = 0
            while well < 20:  # in a row, over all threads
                statuses = [server.request("GET", "/health").status, load.send("POST", TASKS, "well")]
                well = well + 1 if statuses == [200, 201] else 0
                assert time.monotonic() - back < 15, break_it.__name__  # 2 s where the machine is free

    assert load.statuses.keys() <= {200, 201, 503, 504}, bugs(server)
    assert load.statuses[503] + load.statuses[504]
    with psycopg.connect(database.get_uri()) as other:
        stored = Counter(title for (title,) in other.execute("SELECT title FROM tasks_task").fetchall())
    assert {title: stored[title] for title in load.with_key} == dict.fromkeys(load.with_key, 1)
    for title, status in load.outcomes.items():
        allowed = {201: {1}, 503: {0}, 504: {0, 1}}[status]
        assert stored[title] in allowed, (status, stored[title])
