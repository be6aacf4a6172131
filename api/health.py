"""Whether this instance should get requests (/health), and whether its process lives (/health/live)."""

import logging

from django.conf import settings
from django.db import Error, connection
from django.utils.module_loading import import_string
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from api.signals import database_failed
from api.views import PublicView

logger = logging.getLogger(__name__)


class LiveView(PublicView):
    def get(self, request: Request) -> Response:
        return Response({"status": "alive"})


class ReadyView(PublicView):
    def get(self, request: Request) -> Response:
        for check in settings.READINESS_CHECKS:
            if problem := import_string(check)():
                return Response(
                    {"status": "unhealthy", "detail": problem},
                    status.HTTP_503_SERVICE_UNAVAILABLE,
                    headers={"Retry-After": "5"},
                )
        return Response({"status": "healthy"})


def database_problem() -> str | None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        logger.exception("Database error")
        database_failed.send(None, error=error)
        return "The database does not answer"
    return None
