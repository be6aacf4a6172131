"""Django's PostgreSQL backend, made safe for connections that break. config/database.py sets it; all times are UTC."""

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
from django.db import Error
from django.db.backends.postgresql import base
from psycopg import adapters
from psycopg.errors import (
    ConnectionTimeout,
    DuplicatePreparedStatement,
    FeatureNotSupported,
    InvalidSqlStatementName,
    ReadOnlySqlTransaction,
)
from psycopg.postgres import types
from psycopg.pq import Format, TransactionStatus

from api.signals import OutcomeUnknownError

# psycopg's own loader, in C. Django's calls Python for each value: 80 % of the time to read a list of 100.
TimestamptzLoader = adapters.get_loader(types["timestamptz"].oid, Format.TEXT)

# Sets what the driver relies on, whatever the role's settings are, and asks how long a statement may take.
NEW_SESSION = """
    SELECT extract(epoch FROM current_setting('statement_timeout')::interval)::float,
        set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false),
        set_config('IntervalStyle', 'postgres', false)
"""
MARGIN = 5  # seconds for the way of an answer
RESPITE = 2  # seconds without a new attempt to connect

hurry: ContextVar[int | None] = ContextVar("hurry", default=None)  # seconds, for a caller that can't wait as long


class NoAnswer(psycopg.OperationalError):
    pass


class Connection(psycopg.Connection[Any]):
    """Gives up a statement that takes too long: a frozen server acknowledges every byte and never answers."""

    patience: float | None = MARGIN  # seconds; None if the server has no statement_timeout
    unreachable_until = 0.0  # for all threads

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> "Connection":
        """After one thread has waited in vain, all fail at once for a moment; otherwise they would wait one by one."""
        if time.monotonic() < Connection.unreachable_until:
            raise psycopg.OperationalError("the database did not answer a moment ago")
        try:
            return super().connect(*args, **kwargs)
        except ConnectionTimeout:
            if not hurry.get():
                Connection.unreachable_until = time.monotonic() + RESPITE
            raise

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        seconds = kwargs.setdefault("timeout", hurry.get() or self.patience)
        try:
            return super().wait(gen, *args, **kwargs)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.close()
            raise NoAnswer(f"no answer within {seconds:.0f} s") from error


def is_refused(error: BaseException | None) -> bool:
    """Whether nothing was executed: the plan is missing or older than its table, or the server is read-only."""
    if isinstance(error, FeatureNotSupported):
        return error.diag.source_function == "RevalidateCachedQuery"
    return isinstance(error, DuplicatePreparedStatement | InvalidSqlStatementName | ReadOnlySqlTransaction)


class DatabaseWrapper(base.DatabaseWrapper):
    connection: Any  # a Connection, or None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(self.run)

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        params["context"].register_loader("timestamptz", TimestamptzLoader)
        if hurry.get():
            params["connect_timeout"] = hurry.get()
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        return Connection.connect(**conn_params)

    def _configure_connection(self, connection: Connection) -> bool:
        with connection.cursor() as cursor:
            [[seconds, *_]] = cursor.execute(NEW_SESSION)
        connection.patience = seconds + MARGIN if seconds else None
        return True

    @contextmanager
    def impatient(self, seconds: int) -> Iterator[None]:
        """In this context, connecting to a host and waiting for an answer may each take so many seconds."""
        token = hurry.set(seconds)
        try:
            yield
        finally:
            hurry.reset(token)

    def _cursor(self, name: str | None = None) -> Any:
        """Replace a connection that is known to be lost: Django does so at the next request, but commands have none."""
        if self.connection is not None and self.connection.closed and self.autocommit:
            self.close()
        return super()._cursor(name)  # type: ignore[misc] # the stubs leave it out

    def create_cursor(self, name: str | None = None) -> Any:
        """As Django does it, but without setting the loader's time zone. Names come with server-side binding only."""
        if name is None:
            return self.connection.cursor()
        return self.connection.cursor(name, scrollable=False, withhold=self.connection.autocommit)

    def is_usable(self) -> bool:
        """
        Django asks before each request. This makes no round trip, which a frozen server would not answer: if there is
        something to read between statements, the server has ended the connection, or is about to.
        """
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.pgconn.socket, select.POLLIN)
        return not poll.poll(0)

    def _set_autocommit(self, autocommit: bool) -> None:
        """Prepare nothing in a transaction: a stale plan would end all of it."""
        super()._set_autocommit(autocommit)  # type: ignore[misc] # the stubs leave it out
        threshold = self.settings_dict["OPTIONS"].get("prepare_threshold")
        self.connection.prepare_threshold = threshold if autocommit else None

    def run(self, execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """
        Run a statement. Outside a transaction, run it once more if that can't carry it out twice: a read that lost its
        connection, or what the server refused before it began. OutcomeUnknownError if the answer to a write was lost.
        """
        read = isinstance(sql, str) and sql.startswith("SELECT")
        again = False
        while True:
            try:
                return execute(sql, params, many, context)
            except Error as error:
                cause, lost = error.__cause__, self.connection.closed
                if not self.autocommit:  # what is not committed is not written
                    raise
                if again or not (is_refused(cause) or (read and lost and not isinstance(cause, NoAnswer))):
                    if not read and self.is_unknown(error):
                        raise OutcomeUnknownError(*error.args) from error
                    raise
            again = True
            if lost or isinstance(cause, ReadOnlySqlTransaction):  # after a failover, another host takes the writes
                self.close()
                self.ensure_connection()
                context["cursor"].cursor = self.create_cursor(getattr(context["cursor"].cursor, "name", None))
            else:
                self.connection.execute("DEALLOCATE ALL")  # psycopg sees this, and forgets its names too

    def _commit(self) -> None:
        sent = self.connection is not None and not self.connection.closed
        try:
            super()._commit()  # type: ignore[misc] # the stubs leave it out
        except Error as error:
            if sent and self.is_unknown(error):
                raise OutcomeUnknownError(*error.args) from error
            raise

    def is_unknown(self, error: Error) -> bool:
        """
        Whether the server may have carried out a statement without an answer. An error of PostgreSQL itself, which
        names a place in its source, means that it did not. A pooler's error only means that the pooler lost its server.
        """
        diag = getattr(error.__cause__, "diag", None)
        return self.connection.closed and not (diag and diag.source_function)
