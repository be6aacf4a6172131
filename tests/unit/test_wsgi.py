from wsgiref.util import setup_testing_defaults

import pytest


@pytest.mark.parametrize(("method", "expected"), [("GET", b'{"status":"alive"}'), ("HEAD", b"")])
def test_the_wsgi_entry_answers_and_a_head_has_no_body_before_any_server_drops_it(db, method, expected):
    from config.wsgi import application  # importing it is part of what is tested

    environ = {"PATH_INFO": "/health/live", "REQUEST_METHOD": method}
    setup_testing_defaults(environ)
    statuses = []

    def start_response(status, headers, exc_info=None):
        statuses.append(status)
        return lambda data: None

    body = application(environ, start_response)

    assert statuses == ["200 OK"]
    assert b"".join(body) == expected
