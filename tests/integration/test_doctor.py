import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from api.management.commands.doctor import postgresql
from api.models import IdempotencyKey
from tests.key_server import KeyPair, answer
from tests.key_server import running as running_key_server
from tests.server import manage, new_database, production
from tests.unit.test_checks import Server


@pytest.fixture
def doctor(db, capsys):
    """What it says, and whether there are problems."""

    def doctor():
        try:
            call_command("doctor", no_color=True)
        except CommandError as error:
            return capsys.readouterr().out, str(error)
        return capsys.readouterr().out, None

    return doctor


def test_doctor_of_a_good_deployment_finds_no_problem(tmp_path):
    with new_database(tmp_path, migrated=True) as url:
        better_auth = {f"BETTER_AUTH_{name}": "https://app.example.com" for name in ("ISSUER", "AUDIENCE")}
        environment = production(url, SECURE_SSL_REDIRECT="true", TRUSTED_PROXIES="10.0.0.0/8", **better_auth)

        ran = manage(environment, "doctor")

    assert (ran.returncode, ran.stderr) == (0, "")
    levels = {line.split()[0] for line in ran.stdout.splitlines() if not line.startswith(" ")}
    assert levels <= {"ok", "note"}
    assert "All migrations are applied" in ran.stdout
    if connection.vendor == "postgresql":
        assert "PostgreSQL 16" in ran.stdout
        assert "The database's clock and this one agree" in ran.stdout
    for secret in (environment["SECRET_KEY"], environment["BETTER_AUTH_SECRET"]):
        assert secret not in ran.stdout


@pytest.mark.once
def test_an_empty_environment_is_explained_without_a_traceback():
    ran = manage({"ENVIRONMENT": "production"}, "doctor")

    assert (ran.returncode, ran.stdout) == (1, "")
    lines = ran.stderr.splitlines()
    assert lines[0] == "Invalid configuration:"
    assert [line.split()[0] for line in lines[1:]] == [
        "SECRET_KEY",
        "BETTER_AUTH_SECRET",
        "ALLOWED_HOSTS",
        "DATABASE_URL",
    ]
    assert "Traceback" in manage({"ENVIRONMENT": "production"}, "doctor", "--traceback").stderr


@pytest.mark.once
def test_a_database_that_is_down(unused_tcp_port_url):
    ran = manage(production(unused_tcp_port_url), "doctor")

    assert ran.returncode == 1
    assert "problem  The database does not answer: connection" in ran.stdout
    assert "Look at DATABASE_URL" in ran.stdout
    assert "CommandError: 1 problem found." in ran.stderr
    assert "hunter2" not in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr

    other = manage(production(unused_tcp_port_url), "export_user", "alice")
    assert (other.returncode, other.stdout) == (1, "")
    assert "Traceback" not in other.stderr
    assert "connection" in other.stderr


@pytest.fixture
def unused_tcp_port_url():
    return "postgresql://tasks:hunter2@127.0.0.1:1/tasks"


def test_a_database_without_tables(tmp_path):
    with new_database(tmp_path) as url:
        ran = manage(production(url), "doctor")

    assert ran.returncode == 1
    assert "problem  Not migrated: " in ran.stdout
    assert "tasks.0001_initial" in ran.stdout
    assert "Run `manage.py migrate`." in ran.stdout


def test_a_migration_that_is_missing_is_named(doctor):
    [(_, last)] = MigrationLoader(connection).graph.leaf_nodes("tasks")
    MigrationRecorder(connection).record_unapplied("tasks", last)

    out, problems = doctor()

    assert f"problem  Not migrated: tasks.{last}\n         Run `manage.py migrate`." in out
    assert problems == "1 problem found."


def test_tables_that_can_not_be_read_are_a_problem_and_the_rest_is_looked_at(doctor, monkeypatch):
    def denied(*args):
        raise ProgrammingError("permission denied for table django_migrations")

    monkeypatch.setattr("api.management.commands.doctor.MigrationExecutor", denied)

    out, problems = doctor()

    assert "problem  The tables can't be read: permission denied for table django_migrations" in out
    assert "shared secret" in out
    assert problems == "1 problem found."


def test_what_check_says_is_in_it(doctor, settings):
    settings.ALLOWED_HOSTS = ["*"]
    settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, "security.W008"]
    settings.SECURE_REFERRER_POLICY = "nonsense"

    out, problems = doctor()

    assert "warning  ALLOWED_HOSTS accepts every host name. (config.W001)\n         List this API's own names." in out
    assert "security.W008" not in out
    assert "problem  You have set the SECURE_REFERRER_POLICY setting to an invalid value. (security.E023)" in out
    assert problems == "1 problem found."


def test_a_development_database_needs_no_deployment_checks(doctor, settings):
    settings.PRODUCTION = False
    settings.ALLOWED_HOSTS = ["*"]

    out, _ = doctor()

    assert "config.W001" not in out
    assert "ok       The settings, by `manage.py check`" in out


@pytest.mark.parametrize(
    ("off", "said"),
    [
        ({"hours": 1}, "problem  The database's clock is 3600 s ahead\n         Synchronise both by NTP"),
        ({"seconds": -90}, "problem  The database's clock is 90 s behind"),
        ({}, "ok       The database's clock and this one agree"),
    ],
)
@pytest.mark.parametrize(("pooled", "way"), [(True, "by a transaction pooler"), (False, "directly")])
def test_a_server_as_can_not_be_had_here(monkeypatch, off, said, pooled, way):
    server = Server((datetime.now(UTC) + timedelta(**off), "16.4"), declared=pooled)
    monkeypatch.setattr("api.management.commands.doctor.connection", server)

    found = "\n".join(f"{level:8} {text}\n         {fix}" for level, text, fix in postgresql())

    assert said in found
    assert f"PostgreSQL 16.4, {way}" in found


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("connection refused\nIs the server running?", "Look at DATABASE_URL"),
        ("unsupported startup parameter in options: statement_timeout", "Set DATABASE_POOLED=true."),
    ],
)
def test_what_to_do_about_a_database_that_can_not_be_reached(doctor, monkeypatch, words, fix):
    def refuse():
        raise OperationalError(words)

    with monkeypatch.context() as patch:
        patch.setattr(connection, "ensure_connection", refuse)
        out, problems = doctor()

    assert f"problem  The database does not answer: {words.splitlines()[0]}\n         {fix}" in out
    assert "shared secret" in out
    assert problems == "1 problem found."


@pytest.mark.parametrize(("hours", "told"), [(47, False), (49, True)])
def test_keys_that_nobody_purges(doctor, hours, told):
    created_at = timezone.now() - timedelta(hours=hours)
    IdempotencyKey.objects.create(
        user_id="alice", key="1", resource="tasks.task", fingerprint="", row_id=1, created_at=created_at
    )

    out, _ = doctor()

    assert ("warning  Idempotency keys are not purged" in out) is told


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no roles")
def test_a_role_that_takes_no_writes_and_sets_no_limits(doctor):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL transaction_read_only = on")

    out, problems = doctor()

    assert "warning  The database sets no statement_timeout: " in out
    assert "ALTER ROLE … SET statement_timeout = '15s'" in out
    assert "problem  The database takes no writes. (config.E013)\n         Name the primary in DATABASE_URL" in out
    assert problems == "1 problem found."


@pytest.mark.once
class TestKeys:
    @pytest.fixture
    def key_server(self, settings):
        with running_key_server() as server:
            server.publish(KeyPair("1"), KeyPair("2"))
            settings.BETTER_AUTH_JWKS_URL = f"{server.origin}/jwks"
            yield server

    def test_secrets_are_counted_and_not_shown(self, doctor, settings):
        settings.BETTER_AUTH_SECRETS = ["never shown, one", "never shown, two"]

        out, problems = doctor()

        assert "shared secret (HS256) are accepted; secrets: 2" in out
        assert "never shown" not in out
        assert problems is None

    def test_a_random_secret_is_good_for_nothing(self, doctor, monkeypatch):
        monkeypatch.delenv("BETTER_AUTH_SECRET")
        monkeypatch.delenv("BETTER_AUTH_SECRETS", raising=False)

        out, _ = doctor()

        assert "note     Each process has a random secret" in out

    def test_the_key_servers_keys_and_clock(self, doctor, settings, key_server):
        settings.BETTER_AUTH_SECRETS = []

        out, problems = doctor()

        assert f"Tokens by the keys at {key_server.origin}/jwks are accepted; keys: 2" in out
        assert (key_server.requests, key_server.agents) == (1, {settings.USER_AGENT})
        assert "ok       The key server's clock and this one agree" in out
        assert "shared secret" not in out
        assert problems is None

    @pytest.mark.parametrize("body", ["<html>", "{}", "[]", json.dumps({"keys": []}), None])
    def test_a_key_server_without_keys(self, doctor, key_server, body):
        """None: what it sends is no HTTP at all."""

        def misbehave(handler):
            if body is None:
                handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")
            else:
                answer(handler, body)

        key_server.misbehave = misbehave

        out, problems = doctor()

        assert f"problem  No keys at {key_server.origin}/jwks: " in out
        assert problems == "1 problem found."

    def test_a_key_server_that_is_down(self, doctor, settings):
        settings.BETTER_AUTH_JWKS_URL = "http://127.0.0.1:1/jwks"

        out, problems = doctor()

        assert "problem  No keys at http://127.0.0.1:1/jwks: <urlopen error" in out
        assert problems == "1 problem found."

    def test_a_key_server_that_tells_no_time(self, doctor, key_server):
        def dateless(handler):
            handler.send_response_only(200)
            handler.end_headers()
            handler.wfile.write(json.dumps({"keys": key_server.published}).encode())

        key_server.misbehave = dateless

        out, problems = doctor()

        assert "The key server's clock" not in out
        assert problems is None
