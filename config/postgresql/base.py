"""Django's PostgreSQL backend, for a world where connections break. config/database.py sets it; all times are UTC."""

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

# psycopg's own, in C. Django's calls Python for each value, which was 80 % of the time to read a list of 100.
TimestamptzLoader = adapters.get_loader(types["timestamptz"].oid, Format.TEXT)

# What the driver relies on, whatever role and database are set to; and for how long the server works on a statement.
NEW_SESSION = """
    SELECT extract(epoch FROM current_setting('statement_timeout')::interval)::float,
        set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false),
        set_config('IntervalStyle', 'postgres', false)
"""
MARGIN = 5  # seconds that an answer may be on its way
RESPITE = 2  # seconds

hurry: ContextVar[int | None] = ContextVar("hurry", default=None)  # seconds, for a caller that can't wait as long


class NoAnswer(psycopg.OperationalError):
    pass


class Connection(psycopg.Connection[Any]):
    """A frozen server acknowledges every byte and never answers, so a statement that takes too long is given up."""

    patience: float | None = MARGIN  # seconds; None where the server has no statement_timeout either
    unreachable_until = 0.0  # for all threads

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> "Connection":
        """After one thread has waited in vain, others fail at once for a moment: they would wait one by one."""
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
        """To connect to a host and to be answered may each take so long in here, and no longer."""
        token = hurry.set(seconds)
        try:
            yield
        finally:
            hurry.reset(token)

    def _cursor(self, name: str | None = None) -> Any:
        """One that is known to be lost is replaced, not only at the next request: commands make none."""
        if self.connection is not None and self.connection.closed and self.autocommit:
            self.close()
        return super()._cursor(name)  # type: ignore[misc] # the stubs leave it out

    def create_cursor(self, name: str | None = None) -> Any:
        """As Django's, without a look at the loader's time zone. Cursors have names only with server-side binding."""
        if name is None:
            return self.connection.cursor()
        return self.connection.cursor(name, scrollable=False, withhold=self.connection.autocommit)

    def is_usable(self) -> bool:
        """
        Asked before each request, and never a round trip, which a frozen server would not answer. Where there is
        something to read between statements, the server has ended the connection, or is about to.
        """
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.pgconn.socket, select.POLLIN)
        return not poll.poll(0)

    def _set_autocommit(self, autocommit: bool) -> None:
        """In a transaction nothing is prepared: a plan that fails there would take all of it along."""
        super()._set_autocommit(autocommit)  # type: ignore[misc] # the stubs leave it out
        threshold = self.settings_dict["OPTIONS"].get("prepare_threshold")
        self.connection.prepare_threshold = threshold if autocommit else None

    def run(self, execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """
        Once more outside a transaction, where nothing can be carried out twice by that: a read whose connection was
        lost, and what the server refused before it began. OutcomeUnknownError if the answer to a write was lost.
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
                self.connection.execute("DEALLOCATE ALL")  # psycopg understands it, and forgets its own names as well

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
        Whether the server may have carried out what it gave no answer to. An error by PostgreSQL itself, which has the
        place in its source, says that it did not; one by a pooler in between only that the pooler lost its server.
        """
        diag = getattr(error.__cause__, "diag", None)
        return self.connection.closed and not (diag and diag.source_function)
