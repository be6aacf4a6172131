"""Whether this instance should get requests (/health), and whether its process lives (/health/live)."""

import logging
from typing import Any

from django.db import Error, connection
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from api.keys import key_problem
from api.signals import database_failed
from api.views import PublicView

PATIENCE = 3  # seconds
READ_ONLY = "The database takes no writes"
# One round trip. The driver needs this DateStyle and TimeZone; a pooler may have kept the backend from setting them.
POSTGRESQL_PROBLEM = f"""CASE
        WHEN pg_is_in_recovery() THEN '{READ_ONLY}: it is a standby'
        WHEN current_setting('transaction_read_only') = 'on' THEN '{READ_ONLY}'
        WHEN current_setting('DateStyle') NOT LIKE 'ISO%' THEN 'DateStyle of the database is not ISO'
        WHEN current_setting('TimeZone') NOT IN ('UTC', 'Etc/UTC') THEN 'TimeZone of the database is not UTC'
    END
"""

logger = logging.getLogger(__name__)


class LiveView(PublicView):
    def get(self, request: Request) -> Response:
        return Response({"status": "alive"})


class ReadyView(PublicView):
    def get(self, request: Request) -> Response:
        for check in (database_problem, key_problem):
            if problem := check():
                return Response(
                    {"status": "unhealthy", "detail": problem},
                    status.HTTP_503_SERVICE_UNAVAILABLE,
                    headers={"Retry-After": "5"},
                )
        return Response({"status": "healthy"})


def database_problem() -> str | None:
    """Why the database can't serve requests, or None; within seconds, even if it is frozen."""
    try:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM django_migrations WHERE 0")  # takes the lock for writing only
            return None
        backend: Any = connection
        with backend.impatient(PATIENCE), connection.cursor() as cursor:
            cursor.execute(f"SELECT {POSTGRESQL_PROBLEM}")
            [problem] = cursor.fetchone()
    except Error as error:
        logger.exception("Database error")
        database_failed.send(None, error=error)
        return READ_ONLY if "readonly database" in str(error) else "The database does not answer"
    if problem and problem.startswith(READ_ONLY) and connection.autocommit:
        connection.close()  # after a failover, the next one is to the host that takes writes
    return problem  # type: ignore[no-any-return] # a row has no types
