"""A whole list is the user's right, and neither memory nor anybody else's time is its price."""

import http.client
import json
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psutil
import psycopg
import pytest
from django.db import connection

from tasks.models import Task
from tests.server import running
from tests.tokens import token
from tests.wsgi import call, environ

MEBIBYTE = 1024 * 1024


def large_list(url, count):
    """Tasks of alice's that are as long as they may be."""
    sqlite = url.startswith("sqlite")
    texts = "hex(zeroblob(100)), hex(zeroblob(500))" if sqlite else "repeat('€', 200), repeat('€', 1000)"
    insert = f"""
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
        INSERT INTO tasks_task (user_id, title, description, completed, created_at, updated_at)
        SELECT 'alice', {texts}, {"0" if sqlite else "false"}, '2026-01-01 00:00:00', '2026-01-01 00:00:00' FROM numbers
    """  # noqa: S608 - written here
    if sqlite:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
            database.execute(insert)
    else:
        with psycopg.connect(url) as server:
            server.execute(insert)


@pytest.mark.parametrize("name", ["gunicorn", pytest.param("granian", marks=pytest.mark.once)])
def test_four_at_once_take_bounded_memory_and_hold_up_nobody(tmp_path, name):
    with running(tmp_path, name=name, WEB_CONCURRENCY="1", WEB_THREADS="6") as server:
        large_list(server.environment["DATABASE_URL"], 20_000)
        [worker] = psutil.Process(server.process.pid).children()
        server.request("GET", "/api/bob/tasks", user="bob")
        idle, peak, waits, over = worker.memory_info().rss, 0, [], threading.Event()

        def watch():
            nonlocal peak
            while not over.is_set():
                started = time.monotonic()
                assert server.request("GET", "/health/live").status == 200
                waits.append(time.monotonic() - started)
                peak = max(peak, worker.memory_info().rss)
                time.sleep(0.02)

        with ThreadPoolExecutor(5) as pool:
            watching = pool.submit(watch)
            lists = list(pool.map(lambda _: server.request("GET", "/api/alice/tasks", user="alice"), range(4)))
            over.set()
            watching.result()

    assert {(answer.status, len(answer.json())) for answer in lists} == {(200, 20_000)}
    assert peak - idle < 200 * MEBIBYTE
    assert sorted(waits)[len(waits) * 9 // 10] < 1


@pytest.fixture
def many(transactional_db):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    Task.objects.bulk_create(
        Task(user_id="alice", title="x", created_at=start + timedelta(seconds=number)) for number in range(2_500)
    )


def test_a_list_of_many_pages_is_whole_and_in_order(many, alice):
    response = alice.get("/api/alice/tasks")
    body = b"".join(response.streaming_content)

    assert len(body) == int(response["Content-Length"])
    assert response["Content-Type"] == "application/json"
    expected = list(Task.objects.in_creation_order().values_list("id", flat=True))
    assert [task["id"] for task in json.loads(body)] == expected


def test_head_says_how_long_it_is_and_sends_nothing(many, alice):
    whole = alice.get("/api/alice/tasks")
    assert whole.streaming
    whole.close()

    head = alice.head("/api/alice/tasks")

    assert (head.status_code, head.content, head["Content-Length"]) == (200, b"", whole["Content-Length"])
    assert head["ETag"] == whole["ETag"]


@pytest.mark.once
def test_a_large_list_keeps_its_length_on_the_wire(tmp_path):
    """From a file, on a connection that goes on."""
    with running(tmp_path) as server:
        large_list(server.environment["DATABASE_URL"], 2_000)
        connection_ = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        for method in ("GET", "HEAD", "GET"):
            connection_.request(method, "/api/alice/tasks", headers={"Authorization": f"Bearer {token('alice')}"})
            answer = connection_.getresponse()
            body = answer.read()
            assert (answer.status, len(body)) == (200, 0 if method == "HEAD" else int(answer.headers["Content-Length"]))
            assert int(answer.headers["Content-Length"]) > MEBIBYTE
        connection_.close()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's times take Python to subtract")
def test_a_poll_that_finds_nothing_new_costs_a_fraction_of_the_list(many):
    def seconds(**headers):
        made = [environ("GET", "/api/alice/tasks", **headers) for _ in range(7)]
        times = []
        for each in made:
            started = time.perf_counter()
            status, _ = call(each)
            times.append(time.perf_counter() - started)
        return status, min(times)

    listed = seconds()
    polled = seconds(if_none_match="*")

    assert (listed[0], polled[0]) == (200, 304)
    assert polled[1] < listed[1] / 3
