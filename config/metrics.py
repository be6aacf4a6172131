"""Metrics for Prometheus. Imported only if METRICS_PORT is set; gunicorn.conf.py and config/granian.py open it."""

import logging
import re
import sys
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from socketserver import ThreadingTCPServer
from threading import Thread
from time import perf_counter, sleep
from typing import Any

from django.core.signals import got_request_exception
from django.db import Error
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, MetricsHandler, values
from prometheus_client.multiprocess import MultiProcessCollector

from api.signals import authentication_failed, database_failed

logger = logging.getLogger(__name__)

# Clients must not be able to create series: every label has a value from a short list.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

requests = Counter(
    "taskapi_http_requests",
    "Requests answered, by route template, method and status.",
    ["route", "method", "status"],
)
duration = Histogram(
    "taskapi_http_request_duration_seconds",
    "Time from a request's headers to its answer, without the wait for a free thread.",
    ["route", "method"],
    buckets=[0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
)
authentication_failures = Counter(
    "taskapi_authentication_failures",
    "Requests whose token was missing, expired, invalid, or could not be checked, by reason.",
    ["reason"],
)
database_errors = Counter(
    "taskapi_database_errors",
    "Requests that a database error ended, by the error's class.",
    ["error"],
)


class MetricsMiddleware:
    """The outermost middleware: it counts every response, also 500s and those of other middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "OTHER"
        route = request.resolver_match.route if request.resolver_match else None
        histogram, counter = series(route, method, response.status_code)
        histogram.observe(perf_counter() - started)
        counter.inc()
        return response


@cache  # finding a series by its labels takes as long as counting
def series(route: str | None, method: str, status: int) -> tuple[Histogram, Counter]:
    template = "unmatched" if route is None else template_of(route)
    return duration.labels(template, method), requests.labels(template, method, status)


def template_of(route: str) -> str:
    """`/api/{user_id}/tasks` for Django's `api/<user_id:user_id>/tasks`; all pages of the admin are one."""
    return "/admin" if route.startswith("admin") else "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


@receiver(authentication_failed)
def count_authentication_failure(reason: str, **kwargs: Any) -> None:
    authentication_failures.labels(reason).inc()


@receiver(database_failed)
def count_database_error(error: Error, **kwargs: Any) -> None:
    database_errors.labels(type(error).__name__).inc()


@receiver(got_request_exception)
def count_unhandled_database_error(**kwargs: Any) -> None:
    error = sys.exc_info()[1]
    if isinstance(error, Error):
        count_database_error(error)


class AllWorkers(MetricsHandler):
    """GET /metrics: the sums over the files of all workers."""

    timeout = 10  # seconds that a caller has to send its request

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry)  # type: ignore[no-untyped-call] # its types are incomplete
        super().do_GET()


class MetricsServer(ThreadingTCPServer):
    """Listens in the process that starts the workers. Any worker that is free answers."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, AllWorkers)

    @classmethod
    def started(cls, address: tuple[str, int]) -> "MetricsServer":
        """Try as often as gunicorn does for its own port: an earlier server may be about to stop."""
        for _ in range(5):
            try:
                return cls(address)
            except OSError as error:
                problem = error
                sleep(1)
        raise RuntimeError(f"METRICS_PORT: can't listen at {address[0]}:{address[1]}: {problem}") from problem

    def serve_in(self, worker: int) -> None:
        """Count in a file of this process in PROMETHEUS_MULTIPROC_DIR from now on, and answer for all workers."""
        values.ValueClass = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call] # its types are incomplete
        Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log the error instead of printing it; a scraper that hangs up is none."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            logger.error("Metrics not sent", exc_info=error)
