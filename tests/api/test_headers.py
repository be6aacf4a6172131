"""What every response carries; CORS; what a proxy may say about a request."""

from unittest.mock import patch

import pytest
from rest_framework.test import APIClient

from config.origins import pattern_of
from tests.tokens import bearer

pytestmark = pytest.mark.once
ORIGIN = "https://app.example.com"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PATHS = ["/api/alice/tasks", "/api/bob/tasks", "/api/alice/tasks/5", "/api/nope", "/nope", "/health", "/admin/login/"]


@pytest.mark.parametrize("path", PATHS)
def test_security_headers_are_everywhere(alice, db, path):
    response = alice.get(path)

    assert {name: response[name] for name in SECURITY} == SECURITY


@pytest.mark.parametrize("path", PATHS)
def test_the_api_is_private_to_its_user_and_asked_again(alice, db, path):
    response = alice.get(path)

    if path.startswith("/api/"):
        assert response["Cache-Control"] == "private, no-cache"
        assert response["Vary"] == "Authorization, Origin"
    assert not response.cookies or path.startswith("/admin/")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sent", ["a", "5c0a4f9e-3f1e-4a63-9f6c-0d3a2d3b6c11", "trace_1.2", "x" * 128])
def test_a_sane_request_id_is_kept(alice, db, path, sent):
    assert alice.get(path, headers={"X-Request-ID": sent})["X-Request-ID"] == sent


@pytest.mark.parametrize(
    "sent", ["", " ", "x" * 129, "a b", "a\nb", "a\r\nSet-Cookie: x=1", "é", '"', "{}", "\x00", "a/b"]
)
def test_any_other_is_replaced(alice, db, sent):
    made = alice.get("/api/alice/tasks", headers={"X-Request-ID": sent})["X-Request-ID"]

    assert made != sent
    assert len(made) == 32
    assert made != alice.get("/api/alice/tasks")["X-Request-ID"]


@pytest.mark.parametrize("path", PATHS)
def test_an_exact_origin_is_allowed_on_every_answer(alice, db, path):
    response = alice.get(path, headers={"Origin": ORIGIN})

    if path.startswith("/admin/"):
        assert "Access-Control-Allow-Origin" not in response
        return
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert response["Access-Control-Allow-Credentials"] == "true"
    assert set(response["Access-Control-Expose-Headers"].split(", ")) == {
        "Allow",
        "ETag",
        "Idempotency-Replayed",
        "Link",
        "Location",
        "Retry-After",
        "WWW-Authenticate",
        "X-Request-ID",
    }
    assert response["Vary"] == ("Authorization, Origin" if path.startswith("/api/") else "Origin")


@pytest.mark.parametrize("origin", [None, ORIGIN, "https://evil.example.com"])
def test_no_cache_shows_one_users_answer_to_another(alice, make_task, redirecting, monkeypatch, origin):
    """Whatever the status is, and whoever makes the answer."""
    path = f"/api/alice/tasks/{make_task().pk}"
    headers = {"X-Forwarded-Proto": "https", **({"Origin": origin} if origin else {})}
    alice.defaults["REMOTE_ADDR"] = "10.0.0.1"  # a trusted proxy
    tag = alice.get(path, headers=headers)["ETag"]
    broken = patch("tasks.views.TaskViewSet.get_queryset", side_effect=ValueError)

    answers = [
        alice.get(path, headers=headers | {"If-None-Match": tag}),
        alice.get(path, headers={}),
        alice.options(path, headers=headers | {"Access-Control-Request-Method": "GET"}),
        alice.get("/api/alice/nope", headers=headers),
        alice.get(path, headers=headers | {"Authorization": ""}),
        alice.get(path, headers=headers | {"Host": "["}),
        alice.delete(path, headers=headers),
    ]
    with broken:
        answers.append(alice.get(path, headers=headers))

    statuses = [answer.status_code for answer in answers]
    assert statuses == [304, 301, 200, 404, 401, 400, 204, 500]
    assert {answer["Vary"] for answer in answers} == {"Authorization, Origin"}


@pytest.fixture
def previews(settings):
    settings.CORS_ALLOWED_ORIGIN_REGEXES = [pattern_of("https://app-*.example.dev"), pattern_of("http://*x.a.b:3000")]


@pytest.mark.parametrize(
    "origin", ["https://app-pr-7.example.dev", "https://app-1.example.dev", "http://preview-x.a.b:3000"]
)
def test_a_pattern_allows_previews(anonymous, previews, origin):
    response = anonymous.get("/health/live", headers={"Origin": origin})

    assert response["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize(
    "origin",
    [
        "https://app-.example.dev",
        "https://app.example.dev",
        "https://app-1.evil.example.dev",
        "https://app-1.evil.com/.example.dev",
        "https://app-1xexample.dev",
        "https://app-1.example.dev.evil.com",
        "https://app-1.example.dev:8443",
        "http://app-1.example.dev",
        "https://app-1.example.dev\n",
        "https://app-A.example.dev",
        "https://evil.com#app-1.example.dev",
    ],
)
def test_a_pattern_is_part_of_one_label(anonymous, previews, origin):
    assert "Access-Control-Allow-Origin" not in anonymous.get("/health/live", headers={"Origin": origin})


@pytest.mark.parametrize("method", ["get", "options"])
@pytest.mark.parametrize(
    ("origin", "production", "warned"),
    [
        ("http://localhost:5173", False, True),
        ("http://localhost:5173", True, False),
        (ORIGIN, False, False),
        ("http://testserver", False, False),  # its own pages, such as /api/docs
        (None, False, False),
    ],
)
def test_in_development_an_origin_that_is_not_allowed_is_named(
    anonymous, settings, caplog, method, origin, production, warned
):
    settings.PRODUCTION = production
    headers = {"Host": "testserver", "Access-Control-Request-Method": "GET", **({"Origin": origin} if origin else {})}

    getattr(anonymous, method)("/health/live", headers=headers)

    said = [record.getMessage() for record in caplog.records if record.name == "config.middleware"]
    assert said == (["Not in CORS_ORIGINS, whose pages may call this API: http://localhost:5173"] * warned)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.com",
        "https://xapp.example.com",
        "null",
        "*",
        "https://[",
        "https://app.example.com/",
        "https://app.example.com/evil",
        "https://app.example.com?x",
        "HTTPS://app.example.com",
    ],
)
def test_an_origin_that_is_not_listed_gets_no_cors_headers(anonymous, origin):
    assert "Access-Control-Allow-Origin" not in anonymous.get("/api/alice/tasks", headers={"Origin": origin})
    preflight = anonymous.options(
        "/api/alice/tasks", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
    )
    assert "Access-Control-Allow-Origin" not in preflight


def test_a_preflight_needs_no_token(anonymous):
    response = anonymous.options(
        "/api/alice/tasks/1", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}
    )

    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert response["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert set(response["Access-Control-Allow-Headers"].split(", ")) == {
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "x-request-id",
        "baggage",
        "sentry-trace",
        "traceparent",
        "tracestate",
    }
    assert {name: response[name] for name in SECURITY} == SECURITY


PROXY, CLIENT = "10.0.0.1", "203.0.113.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (CLIENT, None, CLIENT),
        (CLIENT, "198.51.100.1", CLIENT),  # nobody's proxy: its word is nothing
        (PROXY, None, PROXY),
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"198.51.100.1, {CLIENT}", CLIENT),  # the left one is the client's own invention
        (PROXY, f"198.51.100.1,{CLIENT},10.9.9.9", CLIENT),
        (PROXY, "10.2.2.2, 10.3.3.3", "10.2.2.2"),
        (PROXY, "198.51.100.1, nonsense", PROXY),
        (PROXY, "198.51.100.1, nonsense, 10.3.3.3", "10.3.3.3"),
        (PROXY, "", PROXY),
        ("2001:db8::1", "2001:db9::5", "2001:db9::5"),
        ("::ffff:10.0.0.1", CLIENT, CLIENT),
        ("", CLIENT, ""),
        ("unix:", CLIENT, "unix:"),
        *((PROXY, f"198.51.100.1, {form}", CLIENT) for form in (f"{CLIENT}:4711", f'"{CLIENT}:4711"', f" {CLIENT}:1 ")),
        *(
            (PROXY, f"198.51.100.1,{form}", "2001:db9::7")
            for form in ("[2001:db9::7]:4711", "[2001:db9::7]", "2001:DB9:0::7")
        ),
        (PROXY, f"{CLIENT}:4711, [2001:db8::7]:4711, 10.3.3.3:80", CLIENT),
        (PROXY, f"::ffff:{CLIENT}", CLIENT),
        (PROXY, f"[::ffff:{CLIENT}]:4711", CLIENT),
        *(
            (PROXY, form, PROXY)
            for form in (f"{CLIENT}:", f"{CLIENT}:x", f"{CLIENT}:123456", f"[{CLIENT}", "[2001:db9::7", ":80")
        ),
        (PROXY, CLIENT + " " * 100 + "x", PROXY),
    ],
)
def test_the_client_is_the_first_untrusted_address_from_the_right(anonymous, caplog, peer, forwarded, client):
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}

    anonymous.get("/api/alice/tasks", headers=headers, REMOTE_ADDR=peer)

    assert [record.client for record in caplog.records if record.name == "api.errors"] == [client]


@pytest.mark.parametrize(
    ("peer", "forwarded", "said"), [(CLIENT, PROXY, True), (PROXY, CLIENT, False), (CLIENT, None, False)]
)
def test_a_proxy_that_is_not_trusted_is_named_once(anonymous, caplog, monkeypatch, peer, forwarded, said):
    monkeypatch.setattr("config.middleware.strangers", [])
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}

    for _ in range(3):
        anonymous.get("/health/live", headers=headers, REMOTE_ADDR=peer)

    records = [(record.getMessage(), record.client) for record in caplog.records]
    assert records == ([("X-Forwarded-For from outside TRUSTED_PROXIES", peer)] if said else [])


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [(True, f"198.51.100.1, {CLIENT}:80", CLIENT), (True, "", ""), (False, CLIENT, "")],
)
def test_the_peer_on_a_unix_socket_has_no_address_and_is_trusted_by_word(
    anonymous, caplog, settings, trusted, forwarded, client
):
    settings.TRUST_UNIX_SOCKET, settings.TRUSTED_PROXIES = trusted, []

    anonymous.get("/api/alice/tasks", headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR="")

    assert {record.client for record in caplog.records if record.name == "api.errors"} == {client}


@pytest.fixture
def redirecting(settings):
    """Middleware reads these settings when it is made, and a test client makes its own."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    return APIClient(raise_request_exception=False, headers=bearer("alice"))


def test_http_is_redirected_to_https(redirecting, db):
    response = redirecting.get("/api/alice/tasks?x=1")

    assert response.status_code == 301
    assert response["Location"] == "https://testserver/api/alice/tasks?x=1"


@pytest.mark.parametrize("path", ["/health", "/health/live"])
def test_health_pages_are_not(redirecting, db, path):
    assert redirecting.get(path).status_code == 200


@pytest.mark.parametrize(("peer", "status"), [(PROXY, 200), (CLIENT, 301)])
def test_the_scheme_is_a_trusted_proxys_to_tell(redirecting, db, peer, status):
    response = redirecting.get("/api/alice/tasks", headers={"X-Forwarded-Proto": "https"}, REMOTE_ADDR=peer)

    assert response.status_code == status
    assert ("Strict-Transport-Security" in response) == (status == 200)


@pytest.mark.parametrize(("scheme", "status"), [("http, https", 200), ("https, http", 301), ("HTTPS", 200), ("", 301)])
def test_the_last_scheme_is_the_proxys(redirecting, db, scheme, status):
    response = redirecting.get("/api/alice/tasks", headers={"X-Forwarded-Proto": scheme}, REMOTE_ADDR=PROXY)

    assert response.status_code == status


def test_https_is_to_stay(redirecting, db):
    response = redirecting.get("/api/alice/tasks", secure=True)

    assert response["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_nothing_but_the_health_pages_is_exempt_from_the_redirect(redirecting):
    assert redirecting.get("/healthy").status_code == 301


def test_the_door_of_the_admin_has_no_cors_and_its_neighbours_are_json(anonymous):
    assert "Access-Control-Allow-Origin" not in anonymous.get("/admin", headers={"Origin": ORIGIN})
    assert anonymous.get("/adminx").json() == {"detail": "Not found"}


def test_a_bad_host_is_readable_to_the_frontend_too(anonymous):
    response = anonymous.get("/api/alice/tasks", headers={"Host": "evil.example.com", "Origin": ORIGIN})

    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (400, ORIGIN)


def test_the_admins_files_are_for_this_host_and_origin_only(anonymous, db):
    path = "/admin/static/admin/css/base.css"

    response = anonymous.get(path, headers={"Origin": ORIGIN})
    response.close()

    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response
    assert anonymous.get(path, headers={"Host": "evil.example.com"}).status_code == 400
