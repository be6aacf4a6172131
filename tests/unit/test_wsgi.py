"""The WSGI entry, called as a server calls it: whatever is raised has an answer, and that the one shape."""

import io
import json
import logging
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.servers.basehttp import get_internal_wsgi_application
from django.core.signals import request_finished, request_started
from django.utils.datastructures import CaseInsensitiveMapping

from config.logs import request_id
from tests.tokens import bearer

ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def application():
    from config.wsgi import application  # importing it is part of what is tested

    return application


@pytest.fixture
def send(application, db):
    """Status, headers and body of the answer to such an environ."""

    def send(**environ):
        environ = {
            "PATH_INFO": "/api/alice/tasks",
            "HTTP_HOST": "testserver",
            "HTTP_AUTHORIZATION": bearer("alice")["Authorization"],
            "HTTP_ORIGIN": ORIGIN,
            "HTTP_X_REQUEST_ID": "abc",
            "REMOTE_ADDR": "203.0.113.7",
        } | environ
        setup_testing_defaults(environ)
        request_id.set(None)  # as each server does after a request, and Django's test client does not
        started = []

        def start_response(status, headers, exc_info=None):
            started.append((status, headers))
            return lambda data: None

        response = application(environ, start_response)
        body = b"".join(response)
        response.close()
        [(status, headers)] = started
        assert len(headers) == len(dict(headers))
        return int(status.split()[0]), CaseInsensitiveMapping(headers), body

    return send


def post(send, content_type="application/json", body=b'{"title": "x"}', **environ):
    length = {} if "HTTP_TRANSFER_ENCODING" in environ else {"CONTENT_LENGTH": str(len(body))}
    sent = {"CONTENT_TYPE": content_type, "wsgi.input": io.BytesIO(body)} | length | environ
    return send(REQUEST_METHOD="POST", **sent)


def assert_error(answer, status, detail, request_id="abc"):
    """With all that any other answer of the API has."""
    got, headers, body = answer
    assert (got, json.loads(body)) == (status, {"detail": detail})
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(body))
    assert headers["X-Request-ID"] == request_id
    assert headers["Cache-Control"] == "private, no-cache"
    assert "origin" in headers["Vary"].lower()
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_runserver_has_it_too(application):
    assert get_internal_wsgi_application() is application


@pytest.mark.parametrize(("method", "expected"), [("GET", b'{"status":"alive"}'), ("HEAD", b"")])
def test_a_head_has_no_body_before_any_server_drops_it(send, method, expected):
    status, _, body = send(PATH_INFO="/health/live", REQUEST_METHOD=method)

    assert (status, body) == (200, expected)


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json; charset=" + name for name in ("hex", "undefined", "punycode", "utf-16", "utf-7", "rot13")),
        "application/json; a*=BOGUS''x",
        "application/json; charset*=hex''x",
        "application/json;" * 15,
        "application/json; \xe9=\xff",
        "multipart/form-data; boundary=x; charset=utf-16",
        'multipart/form-data; charset=hex; boundary="',
        "x; charset=hex",
        "",
        ";" * 8000,
    ],
)
def test_no_content_type_changes_how_a_url_or_a_body_is_read(send, content_type):
    for title in ("x", "y"):
        assert post(send, body=f'{{"title": "{title}"}}'.encode())[0] == 201

    status, _, body = send(QUERY_STRING="limit=1", CONTENT_TYPE=content_type)
    written, _, task = post(send, content_type, '{"title": "é"}'.encode())

    assert (status, len(json.loads(body))) == (200, 1)
    if content_type.startswith("application/json"):
        assert (written, json.loads(task)["title"]) == (201, "é")
    else:
        assert written == 415


@pytest.mark.parametrize(
    "environ",
    [
        {"PATH_INFO": "/api/\u20ac"},
        {"SCRIPT_NAME": "/\xff"},
        {"QUERY_STRING": "limit=\u20ac"},
        {"HTTP_COOKIE": "a=\u20ac"},
        {"CONTENT_LENGTH": "x"},
        {"CONTENT_LENGTH": "-1"},
        {"CONTENT_LENGTH": "\u0663"},
        {"CONTENT_LENGTH": "1" * 5000},
    ],
)
def test_bytes_that_no_request_can_be_made_of_are_a_400(send, caplog, environ):
    assert_error(send(**environ), 400, "Bad request: check the Host header and the URL")
    [record] = [record for record in caplog.records if record.name == "config.errors"]
    assert (record.getMessage(), record.client) == ("Bad request", "203.0.113.7")


def test_the_answer_to_unreadable_bytes_needs_no_https(send, settings):
    settings.SECURE_SSL_REDIRECT = True

    assert send(PATH_INFO="/\u20ac")[0] == 400


@pytest.mark.parametrize(
    ("environ", "status"), [({"PATH_INFO": "/api/a%20\xff\x00/tasks"}, 403), ({"HTTP_COOKIE": "\xff=\xfe;=;"}, 200)]
)
def test_odd_bytes_in_a_path_or_a_cookie_are_no_fault(send, environ, status):
    assert send(**environ)[0] == status


def raising(*args, **kwargs):
    raise RuntimeError("a secret of the inside")


@pytest.mark.parametrize("request_id", ["abc", ""])
def test_a_bug_before_the_views_is_a_500(send, caplog, request_id):
    request_started.connect(raising)
    try:
        answer = send(QUERY_STRING="token=eyJhbGciOiJIUzI1NiJ9.x", HTTP_X_REQUEST_ID=request_id)
    finally:
        request_started.disconnect(raising)

    sent_id = answer[1]["X-Request-ID"]
    assert_error(answer, 500, "Internal server error", request_id or sent_id)
    assert len(sent_id) in (3, 32)
    [record] = caplog.records
    assert (record.levelname, record.client, record.path) == ("ERROR", "203.0.113.7", "/api/alice/tasks")
    assert record.exc_info
    assert "token=" not in caplog.text


def test_a_bug_after_them_is_a_line_in_the_log(send, caplog):
    request_finished.connect(raising)
    try:
        status, _, body = send()
    finally:
        request_finished.disconnect(raising)

    assert (status, body) == (200, b"[]")
    assert caplog.messages == ["Response not closed"]


@pytest.mark.parametrize("error", ["handler500", "middleware"])
def test_a_bug_in_what_answers_bugs_is_a_500_too(send, caplog, monkeypatch, error):
    monkeypatch.setattr("config.middleware.resolve_client", raising)
    if error == "handler500":
        monkeypatch.setattr("django.urls.resolvers.URLResolver.resolve_error_handler", raising)

    status, headers, body = send()

    assert (status, json.loads(body)) == (500, {"detail": "Internal server error"})
    assert headers["X-Request-ID"] == "abc"
    assert len(caplog.records) == {"handler500": 2, "middleware": 1}[error]


def test_an_error_outside_the_views_is_counted(send, settings):
    from config.metrics import requests

    settings.MIDDLEWARE = ["config.metrics.MetricsMiddleware", *settings.MIDDLEWARE]
    counted = requests.labels("unmatched", "GET", 400)
    before = counted._value.get()

    send(PATH_INFO="/\u20ac")

    assert counted._value.get() == before + 1


class Closing(io.BytesIO):
    """The body that gunicorn.conf.py hands on."""

    closed_by_us = False

    def force_close(self):
        self.closed_by_us = True


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}


@pytest.mark.parametrize(
    ("body", "environ", "status", "closes"),
    [
        (b'{"title": "x"}', {}, 201, False),
        (b'{"title": "x"}', CHUNKED, 201, False),
        (b'{"title": "x", "y": "' + b"x" * (65_536 - 23) + b'"}', CHUNKED, 201, False),
        (b'{"title": "x", "y": "' + b"x" * (65_537 - 23) + b'"}', CHUNKED, 413, True),
        (b"", CHUNKED, 400, False),
        (b'{"title": "x"}', {"HTTP_AUTHORIZATION": ""}, 401, True),
        (b'{"title": "x"}', CHUNKED | {"HTTP_AUTHORIZATION": ""}, 401, True),
        (b"x" * 70_000, {}, 413, True),
        (b'{"title": "x"}', CHUNKED | {"CONTENT_TYPE": "text/plain"}, 415, True),
    ],
)
def test_a_body_that_was_not_read_ends_the_connection(send, body, environ, status, closes):
    stream = Closing(body)

    got, headers, _ = post(send, body=body, **environ | {"wsgi.input": stream})

    assert got == status
    assert (headers.get("Connection") == "close") is closes
    assert stream.closed_by_us is closes


def test_a_chunk_that_makes_no_sense_is_a_400(send, caplog):
    class Broken(Closing):
        def read(self, size=-1):
            raise ValueError("InvalidChunkSize('zz')")

    status, headers, body = post(send, **CHUNKED, **{"wsgi.input": Broken()})

    detail = "The body ended before it was complete, or its chunks can't be read"
    assert (status, json.loads(body)) == (400, {"detail": detail})
    assert headers["Connection"] == "close"
    assert caplog.messages == []


def test_a_form_of_the_admin_is_read_to_its_end(send, caplog):
    """Line by line, and by its boundary."""
    caplog.set_level(logging.CRITICAL)
    form = b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\nx\r\n--b--\r\n'

    status, headers, _ = post(send, "multipart/form-data; charset=hex; boundary=b", form, PATH_INFO="/admin/login/")

    assert status == 403
    assert "Connection" not in headers


def test_a_body_read_line_by_line_is_read_to_its_end():
    from config.wsgi import Request

    environ: dict[str, Any] = {"CONTENT_LENGTH": "3", "wsgi.input": io.BytesIO(b"a\nbGET /next")}
    setup_testing_defaults(environ)
    request = Request(environ)

    assert list(request) == [b"a\n", b"b"]
    assert environ["wsgi.input"].left == 0
