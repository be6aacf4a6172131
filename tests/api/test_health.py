import pytest
from django.db import OperationalError, connection


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
def test_head(anonymous, db, path):
    response = anonymous.head(path)

    assert (response.status_code, response.content) == (200, b"")


def test_ready_asks_the_database(anonymous, db, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = anonymous.get("/health")

    assert "Cache-Control" not in response
