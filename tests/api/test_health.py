import sqlite3
from contextlib import closing

import pytest
from django.db import OperationalError, connection
from django.db.backends.sqlite3.base import DatabaseWrapper

from config.database import parse


def test_ready_when_the_database_answers(anonymous, db):
    response = anonymous.get("/health")

    assert response.status_code == 200
    assert response.json() == {"status": "healthy"}


def test_not_ready_without_a_database(anonymous, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise OperationalError("password of 10.1.2.3 refused")

    monkeypatch.setattr(connection, "cursor", fail)

    response = anonymous.get("/health")

    assert response.status_code == 503
    assert response.json() == {"status": "unhealthy", "detail": "The database does not answer"}
    assert response["Retry-After"] == "5"
    assert [record.getMessage() for record in caplog.records] == ["Database error"]


def test_alive_whatever_the_database_does(anonymous, django_assert_num_queries):
    """Without the `db` fixture, touching the database is an error."""
    response = anonymous.get("/health/live")

    assert response.status_code == 200
    assert response.json() == {"status": "alive"}


@pytest.mark.parametrize("path", ["/health", "/health/live"])
def test_probes_know_no_host_name(anonymous, db, path):
    assert anonymous.get(path, headers={"Host": "10.0.3.7:8000"}).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/health/live"])
def test_a_head_of_a_health_page_has_no_body(anonymous, db, path):
    response = anonymous.head(path)

    assert (response.status_code, response.content) == (200, b"")


def test_ready_asks_the_database(anonymous, db, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = anonymous.get("/health")

    assert "Cache-Control" not in response


@pytest.fixture
def setting(transactional_db):
    """A setting of the tests' connection, as a role or a pooler may have it."""

    def setting(name, value):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, false)", [name, value])

    yield setting
    connection.close()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no such settings")
@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("default_transaction_read_only", "on", "The database takes no writes"),
        ("DateStyle", "German", "DateStyle of the database is not ISO"),
        ("DateStyle", "SQL, MDY", "DateStyle of the database is not ISO"),
        ("TimeZone", "Europe/Berlin", "TimeZone of the database is not UTC"),
    ],
)
def test_not_ready_for_what_no_request_can_be_served_with(anonymous, setting, name, value, detail):
    setting(name, value)

    response = anonymous.get("/health")

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json() == {"status": "unhealthy", "detail": detail}


@pytest.fixture
def as_on_a_standby(db):
    """A schema to search first, where PostgreSQL is in recovery."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA standby")
        cursor.execute("CREATE FUNCTION standby.pg_is_in_recovery() RETURNS boolean LANGUAGE sql RETURN true")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA standby CASCADE")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite does not fail over")
@pytest.mark.usefixtures("as_on_a_standby")
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("default_transaction_read_only", "on", ""), ("search_path", "standby, pg_catalog", ": it is a standby")],
)
def test_ready_again_as_soon_as_another_host_takes_writes(anonymous, setting, name, value, why):
    setting(name, value)

    first, second = (anonymous.get("/health") for _ in range(2))

    assert (first.status_code, first.json()["detail"]) == (503, f"The database takes no writes{why}")
    assert second.status_code == 200


def test_not_ready_with_a_sqlite_file_that_takes_no_writes(anonymous, tmp_path, monkeypatch, db):
    path = tmp_path / "read-only.sqlite3"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE django_migrations (id)")
    sqlite = DatabaseWrapper(parse(f"sqlite:///{path}") | {"AUTOCOMMIT": True, "TIME_ZONE": None})
    sqlite.settings_dict |= {"NAME": f"file:{path}?mode=ro", "OPTIONS": {}}
    monkeypatch.setattr("api.health.connection", sqlite)
    try:
        response = anonymous.get("/health")
    finally:
        sqlite.close()

    assert response.status_code == 503
    assert response.json() == {"status": "unhealthy", "detail": "The database takes no writes"}
