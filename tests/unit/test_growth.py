"""No text of a caller's takes time with the square of its length: whatever sees headers, paths, queries and bodies."""

import io
from time import thread_time
from wsgiref.util import setup_testing_defaults

import pytest

from config.wsgi import application
from tests.tokens import bearer

PATHS = {
    "tokens": lambda n: "/api/" + "eyJ" * (n // 3),
    "tokens with dots": lambda n: "/api/" + "eyJ." * (n // 4),
    "broken": lambda n: "/api/" + "\xff" * n,
    "slashes": lambda n: "/api/" + "/" * n,
    "of the admin": lambda n: "/admin/" + "a/" * (n // 2),
    "of its files": lambda n: "/admin/static/" + "../" * (n // 3),
    "an id": lambda n: "/api/alice/tasks/" + "0" * n + "1",
    "another user": lambda n: "/api/" + '"' * n + "/tasks",
}
QUERIES = {
    "ampersands": lambda n: "&" * n,
    "parameters": lambda n: "a=1&" * (n // 4),
    "percents": lambda n: "a=" + "%" * n,
    "plus": lambda n: "completed=" + "+" * n,
    "a limit": lambda n: "limit=" + "9" * n,
    "a cursor": lambda n: "limit=5&cursor=" + "A" * n,
    "a cursor of points": lambda n: "limit=5&cursor=" + ".~-_" * (n // 4),
    "an order": lambda n: "ordering=" + "-" * n,
}
HEADERS = {
    "CONTENT_TYPE semicolons": lambda n: ";" * n,
    "CONTENT_TYPE quotes": lambda n: 'a; b="' + '\\"' * (n // 2),
    "CONTENT_TYPE boundaries": lambda n: "multipart/form-data; " + "boundary=" * (n // 9),
    "AUTHORIZATION points": lambda n: "Bearer " + "." * n,
    "AUTHORIZATION a header": lambda n: "Bearer " + "eyJhbGciOiJIUzI1NiJ9" * (n // 20) + ".e30.x",
    "AUTHORIZATION claims": lambda n: "Bearer eyJhbGciOiJIUzI1NiJ9." + "e30" * (n // 3) + ".x",
    "AUTHORIZATION nested": lambda n: "Bearer " + "W1tb" * (n // 4) + ".e30.x",
    "AUTHORIZATION spaces": lambda n: "Bearer" + " " * n,
    "IF_NONE_MATCH commas": lambda n: "," * n,
    "IF_NONE_MATCH spaces": lambda n: " " * n + "x",
    "IF_NONE_MATCH tags": lambda n: '"a", ' * (n // 5),
    "IF_NONE_MATCH weak tags": lambda n: 'W/"",' * (n // 5) + "x",
    "IF_NONE_MATCH empty elements": lambda n: '"a"' + " , " * (n // 3) + "x",
    "IF_NONE_MATCH a quote": lambda n: '"' * n,
    "IF_MODIFIED_SINCE": lambda n: "Mon, " + "0" * n,
    "RANGE": lambda n: "bytes=" + "0-," * (n // 3),
    "ACCEPT": lambda n: "text/html;q=," * (n // 13),
    "ACCEPT_ENCODING": lambda n: "gzip," * (n // 5),
    "ACCEPT_LANGUAGE": lambda n: "en-" * (n // 3),
    "X_FORWARDED_FOR commas": lambda n: "," * n,
    "X_FORWARDED_FOR proxies": lambda n: "10.0.0.1," * (n // 9),
    "X_FORWARDED_FOR brackets": lambda n: "[" * n,
    "X_FORWARDED_PROTO": lambda n: "https," * (n // 6),
    "X_REQUEST_ID": lambda n: "a" * n,
    "HOST labels": lambda n: "a." * (n // 2),
    "HOST colons": lambda n: ":" * n,
    "HOST brackets": lambda n: "[" * n,
    "ORIGIN": lambda n: "https://" + "a.-" * (n // 3),
    "ORIGIN brackets": lambda n: "https://[" * (n // 9),
    "COOKIE": lambda n: "a=b;" * (n // 4),
    "COOKIE quotes": lambda n: 'sessionid="' + "\\1" * (n // 2),
    "COOKIE csrf": lambda n: "csrftoken=" + "a" * n,
    "IDEMPOTENCY_KEY": lambda n: "a" * n,
    "REFERER": lambda n: "https://[" + ":" * n,
    "USER_AGENT": lambda n: "(" * n,
}
BODIES = {
    "brackets": lambda n: "[" * n,
    "objects": lambda n: '{"a":' * (n // 5),
    "digits": lambda n: '{"title": ' + "9" * n + "}",
    "a fraction": lambda n: '{"title": 0.' + "3" * n + "}",
    "escapes": lambda n: '{"title": "' + "\\u00e9" * (n // 6) + '"}',
    "backslashes": lambda n: '{"title": "' + "\\" * n,
    "a title of spaces": lambda n: '{"title": "' + " " * n + 'x"}',
    "a title": lambda n: '{"title": "' + "é" * (n // 2) + '"}',
    "a description": lambda n: '{"title": "x", "description": "' + "\\n" * (n // 2) + '"}',
    "members": lambda n: '{"title": "x"' + ',"a":1' * (n // 6) + "}",
    "different members": lambda n: "{" + ",".join(f'"{number}":1' for number in range(n // 9)) + "}",
    "lines": lambda n: "{" + "\n" * n + "x",
}
FORMS = {
    "fields": lambda n: "a=1&" * (n // 4),
    "a name": lambda n: "username=" + "a" * n + "&password=x",
    "next": lambda n: "username=a&password=&next=" + "/\\" * (n // 2),
    "parts": lambda n: '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * (n // 60) + "--b--",
    "boundaries": lambda n: "--b\r\n" * (n // 5),
    "no boundary": lambda n: "-" * n,
    "a part's header": lambda n: "--b\r\nContent-Disposition: form-data" + ";" * n + "\r\n\r\nx\r\n--b--",
}


def answer(**environ):
    environ = {
        "PATH_INFO": "/api/alice/tasks",
        "HTTP_HOST": "testserver",
        "HTTP_AUTHORIZATION": bearer("alice")["Authorization"],
        "REMOTE_ADDR": "10.0.0.1",
    } | environ
    body = environ.pop("body", "").encode()
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    setup_testing_defaults(environ)
    started = thread_time()
    response = application(environ, lambda *args: None)
    b"".join(response)
    took = thread_time() - started
    response.close()
    assert response.status_code < 500, response.content
    return took


def best_of(*makers):
    """The shortest time of the processor for each of these requests, of a few runs."""
    return [min(times) for times in zip(*([answer(**make()) for make in makers] for _ in range(3)), strict=True)]


def assert_linear(length, **made):
    """Four times the text in eight times the time at most; a square of it takes sixteen."""
    short, long = best_of(*(lambda n=n: {name: make(n) for name, make in made.items()} for n in (length, 4 * length)))
    assert long <= 8 * short, f"{short * 1000:.2f} ms for {length} characters, {long * 1000:.2f} ms for {4 * length}"


def always(value):
    return lambda n: value


@pytest.mark.parametrize("name", PATHS)
def test_no_path_takes_time_with_the_square_of_its_length(db, name):
    assert_linear(4000, PATH_INFO=PATHS[name])


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_takes_time_with_the_square_of_its_length(db, name):
    assert_linear(4000, QUERY_STRING=QUERIES[name])


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_takes_time_with_the_square_of_its_length(db, name):
    header = name.split()[0]
    header = header if header == "CONTENT_TYPE" else f"HTTP_{header}"
    for path in ("/api/alice/tasks", "/admin/login/", "/admin/static/admin/css/base.css"):
        assert_linear(4000, **{header: HEADERS[name]}, PATH_INFO=always(path))


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_takes_longer_than_all_the_rest(db, name):
    """Linear is not enough: Django's reading of 8 KB of Content-Type took as long as a hundred requests."""
    header = name.split()[0]
    sent = {header if header == "CONTENT_TYPE" else f"HTTP_{header}": HEADERS[name](8000)}
    without, with_it = best_of(dict, lambda: sent)
    assert with_it <= 8 * without, f"{with_it * 1000:.2f} ms, and {without * 1000:.2f} ms without it"


@pytest.mark.parametrize("name", BODIES)
def test_no_body_takes_time_with_the_square_of_its_length(db, name):
    method, content_type = always("POST"), always("application/json")
    assert_linear(16_000, REQUEST_METHOD=method, CONTENT_TYPE=content_type, body=BODIES[name])


@pytest.mark.parametrize("name", FORMS)
def test_no_form_takes_time_with_the_square_of_its_length(db, name):
    kind = "application/x-www-form-urlencoded" if "=" in FORMS[name](100)[:10] else "multipart/form-data; boundary=b"
    sent = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": kind,
        "PATH_INFO": "/admin/login/",
        "HTTP_COOKIE": "csrftoken=" + "a" * 32,
    }
    assert_linear(16_000, **{key: always(value) for key, value in sent.items()}, body=FORMS[name])
