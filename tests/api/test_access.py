"""Who may do what: every method of every route, for every kind of caller, with the exact answer."""

import json
import time
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks.models import Task
from tests.notes.models import Note
from tests.tokens import bearer

LIST, DETAIL = "api/<user_id:user_id>/tasks", "api/<user_id:user_id>/tasks/<str:id>"
NOTES, NOTE = "api/<user_id:user_id>/jottings", "api/<user_id:user_id>/jottings/<str:id>"  # tests/notes: without PATCH
READY, LIVE, ADMIN = "health", "health/live", "admin"
SCHEMA, DOCS, ERASE = "api/schema", "api/docs", "api/<user_id:user_id>"

METHODS = {
    LIST: {"GET": 200, "HEAD": 200, "POST": 201, "PUT": 405, "PATCH": 405, "DELETE": 405, "OPTIONS": 405, "BREW": 405},
    DETAIL: {
        "GET": 200,
        "HEAD": 200,
        "PUT": 200,
        "PATCH": 200,
        "DELETE": 204,
        "POST": 405,
        "OPTIONS": 405,
        "BREW": 405,
    },
    NOTES: {"GET": 200, "HEAD": 200, "POST": 201, "PUT": 405, "PATCH": 405, "DELETE": 405, "OPTIONS": 405, "BREW": 405},
    NOTE: {"GET": 200, "HEAD": 200, "PUT": 200, "DELETE": 204, "PATCH": 405, "POST": 405, "OPTIONS": 405, "BREW": 405},
    ERASE: {"DELETE": 204} | dict.fromkeys(["GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "BREW"], 405),
}
TO_READ = {"GET": 200, "HEAD": 200, "POST": 405, "PUT": 405, "PATCH": 405, "DELETE": 405, "OPTIONS": 405, "BREW": 405}
PUBLIC = {READY: TO_READ, LIVE: TO_READ, SCHEMA: TO_READ, DOCS: TO_READ}
OUTSIDE_THE_API = {ADMIN, "admin/"}  # see test_admin.py
ELSEWHERE: set[str] = set()  # routes of your own resources, each with a test of yours that asks who may do what

BODY = {"title": "Changed", "text": "Changed", "completed": True, "pinned": True}
ALLOW = {LIST: "GET, HEAD, POST", DETAIL: "GET, HEAD, PUT, PATCH, DELETE", ERASE: "DELETE"}
ALLOW |= {NOTES: "GET, HEAD, POST", NOTE: "GET, HEAD, PUT, DELETE"} | dict.fromkeys(PUBLIC, "GET, HEAD")

MISSING = 401, "Missing authentication token", 'Bearer realm="api"'
EXPIRED = 401, "Token expired", 'Bearer realm="api", error="invalid_token"'
INVALID = 401, "Invalid token", 'Bearer realm="api", error="invalid_token"'
MISMATCH = 403, "User ID mismatch", None


def routes(resolver: Any, prefix: str = "") -> list[str]:
    found = []
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if route in OUTSIDE_THE_API or isinstance(entry, URLPattern):
            found.append(route)
        elif isinstance(entry, URLResolver):
            found += routes(entry, route)
    return found


def test_every_route_is_in_the_table():
    known = {*METHODS, *PUBLIC, *OUTSIDE_THE_API, *ELSEWHERE}
    assert set(routes(get_resolver())) == known, "test who may do what there, then add the route to ELSEWHERE"


@pytest.fixture
def of_alice(make_task):
    return {DETAIL: make_task("alice"), NOTE: Note.objects.create(user_id="alice", text="Buy milk")}


@pytest.fixture
def of_bob(make_task):
    return {DETAIL: make_task("bob"), NOTE: Note.objects.create(user_id="bob", text="Buy milk")}


def send(client, method, route, user_id, rows=None, **headers):
    path = "/" + route.replace("<user_id:user_id>", user_id)
    if rows and route in rows:
        path = path.replace("<str:id>", str(rows[route].id))
    return client.generic(method, path, json.dumps(BODY), "application/json", headers=headers)


def rows():
    return [list(model.objects.order_by("id").values()) for model in (Task, Note)]


@pytest.mark.parametrize(("route", "method"), [(route, method) for route in METHODS for method in METHODS[route]])
class TestEveryMethodOfEveryRoute:
    def test_its_own_user_is_answered(self, anonymous, of_alice, route, method):
        response = send(anonymous, method, route, "alice", of_alice, **bearer("alice"))

        status = METHODS[route][method]
        assert response.status_code == status
        assert response["Cache-Control"] == "private, no-cache"
        if status == 405:
            assert response["Allow"] == ALLOW[route]
            assert method == "HEAD" or response.json() == {"detail": f"Method not allowed: use {ALLOW[route]}"}
        elif method not in ("HEAD", "DELETE"):
            answer = response.json()[0] if isinstance(response.json(), list) else response.json()
            text = answer["text"] if route in (NOTES, NOTE) else answer["title"]
            assert (answer["user_id"], text) == ("alice", "Changed" if method in ("POST", "PUT") else "Buy milk")

    def test_everybody_else_is_refused_and_nothing_is_written(self, anonymous, of_alice, of_bob, route, method):
        before = rows()
        forged = bearer("alice", secret="an attacker's secret, of thirty-two bytes or more")
        for user_id, headers, (status, detail, challenge) in [
            ("alice", {}, MISSING),
            ("alice", bearer("alice", exp=int(time.time()) - 1), EXPIRED),
            ("alice", forged, INVALID),
            ("alice", bearer("bob"), MISMATCH),
            ("carol", bearer("bob"), MISMATCH),  # of whom there is nothing
        ]:
            for owned in (of_alice, of_bob):
                response = send(anonymous, method, route, user_id, owned, **headers)

                assert response.status_code == status, (user_id, headers)
                assert response.headers.get("WWW-Authenticate") == challenge
                assert method == "HEAD" or response.json() == {"detail": detail}
        assert rows() == before

    def test_another_users_id_under_ones_own_path_is_not_found(self, anonymous, of_alice, of_bob, route, method):
        if route not in (DETAIL, NOTE):
            send(anonymous, method, route, "alice", **bearer("alice"))
            assert [*Task.objects.filter(user_id="bob"), *Note.objects.filter(user_id="bob")] == list(of_bob.values())
            return
        before = rows()

        response = send(anonymous, method, route, "alice", of_bob, **bearer("alice"))

        assert response.status_code == (405 if METHODS[route][method] == 405 else 404)
        if response.status_code == 404 and method != "HEAD":
            assert response.json() == {"detail": "Task not found" if route == DETAIL else "Jotting not found"}
        assert rows() == before


@pytest.mark.parametrize(("route", "method"), [(route, method) for route in PUBLIC for method in PUBLIC[route]])
def test_public_pages_are_everybodys(anonymous, db, route, method):
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        response = send(anonymous, method, route, "", **headers)

        assert response.status_code == PUBLIC[route][method]
        assert response["Allow"] == ALLOW[route]
        if response.status_code == 405:
            assert response.json() == {"detail": "Method not allowed: use GET, HEAD"}


@pytest.mark.parametrize(
    "user_id", ["Alice", "alice%20", "%20alice", "alice%00", "alic%C3%A9", "alice%2F", "%61lice%61", "*", "%25", "me"]
)
def test_the_path_names_the_user_exactly(alice, db, user_id):
    response = alice.get(f"/api/{user_id}/tasks")

    assert response.status_code == 403
    assert response.json() == {"detail": "User ID mismatch"}


def test_the_path_is_decoded_once(anonymous, db):
    assert anonymous.get("/api/%61lice/tasks", headers=bearer("alice")).status_code == 200
    assert anonymous.get("/api/%2561lice/tasks", headers=bearer("alice")).status_code == 403
    assert anonymous.get("/api/%2561lice/tasks", headers=bearer("%61lice")).status_code == 200


def test_composed_and_decomposed_are_two_users(anonymous, make_task):
    make_task("caf\u00e9")

    assert len(anonymous.get("/api/caf%C3%A9/tasks", headers=bearer("caf\u00e9")).json()) == 1
    assert anonymous.get("/api/caf%C3%A9/tasks", headers=bearer("cafe\u0301")).status_code == 403
    assert anonymous.get("/api/cafe%CC%81/tasks", headers=bearer("cafe\u0301")).json() == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/",
        "/api/alice/",
        "/api/alice/tasks/",
        "/api/alice/tasks/1/",
        "/api/alice/tasks/1/2",
        "/api//tasks",
        "/api/alice/task",
        "/API/alice/tasks",
        "/health/",
        "/healthy",
        "/static/x.css",
        "/favicon.ico",
        "/%00",
        "/%FF",
    ],
)
def test_an_unknown_route_is_a_404_never_a_redirect(alice, db, path):
    for method in ("GET", "POST", "DELETE"):
        response = alice.generic(method, path)

        assert response.status_code == 404, method
        assert response["Content-Type"] == "application/json"
        assert response.json() == {"detail": "Not found"}


class SilentView(APIView):
    """It says nothing about who may see it."""

    def get(self, request, **kwargs):
        return Response()


@pytest.mark.parametrize(("caller", "status"), [(None, 401), ("bob", 403), ("alice", 200)])
def test_a_view_that_says_nothing_is_closed(rf, caller, status):
    request = rf.get("/api/alice/anything", headers=bearer(caller) if caller else {})

    assert SilentView.as_view()(request, user_id="alice").status_code == status
