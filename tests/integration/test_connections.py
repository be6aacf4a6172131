"""The PostgreSQL backend: what it leaves out of Django's, and that nothing is lost by it."""

from datetime import UTC

import psycopg
import pytest
from django.db import connection

from config.database import parse
from tasks.models import ROW_FIELDS, Task, own_tasks

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="it is PostgreSQL's"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def other():
    """A second connection to the same database."""
    connection.ensure_connection()
    with psycopg.connect(connection.connection.info.dsn, autocommit=True) as other:
        yield other


def test_one_that_the_server_has_ended_is_noticed(other):
    wait = 10_000  # milliseconds, until it is gone
    other.execute("SELECT pg_terminate_backend(%s, %s)", [connection.connection.info.backend_pid, wait])
    try:
        assert not connection.is_usable()
    finally:
        connection.close()


def test_one_on_which_the_server_has_said_something_is_not_used_again(other):
    """It would take a round trip to know what that means, and a frozen server does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("LISTEN news")
    assert connection.is_usable()
    other.execute("NOTIFY news")
    other.execute("SELECT 1")

    assert not connection.is_usable()
    connection.close()


def test_none_is_not_usable(other):
    lost = connection.connection
    lost.close()
    assert not connection.is_usable()
    connection.close()

    assert not connection.is_usable()


def test_times_are_utc_from_either_kind_of_cursor(make_task):
    task = make_task()

    for tasks in Task.objects.all(), Task.objects.iterator():
        [read] = tasks
        assert read.created_at == task.created_at
        assert read.created_at.utcoffset() == UTC.utcoffset(None)


def test_what_comes_again_is_prepared_by_the_server(make_task, other):
    task = make_task()

    for _ in range(7):
        own_tasks.of("alice").row(task.id)

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", ["%tasks_task%"])
        assert cursor.fetchone()[0] >= 1


def test_a_named_cursor_reads_what_there_is(make_task):
    ids = [make_task().id for _ in range(3)]

    assert [row["id"] for row in Task.objects.values(*ROW_FIELDS).order_by("id").iterator(chunk_size=2)] == ids


def test_of_several_hosts_the_one_that_answers_is_taken():
    params = connection.get_connection_params()
    url = f"postgresql://{params['user']}@/{params['dbname']}?host=127.0.0.1,{params['host']}&port=1,"
    several = connection.copy()
    several.settings_dict |= parse(f"{url}&target_session_attrs=read-write")
    try:
        with several.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        several.close()
