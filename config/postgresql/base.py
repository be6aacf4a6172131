"""Django's PostgreSQL backend without two of its costs. settings.py sets it; the time zone is UTC throughout."""

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg import adapters
from psycopg.postgres import types
from psycopg.pq import Format

# psycopg's own, in C. Django's calls Python for each value, which took four fifths of the time to read a list of 100.
TimestamptzLoader = adapters.get_loader(types["timestamptz"].oid, Format.TEXT)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        params["context"].register_loader("timestamptz", TimestamptzLoader)
        return params

    def create_cursor(self, name: str | None = None) -> Any:
        """As Django's, without a look at the loader's time zone. Cursors have names only with server-side binding."""
        if name is None:
            return self.connection.cursor()
        return self.connection.cursor(name, scrollable=False, withhold=self.connection.autocommit)

    def is_usable(self) -> bool:
        """
        Asked before each request. A server that has ended the connection has said so on its socket, where otherwise
        nothing is to read: only where something is, it takes a round trip to know more.
        """
        poll = select.poll()
        poll.register(self.connection.pgconn.socket, select.POLLIN)
        return not poll.poll(0) or super().is_usable()
