"""{"detail": "…"}, whatever goes wrong, and nothing of what went wrong inside."""

import json
import random
import re

import pytest
from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError, connection
from django.http import UnreadablePostError
from django.urls import get_resolver

from api.rows import OwnedRows
from config import errors
from tasks.models import Task

JSON = "application/json"


def post(client, body, content_type=JSON, **extra):
    return client.generic("POST", "/api/alice/tasks", body, content_type, **extra)


@pytest.mark.once
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("{", "The body is not valid JSON: look at line 1, column 2"),
        ("nonsense", "The body is not valid JSON: look at line 1, column 1"),
        ('{"title": "x"} x', "The body is not valid JSON: look at line 1, column 16"),
        ('{"title": NaN}', "The body is not valid JSON: NaN is not a JSON value"),
        ('{"title": -Infinity}', "The body is not valid JSON: -Infinity is not a JSON value"),
        (b'{"title": "\xff"}', "The body is not UTF-8"),
        ('{"title": "x"}'.encode("utf-16"), "The body is not UTF-8"),
        ("[" * 20_000, "The body is nested too deep"),
        ('{"title":' + "[" * 20_000 + "]" * 20_000 + "}", "The body is nested too deep"),
        ("", "The body is empty: send a JSON object"),
    ],
)
@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=latin-1", "; charset=nonsense"])
def test_a_body_that_cannot_be_read_is_a_400(alice, db, body, detail, charset):
    response = post(alice, body, JSON + charset)

    assert response.status_code == 400
    assert response.json() == {"detail": detail}


@pytest.mark.once
@pytest.mark.parametrize(
    "number", ["9" * 10_000, "-" + "9" * 60_000, "1." + "3" * 60_000, "1e999999999", "1" + "0" * 4301]
)
def test_a_number_of_any_length_is_json(alice, db, number):
    ignored = post(alice, f'{{"title": "x", "ignored": [{number}]}}')
    wrong = post(alice, f'{{"title": {number}}}')

    assert ignored.status_code == 201
    assert wrong.status_code == 422
    assert wrong.json()["errors"] == [{"field": "title", "code": "invalid", "message": "Not a valid string."}]


@pytest.mark.once
@pytest.mark.parametrize("seed", range(4))
def test_no_sentence_of_pythons_reaches_a_caller(alice, db, seed):
    """Valid JSON, broken at random: the answer is a task, a 422, or one of the sentences of api/parsers.py."""
    pieces = random.Random(seed)  # noqa: S311 - the same ones each time
    for _ in range(50):
        text = list('{"title": "x", "a": [1, -2.5e3, true, null, {"b": "\\u00e9\\n"}]}')
        for _ in range(pieces.randint(1, 4)):
            text[pieces.randrange(len(text))] = pieces.choice(
                ["", "{", "]", '"', "\\", "\n", "\x00", "-", "0", "e", ",", "\ud800"]
            )
        response = post(alice, "".join(text).encode("utf-8", "surrogatepass"))
        if response.status_code == 400:
            assert re.fullmatch(
                r"The body is not (UTF-8|valid JSON: look at line \d+, column \d+)", response.json()["detail"]
            )
        else:
            assert response.status_code in (201, 422)


@pytest.mark.once
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/merge-patch+json",
        "application/*",
        "*/*",
        "application/jsonx",
        "json",
    ],
)
@pytest.mark.parametrize("body", ['{"title": "x"}', ""])
def test_any_other_type_is_a_415(alice, db, content_type, body):
    response = post(alice, body, content_type)

    assert response.status_code == 415
    assert response.json() == {"detail": "Send the body as Content-Type: application/json"}


@pytest.mark.once
@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON ; charset=UTF-8", "application/json;"])
def test_json_by_any_spelling(alice, db, content_type):
    assert post(alice, '{"title": "x"}', content_type).status_code == 201


def test_a_client_that_goes_away_is_no_bug(alice, db, monkeypatch, caplog):
    def go_away(*args):
        raise UnreadablePostError

    monkeypatch.setattr("django.http.request.HttpRequest.read", go_away)

    response = post(alice, '{"title": "x"}')

    assert response.status_code == 400
    assert caplog.records == []


def test_64_kib_are_enough(alice, db):
    body = '{"title": "x", "ignored": "%s"}'
    padding = 65_536 - len(body % "")

    assert post(alice, body % ("x" * padding)).status_code == 201
    response = post(alice, body % ("x" * (padding + 1)))
    assert response.status_code == 413
    assert response.json() == {"detail": "The body is too large: send at most 65536 bytes"}


def test_a_longest_task_fully_escaped_fits(alice, db):
    body = json.dumps({"title": "😀" * 200, "description": "😀" * 1000}, ensure_ascii=True)

    assert post(alice, body).status_code == 201


def test_type_comes_before_size_before_content(alice, db):
    assert post(alice, "{" * 70_000, "text/plain").status_code == 415
    assert post(alice, "{" * 70_000).status_code == 413
    assert post(alice, "{").status_code == 400


def test_a_bad_host_is_a_400(alice, db, caplog):
    response = alice.get("/api/alice/tasks", headers={"Host": "evil.example.com"})

    assert response.status_code == 400
    assert response.json() == {"detail": "Bad request: check the Host header and the URL"}
    assert response["X-Request-ID"]
    [record] = caplog.records
    assert (record.levelname, record.getMessage(), record.reason) == ("WARNING", "Bad request", "DisallowedHost")


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("error", [OperationalError, InterfaceError, InternalError])
def test_an_unreachable_database_is_a_503(alice, monkeypatch, caplog, method, error):
    def fail(*args, **kwargs):
        raise error("connection to server at 10.1.2.3 failed: password authentication failed")

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", fail)
    monkeypatch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.ensure_connection", fail)
    path = "/api/alice/tasks" if method == "post" else "/api/alice/tasks/1"

    response = alice.generic(method.upper(), path, '{"title": "x", "completed": true}', JSON)

    assert response.status_code == 503
    assert response.json() == {"detail": "The service is unavailable at the moment: try again in a few seconds"}
    assert response["Retry-After"] == "5"
    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "Database error")
    assert (record.user, record.method, record.path) == ("alice", method.upper(), path)


def test_a_bug_is_a_500_that_tells_nothing(alice, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise ProgrammingError('relation "secret" does not exist')

    monkeypatch.setattr(OwnedRows, "of", fail)

    response = alice.get("/api/alice/tasks", headers={"X-Request-ID": "abc", "Origin": "https://app.example.com"})

    assert response.status_code == 500
    assert response.json() == {"detail": "Internal server error"}
    assert response["X-Request-ID"] == "abc"
    assert response["Access-Control-Allow-Origin"] == "https://app.example.com"
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.exc_info


def test_an_answer_that_cannot_be_made_after_a_write_does_not_say_that_nothing_was_written(alice, db, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("api.views.escape_uri_path", fail)

    response = alice.post("/api/alice/tasks", {"title": "x"})

    assert (response.status_code, list(response.json())) == (504, ["detail"])
    assert Task.objects.count() == 1


def test_djangos_own_refusal_is_json_too(rf):
    response = errors.permission_denied(rf.get("/api/x"), Exception())

    assert (response.status_code, response.content) == (403, b'{"detail": "Forbidden"}')


@pytest.mark.parametrize(
    ("path", "status"),
    [("tasks/task/?nope=1", 400), ("tasks/task/add/", 403), ("nope/", 404), ("tasks/task", 404), ("tasks/task/", 500)],
)
def test_staff_get_pages(admin_client, monkeypatch, path, status):
    def fail(*args, **kwargs):
        raise RuntimeError

    admin_client.raise_request_exception = False
    if status == 500:
        monkeypatch.setattr("tasks.admin.TaskAdmin.get_changelist", fail)

    response = admin_client.get(f"/admin/{path}")

    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")
    assert (b"Task API" in response.content) is (status in {403, 404})  # these look like the rest of it


@pytest.mark.parametrize(
    ("status", "view"),
    [
        (400, errors.bad_request),
        (403, errors.permission_denied),
        (404, errors.page_not_found),
        (500, errors.server_error),
    ],
)
def test_django_answers_with_our_handlers(status, view):
    assert get_resolver().resolve_error_handler(status) is view


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no replica to be sent to")
def test_a_database_that_takes_no_writes_is_a_503(alice, transactional_db):
    """A replica, a failover, a provider that has stopped writes: it will pass, and the client tries again."""
    here = f'IN DATABASE "{connection.settings_dict["NAME"]}"'  # other tests run beside this one
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE CURRENT_USER {here} SET default_transaction_read_only = on")
        cursor.execute("SET default_transaction_read_only = on")
    try:
        read = alice.get("/api/alice/tasks")
        response = alice.post("/api/alice/tasks", {"title": "x"})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(f"ALTER ROLE CURRENT_USER {here} RESET default_transaction_read_only")

    assert read.status_code == 200
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert list(response.json()) == ["detail"]


def test_a_database_error_leaves_its_traceback_in_the_log(alice, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise OperationalError("x")

    monkeypatch.setattr(OwnedRows, "of", fail)

    assert alice.get("/api/alice/tasks").status_code == 503
    [record] = caplog.records
    assert record.exc_info


def test_a_byte_order_mark_is_a_400(alice, db):
    assert post(alice, b'\xef\xbb\xbf{"title": "x"}').status_code == 400
