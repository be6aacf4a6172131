from types import SimpleNamespace

import pytest
from django.core.checks import run_checks

from config.checks import check_database, check_deployment


def ids(messages):
    return [message.id for message in messages]


@pytest.fixture
def deployed(settings, monkeypatch):
    """Settings that no check of ours has anything to say about."""
    monkeypatch.setattr("config.checks.connection", SimpleNamespace(vendor="postgresql"))
    settings.SECURE_SSL_REDIRECT = True
    return settings


def test_nothing_to_say(deployed):
    assert check_deployment() == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ALLOWED_HOSTS", ["*"], "config.W001"),
        ("CORS_ALLOWED_ORIGINS", [], "config.I002"),
        ("TRUSTED_PROXIES", [], "config.I003"),
    ],
)
def test_each_check(deployed, name, value, expected):
    setattr(deployed, name, value)

    [message] = check_deployment()

    assert message.id == expected
    assert message.hint


def test_sqlite_is_mentioned(deployed, monkeypatch):
    monkeypatch.setattr("config.checks.connection", SimpleNamespace(vendor="sqlite"))

    assert ids(check_deployment()) == ["config.I004"]


def test_they_are_registered(db):
    assert "config.I003" not in ids(run_checks())
    assert run_checks(tags=["database"], databases=["default"]) == []


class Server:
    """A PostgreSQL of another version, with another setting: what can't be had here in many variants."""

    vendor = "postgresql"

    def __init__(self, *answer):
        self.answer = answer

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def execute(self, sql):
        pass

    def fetchone(self):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((16, "15s"), []),
        ((15, "15s"), ["config.W005"]),
        ((18, "0"), ["config.W006"]),
        ((14, "0"), ["config.W005", "config.W006"]),
    ],
)
def test_an_old_server_or_one_without_a_timeout(monkeypatch, answer, expected):
    monkeypatch.setattr("config.checks.connections", {"default": Server(*answer)})

    assert ids(check_database(databases=["default"])) == expected


def test_the_real_one(db):
    assert check_database(databases=["default"]) == []
    assert check_database() == []


def test_the_deployment_check_is_one_of_deployment_only(settings):
    settings.CORS_ALLOWED_ORIGINS = []

    assert "config.I002" in ids(run_checks(include_deployment_checks=True))
    assert "config.I002" not in ids(run_checks())


def test_without_the_redirect_no_proxy_is_asked_for(settings):
    settings.SECURE_SSL_REDIRECT = False
    settings.TRUSTED_PROXIES = []

    assert "config.I003" not in ids(check_deployment())


def test_the_check_of_the_database_is_registered(monkeypatch, db):
    monkeypatch.setattr("config.checks.connections", {"default": Server(15, "0")})

    assert ids(run_checks(tags=["database"], databases=["default"])) == ["config.W005", "config.W006"]
