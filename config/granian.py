"""The other server: `python -m config.granian`, as far as it can with the limits and log lines of gunicorn.conf.py."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings  # a wrong environment stops the server here, before it listens
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.common import AbstractServer

from config.logs import cut, request_id
from config.wsgi import application as django_application  # imported before the fork: workers share the code

logger = logging.getLogger("granian.access")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django's, with a line in the access log: granian's own lacks the client behind a proxy, and the size."""
    started = time.perf_counter()
    response: Any = django_application(environ, start_response)
    logger.info(
        "%s %s %s %s %s bytes %d ms",
        environ["REMOTE_ADDR"],
        cut(environ["REQUEST_METHOD"], 32),
        cut(environ["PATH_INFO"], 256),
        response.status_code,
        response.get("Content-Length", "-"),
        1000 * (time.perf_counter() - started),
    )
    request_id.set(None)
    if response.streaming:
        return response  # type: ignore[no-any-return] # an HttpResponse, which is what Django's stubs leave unsaid
    response.close()
    return [response.content]  # granian sends a list at once, and anything else through a queue


def server() -> AbstractServer[Any]:
    return Granian(
        "config.granian:application",
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        address=settings.ADDRESS,
        port=settings.PORT,
        workers=settings.WEB_CONCURRENCY,
        blocking_threads=settings.WEB_THREADS,
        blocking_threads_idle_timeout=600,  # seconds; a thread takes its database connection with it
        backlog=2048,
        http1_settings=HTTP1Settings(
            header_read_timeout=60_000,  # milliseconds, the most it takes; also how long a connection may be idle
            max_buffer_size=16 * 1024,  # bytes of the request line and all headers together
        ),
        respawn_failed_workers=True,
        workers_kill_timeout=30 if settings.PRODUCTION else 1,  # seconds that running requests get at the end
        log_level=LogLevels[settings.LOG_LEVEL.lower()],
        log_dictconfig=settings.LOGGING,
    )


def serve() -> None:
    # A worker that gets both a terminal's SIGINT and the main process's SIGTERM does not end until it is killed.
    os.register_at_fork(after_in_child=partial(signal.pthread_sigmask, signal.SIG_BLOCK, {signal.SIGINT}))
    with ExitStack() as stack:
        if settings.METRICS_PORT:
            from config.metrics import MetricsServer  # imported only if it is on

            os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(TemporaryDirectory(prefix="metrics-"))
            metrics = stack.enter_context(MetricsServer.started((settings.ADDRESS, settings.METRICS_PORT)))
            os.register_at_fork(after_in_child=lambda: metrics.serve_in(os.getpid()))
        server().serve()


if __name__ == "__main__":
    serve()
