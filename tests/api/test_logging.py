"""What a refusal leaves in the log: enough to find out why, nothing to break in with."""

import json
import logging
import time
from urllib.parse import quote

import pytest

from config.logs import JSONFormatter
from tests.tokens import bearer, token

pytestmark = pytest.mark.once
NOW = int(time.time())


@pytest.fixture
def lines(caplog):
    """The JSON lines as production writes them, made within the request."""
    caplog.handler.setFormatter(JSONFormatter())
    caplog.set_level(logging.DEBUG, "config")
    return lambda: [json.loads(line) for line in caplog.text.splitlines()]


@pytest.mark.parametrize(
    ("headers", "reason", "user"),
    [
        ({}, "missing", None),
        (bearer(exp=NOW - 1), "expired", "alice"),
        (bearer(secret="x" * 32), "signature", None),
        (bearer(headers={"typ": "x"}), "header", None),
        (bearer(""), "claims", None),
        (bearer(5), "claims", None),
        ({"Authorization": "Bearer x"}, "malformed", None),
        ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, "algorithm", None),
    ],
)
def test_a_401_tells_why_who_and_where(anonymous, lines, headers, reason, user):
    anonymous.patch("/api/alice/tasks/5", headers=headers | {"X-Request-ID": "abc"}, REMOTE_ADDR="203.0.113.7")

    [line] = lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "api.errors",
        "message": "Authentication failed",
        "request_id": "abc",
        "reason": reason,
        "client": "203.0.113.7",
        "method": "PATCH",
        "path": "/api/alice/tasks/5",
    } | ({"user": user} if user else {})


@pytest.mark.parametrize(("name", "claim"), [("ISSUER", "iss"), ("AUDIENCE", "aud")])
def test_a_wrong_issuer_or_audience_has_a_reason_of_its_own(anonymous, lines, settings, name, claim):
    setattr(settings, f"BETTER_AUTH_{name}", "https://app.example.com")

    anonymous.get("/api/alice/tasks", headers=bearer(**{claim: "x"}))
    anonymous.get("/api/alice/tasks", headers=bearer())

    assert [line["reason"] for line in lines()] == ["audience", "audience"]


def test_a_403_names_the_tokens_user_and_the_path(alice, lines):
    alice.get("/api/bob/tasks")

    [line] = lines()
    assert (line["message"], line["reason"]) == ("Permission denied", "user_mismatch")
    assert (line["user"], line["path"]) == ("alice", "/api/bob/tasks")


def test_no_token_no_claims_no_body(anonymous, lines, db):
    secret_token = token("alice", exp=NOW - 1, email="alice@example.com")

    anonymous.post("/api/alice/tasks", {"title": "my diary"}, headers={"Authorization": f"Bearer {secret_token}"})
    anonymous.post("/api/bob/tasks", {"title": "my diary"}, headers=bearer(email="alice@example.com"))

    logged = json.dumps(lines())
    assert len(lines()) == 2
    for secret in (*secret_token.split("."), "alice@example.com", "my diary"):
        assert secret not in logged


def test_what_succeeds_or_is_merely_wrong_is_not_logged(alice, lines, db):
    alice.get("/api/alice/tasks")
    alice.get("/api/alice/tasks/5")
    alice.post("/api/alice/tasks", {"title": ""})
    alice.put("/api/alice/tasks")

    assert lines() == []


@pytest.mark.parametrize("nasty", ["\n", "\r", "\x1b[31m", "\x85", "\u2028", "\u202e"])
def test_a_path_cannot_forge_a_line(anonymous, caplog, nasty):
    caplog.handler.setFormatter(JSONFormatter())
    anonymous.get(f"/api/x{quote(nasty)}WARNING forged/tasks/1")

    assert len(caplog.text.splitlines()) == 1
    assert caplog.text.rstrip("\n").isprintable()
    assert json.loads(caplog.text)["path"] == f"/api/x{nasty}WARNING forged/tasks/1"
