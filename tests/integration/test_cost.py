"""
What each request costs, in numbers that no clock and no neighbour changes: SQL statements and function calls.

The calls are those that Python sees, into Python and into C, of the warm application on PostgreSQL: nearly the same
in each version of Python. If a change makes a request dearer and is worth it, raise the number here; if it makes one
cheaper, lower it.
"""

import gc
import sys
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, reset_queries
from django.test.utils import CaptureQueriesContext
from rest_framework.response import Response

from tasks.models import Task
from tests.wsgi import call, environ

COSTS = {  # status, SQL statements, function calls
    "an empty list": (200, 1, 824),
    "a list of 100": (200, 1, 825),
    "a page of 50": (200, 1, 1139),
    "a list that is a 304": (304, 1, 789),
    "detail": (200, 1, 776),
    "detail that is a 304": (304, 1, 763),
    "create": (201, 1, 966),
    "create with a key": (201, 5, 1410),  # a look, BEGIN, the task, the key, COMMIT
    "create, replayed": (201, 2, 1126),
    "put": (200, 1, 946),
    "put on condition": (200, 1, 956),
    "patch": (200, 1, 883),
    "delete": (204, 1, 801),
    "another user's path": (403, 0, 970),
    "no such task": (404, 1, 875),
}
CALLS_PER_ROW = 0.5

ROOM = 1.05
WARM_UP = 10  # psycopg prepares a statement at its sixth use
RUNS = 5  # of which the cheapest counts: a garbage collection may run in the others

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite's values take Python to convert, and nobody serves from it"
)


@pytest.fixture
def requests(transactional_db: None, settings: Any) -> dict[str, Callable[[], dict[str, Any]]]:
    """What makes the next request of each kind. Bob has 100 tasks, carol those to delete, alice none."""
    settings.ROOT_URLCONF = "config.urls"
    request_finished.disconnect(close_old_connections)  # as the server does; Django's test client connects it again,
    request_started.disconnect(reset_queries)  # and CaptureQueriesContext this
    for user in ("bob", "carol"):
        Task.objects.bulk_create(Task(user_id=user, title="Buy milk", description="Two litres") for _ in range(100))
    path = f"/api/bob/tasks/{Task.objects.filter(user_id='bob')[50].id}"
    doomed = Task.objects.filter(user_id="carol").iterator()
    keys = count()
    body = {"title": "Buy bread", "description": "Rye"}

    def get(path: str, user: str = "bob", **headers: str) -> Callable[[], dict[str, Any]]:
        return lambda: environ("GET", path, user=user, **headers)

    return {
        "an empty list": get("/api/alice/tasks", "alice"),
        "a list of 100": get("/api/bob/tasks"),
        "a page of 50": get("/api/bob/tasks?limit=50"),
        "a list that is a 304": get("/api/bob/tasks", if_none_match="*"),
        "detail": get(path),
        "detail that is a 304": get(path, if_none_match="*"),
        "create": lambda: environ("POST", "/api/dora/tasks", body, "dora"),
        "create with a key": lambda: environ("POST", "/api/dora/tasks", body, "dora", idempotency_key=str(next(keys))),
        "create, replayed": lambda: environ("POST", "/api/erin/tasks", body, "erin", idempotency_key="known"),
        "put": lambda: environ("PUT", path, body, "bob"),
        "put on condition": lambda: environ("PUT", path, body, "bob", if_match="*"),
        "patch": lambda: environ("PATCH", path, {"completed": True}, "bob"),
        "delete": lambda: environ("DELETE", f"/api/carol/tasks/{next(doomed).id}", user="carol"),
        "another user's path": get("/api/alice/tasks"),
        "no such task": get("/api/bob/tasks/0"),
    }


def function_calls(request: Callable[[], dict[str, Any]]) -> int:
    def counted(made: dict[str, Any]) -> int:
        calls = 0

        def profile(frame: FrameType, event: str, argument: object) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}

        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            call(made)
        finally:
            sys.setprofile(before)
        return calls

    for _ in range(WARM_UP):
        call(request())
    return min(counted(request()) for _ in range(RUNS))


@pytest.mark.parametrize("kind", COSTS)
def test_the_statements_of_a_request(requests, kind):
    for _ in range(WARM_UP):
        call(requests[kind]())

    with CaptureQueriesContext(connection) as queries:
        status, _ = call(requests[kind]())

    assert status == COSTS[kind][0]
    assert len(queries) == COSTS[kind][1], "\n".join(query["sql"] for query in queries)


@on_postgresql
@pytest.mark.parametrize("kind", COSTS)
def test_the_function_calls_of_a_request(requests, kind):
    calls, known = function_calls(requests[kind]), COSTS[kind][2]

    assert calls <= known * ROOM, f"{kind} is {calls / known - 1:.0%} dearer"


@on_postgresql
def test_the_function_calls_of_a_row(requests):
    rows = function_calls(requests["a list of 100"]) - function_calls(requests["an empty list"])

    assert rows / 100 <= CALLS_PER_ROW


@pytest.mark.parametrize("kind", ["a list of 100", "a page of 50", "a list that is a 304"])
def test_rows_do_not_wait_for_the_garbage_collector(requests, kind):
    call(requests[kind]())
    gc.collect()
    before = responses()
    gc.disable()
    try:
        call(requests[kind]())
        after = responses()
    finally:
        gc.enable()

    assert after == before


def responses() -> int:
    """How many there are, of other tests too."""
    return sum(isinstance(each, Response) for each in gc.get_objects())
