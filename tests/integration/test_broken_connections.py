"""A connection that breaks: what is read again, what is a 503 because nothing was written, and what a 504."""

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.signals import request_finished, request_started
from django.db import IntegrityError, connection, transaction

from api.signals import OutcomeUnknownError
from config.postgresql.base import Connection
from tasks.models import Task
from tests import proxy

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="it is PostgreSQL's"),
    pytest.mark.django_db(transaction=True),
]
TASKS = "/api/alice/tasks"
UNKNOWN = "It is unknown whether this was carried out: read, or send the same Idempotency-Key again"
UNAVAILABLE = "The service is unavailable at the moment: try again in a few seconds"


@pytest.fixture
def network():
    """Between the tests' connection and the server, from here on."""
    connection.ensure_connection()
    params = connection.get_connection_params()
    before = {name: connection.settings_dict[name] for name in ("HOST", "PORT")}
    connection.close()
    with proxy.running(f"{params['host']}/.s.PGSQL.{params.get('port') or 5432}") as running:
        connection.settings_dict.update(HOST="127.0.0.1", PORT=running.port)
        yield running
        connection.close()
        connection.settings_dict.update(before)


@pytest.fixture
def other():
    """A second connection to the same database, not by the proxy."""
    connection.ensure_connection()
    with psycopg.connect(connection.connection.info.dsn, autocommit=True) as other:
        yield other


def answer(client, method, path, **more):
    return client.generic(method, path, '{"title": "Buy milk", "completed": true}', "application/json", **more)


@pytest.mark.parametrize("fate", ["cut", "swallow"])
@pytest.mark.parametrize("path", [TASKS, f"{TASKS}?limit=5", TASKS + "/{id}", "/health"])
def test_a_read_is_done_again_on_a_new_connection(alice, network, make_task, fate, path):
    task = make_task()
    network.break_at = b"SELECT", fate

    response = alice.get(path.format(id=task.id))

    assert response.status_code == 200
    assert network.break_at is None


@pytest.mark.parametrize(
    ("method", "sql", "path"),
    [
        ("POST", b"INSERT", TASKS),
        ("PUT", b"UPDATE", TASKS + "/{id}"),
        ("PATCH", b"UPDATE", TASKS + "/{id}"),
        ("DELETE", b"DELETE", TASKS + "/{id}"),
    ],
)
def test_a_write_whose_answer_is_lost_is_a_504(alice, network, make_task, caplog, method, sql, path):
    path = path.format(id=make_task(title="Buy bread").id)
    network.break_at = sql, "swallow"

    response = answer(alice, method, path)

    assert response.status_code == 504
    assert response.json() == {"detail": UNKNOWN}
    assert "Retry-After" not in response
    [record] = caplog.records
    assert (record.levelname, record.getMessage(), record.path) == ("ERROR", "Outcome unknown", path)
    expected = {"POST": ["Buy bread", "Buy milk"], "PUT": ["Buy milk"], "PATCH": ["Buy bread"], "DELETE": []}[method]
    assert list(Task.objects.order_by("id").values_list("title", flat=True)) == expected
    assert answer(alice, "GET", TASKS).status_code == 200


def test_a_commit_whose_answer_is_lost_is_a_504_and_the_key_finds_the_task(alice, network):
    network.break_at = b"COMMIT", "swallow"

    first = answer(alice, "POST", TASKS, headers={"Idempotency-Key": "1"})
    second = answer(alice, "POST", TASKS, headers={"Idempotency-Key": "1"})

    assert (first.status_code, second.status_code) == (504, 201)
    assert second["Idempotency-Replayed"] == "true"
    assert Task.objects.count() == 1


def test_a_commit_whose_answer_is_lost_is_a_504_even_if_no_new_connection_can_be_made(alice, network, monkeypatch):
    """Django connects again to leave the transaction: the failure of that hides the lost answer."""

    def refuse(*args):
        raise psycopg.OperationalError("connection refused")

    alice.get(TASKS)
    network.break_at = b"COMMIT", "swallow"
    monkeypatch.setattr(connection, "get_new_connection", refuse)

    response = answer(alice, "POST", TASKS, headers={"Idempotency-Key": "1"})

    monkeypatch.undo()
    assert (response.status_code, Task.objects.count()) == (504, 1)


@pytest.mark.parametrize("sql", [b"BEGIN", b"INSERT"])
@pytest.mark.parametrize("fate", ["cut", "swallow"])
def test_a_transaction_that_breaks_before_its_commit_is_a_503(alice, network, sql, fate):
    network.break_at = sql, fate

    response = answer(alice, "POST", TASKS, headers={"Idempotency-Key": "1"})

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json() == {"detail": UNAVAILABLE}
    assert not Task.objects.exists()
    assert answer(alice, "POST", TASKS, headers={"Idempotency-Key": "1"}).status_code == 201


@contextmanager
def waiting_for_a_lock(other, then):
    """`then`, with the process id of the tests' connection, as soon as it waits for the table."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid

    def wait() -> None:
        with psycopg.connect(other.info.dsn, autocommit=True) as third:
            waits = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
            while not third.execute(waits, [pid]).rowcount:
                time.sleep(0.01)
        then(pid)

    with other.transaction():
        other.execute("LOCK TABLE tasks_task")
        thread = threading.Thread(target=wait)
        thread.start()
        yield
        thread.join()


def test_a_commit_that_the_server_refuses_is_as_django_has_it():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO once VALUES (1), (1)")


def test_what_the_server_itself_ends_is_a_503(alice, other, make_task):
    task = make_task()

    with waiting_for_a_lock(other, lambda pid: other.execute("SELECT pg_terminate_backend(%s)", [pid])):
        response = answer(alice, "PATCH", f"{TASKS}/{task.id}")

    assert response.status_code == 503
    assert not Task.objects.get().completed


def test_a_killed_backend_makes_no_thread_useless(alice, network, make_task):
    """The order of a request: its start, in which nothing may raise, then its statement."""
    task = make_task()
    alice.get(TASKS)
    network.cut()

    for _ in range(2):
        request_started.send(None, environ={})
        assert answer(alice, "PATCH", f"{TASKS}/{task.id}").status_code == 200
        request_finished.send(None)


@pytest.fixture
def frozen(network, make_task, monkeypatch):
    """The server, as if by SIGSTOP: it takes what is sent, and says nothing. With a limit of a second."""
    make_task()
    monkeypatch.setattr(Connection, "unreachable_until", 0.0)
    monkeypatch.setattr("config.postgresql.base.MARGIN", 0.2)
    connection.close()
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", "-c statement_timeout=1s")
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "connect_timeout", 2)
    connection.ensure_connection()
    network.frozen.set()
    return network


def test_a_server_that_says_nothing_is_given_up(alice, frozen):
    path = f"{TASKS}/1"  # that there is none is told by an answer only
    took = []

    def timed(method, path):
        start = time.monotonic()
        status = answer(alice, method, path).status_code
        took.append(time.monotonic() - start)
        return status

    assert timed("PATCH", path) == 504
    assert timed("GET", TASKS) == 503  # in vain it tried to connect, and
    assert timed("GET", TASKS) == 503  # this did not try
    assert took[1] > 1.9
    assert took[2] < 1
    assert sum(took) < 10
    frozen.frozen.clear()
    back = time.monotonic()
    while timed("GET", TASKS) != 200:
        assert time.monotonic() - back < 10


def test_probes_are_answered_while_the_server_says_nothing(alice, frozen, monkeypatch):
    monkeypatch.setattr("api.health.PATIENCE", 2)
    connection.connection.patience = 60
    start = time.monotonic()

    assert alice.get("/health/live").status_code == 200
    assert time.monotonic() - start < 1
    for _ in range(2):  # on the connection that there is, then on a new one
        assert alice.get("/health").status_code == 503
    assert time.monotonic() - start < 15


@pytest.mark.parametrize(("name", "value"), [("DateStyle", "German"), ("DateStyle", "SQL"), ("TimeZone", "Asia/Tokyo")])
def test_a_role_may_have_any_style_of_dates(alice, make_task, name, value):
    task = make_task()
    here = f'IN DATABASE "{connection.settings_dict["NAME"]}"'  # other tests run beside this one
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE CURRENT_USER {here} SET {name} = '{value}'")
    connection.close()
    try:
        statuses = [answer(alice, method, f"{TASKS}/{task.id}").status_code for method in ("GET", "PUT")]
        created = answer(alice, "POST", TASKS).json()["created_at"]
        health = alice.get("/health").status_code
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER ROLE CURRENT_USER {here} RESET {name}")

    assert [*statuses, health] == [200, 200, 200]
    assert abs(datetime.fromisoformat(created) - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_command_goes_on_with_a_new_connection(network, make_task):
    """It has no requests, at whose start Django looks for lost connections."""
    make_task()
    network.break_at = b"UPDATE", "swallow"
    with pytest.raises(OutcomeUnknownError):
        Task.objects.update(completed=True)

    assert Task.objects.update(completed=True) == 1


@pytest.fixture
def wider(other):
    """A release that changes a column's type, on another connection."""

    def alter(length: int) -> None:
        other.execute(f"ALTER TABLE tasks_task ALTER title TYPE varchar({length})")

    yield lambda: alter(300)
    alter(200)


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("GET", 200, {}),
        ("PUT", 200, {}),
        ("PATCH", 200, {}),
        ("POST", 201, {}),
        ("POST", 201, {"Idempotency-Key": "{}"}),
    ],
)
def test_a_column_that_changes_its_type_is_noticed_by_no_client(alice, wider, make_task, method, status, headers):
    path = TASKS if method == "POST" else f"{TASKS}/{make_task().id}"

    def repeat():
        """Often enough to be prepared, with a key of its own each time."""
        for number in range(8):
            sent = {name: f"{time.monotonic()}-{number}" for name in headers}
            assert answer(alice, method, path, headers=sent).status_code == status

    repeat()
    wider()
    repeat()

    assert Task.objects.count() == (16 if method == "POST" else 1)


def test_plans_that_the_server_has_forgotten_are_made_again(alice, make_task):
    """As behind a pooler that nobody has declared."""
    make_task()
    for _ in range(7):
        assert alice.get(TASKS).status_code == 200
    connection.connection.pgconn.exec_(b"DEALLOCATE ALL")

    assert alice.get(TASKS).status_code == 200


def test_after_a_failover_writes_go_to_the_host_that_takes_them(alice):
    """A connection outlives the promotion of the standby by minutes, and its server is read-only then."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")

    assert answer(alice, "POST", TASKS).status_code == 201


@pytest.mark.parametrize(("fate", "status", "saved"), [("swallow", 504, True), ("cut", 503, False)])
def test_staff_get_a_page(network, admin_client, make_task, caplog, fate, status, saved):
    """Whether the connection broke before the commit was sent, or after."""
    admin_client.raise_request_exception = False
    task = make_task()
    page = f"/admin/tasks/task/{task.id}/change/"
    form = admin_client.get(page).context["adminform"].form
    fields = {name: form[name].value() or "" for name in form.fields} | {"title": "Buy bread"}
    network.break_at = (b"COMMIT", fate) if saved else (b"UPDATE", fate)

    response = admin_client.post(page, fields)

    assert response.status_code == status, response.content
    assert response["Content-Type"].startswith("text/html")
    assert "look whether your change is there" in response.content.decode()
    [record] = caplog.records
    assert record.getMessage() == ("Outcome unknown" if saved else "Database error")
    assert Task.objects.get().title == ("Buy bread" if saved else "Buy milk")


def test_staff_get_a_page_even_where_nobody_knows_who_is_signed_in(network, admin_client):
    admin_client.raise_request_exception = False
    network.close()

    response = admin_client.get("/admin/")

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert b"The database does not answer" in response.content
