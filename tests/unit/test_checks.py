from ipaddress import ip_network
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks

from api.health import READ_ONLY
from config.checks import check_deployment
from config.origins import pattern_of
from config.postgresql.checks import check_database


def ids(messages):
    return [message.id for message in messages]


def remote(host="db.example.com", **options):
    """A connection to a PostgreSQL elsewhere."""
    return SimpleNamespace(vendor="postgresql", settings_dict={"HOST": host, "OPTIONS": options})


@pytest.fixture
def deployed(settings, monkeypatch):
    """Settings that no check of ours has anything to say about."""
    monkeypatch.setattr("config.checks.connection", remote(sslmode="verify-full"))
    monkeypatch.delenv("PGSSLMODE", raising=False)
    settings.SECURE_SSL_REDIRECT = True
    settings.BETTER_AUTH_ISSUER = settings.BETTER_AUTH_AUDIENCE = "https://app.example.com"
    return settings


def test_a_good_deployment_passes_every_check(deployed):
    assert check_deployment() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", [".example.com", "localhost", ".example.co.uk"]),
        ("BETTER_AUTH_ORIGIN", "http://localhost:3000"),
        ("BETTER_AUTH_JWKS_URL", "http://[::1]:3000/jwks"),
        ("TRUSTED_PROXIES", [ip_network("10.0.0.0/8"), ip_network("fc00::/7"), ip_network("2a06:98c0::/29")]),
        ("CORS_ALLOWED_ORIGINS", ["capacitor://localhost"]),
    ],
)
def test_a_door_that_is_closed(deployed, name, value):
    setattr(deployed, name, value)

    assert check_deployment() == []


def test_where_no_secret_is_shared_the_key_server_names_issuer_and_audience(deployed):
    deployed.BETTER_AUTH_ISSUER, deployed.BETTER_AUTH_SECRETS = None, []

    assert check_deployment() == []


@pytest.mark.parametrize(
    ("connection", "variables", "expected"),
    [
        (remote("localhost"), {}, []),
        (remote("/run/postgresql,127.0.0.1,::1"), {}, []),
        (remote(""), {}, []),
        (remote(sslmode="verify-ca"), {}, []),
        (remote(sslrootcert="system"), {}, []),
        (remote(), {"PGSSLMODE": "verify-full"}, []),
        (remote(), {}, ["config.W010"]),
        (remote(sslmode="require"), {"PGSSLMODE": "verify-full"}, ["config.W010"]),
        (remote("/run/postgresql,db.example.com"), {}, ["config.W010"]),
        (remote("localhost", hostaddr="10.0.0.9"), {}, ["config.W010"]),
    ],
)
def test_a_database_elsewhere_is_verified(deployed, monkeypatch, connection, variables, expected):
    monkeypatch.setattr("config.checks.connection", connection)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert ids(check_deployment()) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ALLOWED_HOSTS", ["*"], "config.W001"),
        ("TRUSTED_PROXIES", [], "config.I003"),
        ("ALLOWED_HOSTS", ["api.example.com", ".com"], "config.W007"),
        ("ALLOWED_HOSTS", [".co.uk"], "config.W007"),
        ("BETTER_AUTH_ORIGIN", "http://app.example.com", "config.W008"),
        ("BETTER_AUTH_JWKS_URL", "http://10.0.0.7:3000/jwks", "config.W008"),
        ("TRUSTED_PROXIES", [ip_network("10.0.0.1/32"), ip_network("0.0.0.0/0")], "config.W009"),
        ("TRUSTED_PROXIES", [ip_network("128.0.0.0/1")], "config.W009"),
        ("TRUSTED_PROXIES", [ip_network("::/0")], "config.W009"),
        ("CORS_ALLOWED_ORIGINS", ["https://app.example.com", "http://app.example.com"], "config.W011"),
        ("CORS_ALLOWED_ORIGIN_REGEXES", [pattern_of("http://app-*.example.dev")], "config.W011"),
        ("BETTER_AUTH_ISSUER", None, "config.W012"),
        ("BETTER_AUTH_AUDIENCE", None, "config.W012"),
    ],
)
def test_each_mistake_of_a_deployment_has_a_check_with_a_hint(deployed, name, value, expected):
    setattr(deployed, name, value)

    [message] = check_deployment()

    assert message.id == expected
    assert message.hint


def test_the_checks_are_registered(db):
    assert "config.I003" not in ids(run_checks())
    assert run_checks(tags=["database"], databases=["default"]) == []


class Server:
    """A PostgreSQL as can't be had here in many variants, and whether a pooler is declared."""

    vendor = "postgresql"

    def __init__(self, answer, declared=False, told_pid=1):
        self.answer = answer
        self.connection = SimpleNamespace(info=SimpleNamespace(backend_pid=told_pid))
        self.settings_dict = {"DISABLE_SERVER_SIDE_CURSORS": declared}

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


WELL = (16, 1, None, "15s", "5s", "15s")


def but(**changes):
    names = ("version", "pid", "problem", "statement", "lock", "idle")
    return tuple(dict(zip(names, WELL, strict=True), **changes).values())


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Server(WELL), []),
        (Server(but(version=15)), ["config.W005"]),
        (Server(but(version=18, statement="0")), ["config.W006"]),
        (Server(but(lock="0", idle="0")), ["config.W006", "config.W006"]),
        (Server(but(problem=READ_ONLY)), ["config.E013"]),
        (Server(but(problem="DateStyle of the database is not ISO")), ["config.E014"]),
        (Server(but(pid=2)), ["config.W015"]),
        (Server(but(pid=2), declared=True), []),
        (Server(WELL, declared=True), []),
    ],
)
def test_what_a_server_a_role_or_a_pooler_must_not_be_like(monkeypatch, server, expected):
    monkeypatch.setattr("config.postgresql.checks.connections", {"default": server})

    messages = check_database(databases=["default"])

    assert ids(messages) == expected
    assert all(message.hint for message in messages)


def test_the_database_of_the_tests_passes_the_checks(db):
    assert check_database(databases=["default"]) == []
    assert check_database() == []


def test_the_deployment_check_is_one_of_deployment_only(settings):
    settings.ALLOWED_HOSTS = ["*"]

    assert "config.W001" in ids(run_checks(include_deployment_checks=True))
    assert "config.W001" not in ids(run_checks())


def test_without_the_redirect_no_proxy_is_asked_for(settings):
    settings.SECURE_SSL_REDIRECT = False
    settings.TRUSTED_PROXIES = []

    assert "config.I003" not in ids(check_deployment())


def test_the_check_of_the_database_is_registered(monkeypatch, db):
    monkeypatch.setattr("config.postgresql.checks.connections", {"default": Server(but(version=15, statement="0"))})

    assert ids(run_checks(tags=["database"], databases=["default"])) == ["config.W005", "config.W006"]
