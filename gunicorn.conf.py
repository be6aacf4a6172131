"""The server. gunicorn finds this file in the working directory, so `gunicorn` is the whole command."""

import logging
import os
import shutil
import signal
import sys
import tempfile
from functools import partial
from threading import BoundedSemaphore, Thread
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import SystemCheckError
from gunicorn import util
from gunicorn.glogging import Logger

from config.logs import cut, request_id

try:
    from config.development import ENV_FILE, modified, read_settings_again, welcome
except ImproperlyConfigured as error:
    sys.exit(str(error))  # the message says what to fix; gunicorn would bury it in a traceback

wsgi_app = "config.wsgi:application"
bind = f"{settings.ADDRESS}:{settings.PORT}"
worker_class = "gthread"
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
preload_app = settings.PRODUCTION  # one copy of the code for all workers; reload does not work with it
reload = not settings.PRODUCTION
reload_extra_files = [str(ENV_FILE)] if ENV_FILE.is_file() else []  # gunicorn does not start if one is missing

backlog = 2048
keepalive = 75  # seconds, longer than the proxies in front keep an idle connection
timeout = 30  # seconds until a worker that does not answer its master is replaced
graceful_timeout = 30  # seconds that running requests get when the server stops
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - a heartbeat must not wait for a disk
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190  # bytes; a token may have its user's whole profile
control_socket_disable = True  # it would be a file in the home directory

# The middleware alone decides which forwarded headers to trust (TRUSTED_PROXIES).
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

logconfig_dict = settings.LOGGING
loglevel = settings.LOG_LEVEL.lower()
# The path has no query, because a client may have put a token there.
access_log_format = "%(h)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"


class AccessLogger(Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's own gathers all headers for each line, even for lines that LOG_LEVEL hides."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        if self.access_log.isEnabledFor(logging.INFO):
            super().access(resp, req, environ, request_time)

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: Any) -> dict[str, Any]:
        return {
            "h": environ.get("REMOTE_ADDR", "-"),
            "m": cut(environ["REQUEST_METHOD"], 32),
            "U": cut(environ.get("PATH_INFO", ""), 256),
            "s": str(resp.status).split()[0],
            "B": resp.sent,
            "M": int(request_time.total_seconds() * 1000),
        }


logger_class = AccessLogger


def pre_request(worker: Any, req: Any) -> None:
    """
    gunicorn reads what the application left of a body if it is less than 64 KiB, and otherwise closes a connection that
    it has promised to keep. So config/wsgi.py ends the connection if chunks, or that much, may be left.
    """
    if any(
        name == "TRANSFER-ENCODING" or (name == "CONTENT-LENGTH" and int(value) >= 64 * 1024)
        for name, value in req.headers
    ):
        req.body.force_close = req.force_close


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
    request_id.set(None)


under_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def when_ready(arbiter: Any) -> None:
    if settings.METRICS_PORT:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-", dir=worker_tmp_dir)
    arbiter.settings_of = modified()
    if reload and not under_nohup:
        arbiter.handle_hup = arbiter.handle_int  # the terminal has been closed; gunicorn would load its settings again


def child_exit(arbiter: Any, worker: Any) -> None:
    """In development a worker ends when a file changes. The next one is a copy of this process and its settings."""
    if reload and arbiter.settings_of != modified():
        arbiter.settings_of = modified()
        read_settings_again()


close_after_a_while = util.close_graceful  # half now, the rest when the client has closed, or two seconds have passed
closing = BoundedSemaphore(32)


def close_elsewhere(sock: Any) -> None:
    """Wait for the client in a new thread: gunicorn would wait in the thread that accepts connections."""

    def close() -> None:
        try:
            close_after_a_while(sock)
        finally:
            closing.release()

    if closing.acquire(blocking=False):
        Thread(target=close, daemon=True).start()
    else:
        util.close(sock)


util.close_graceful = close_elsewhere


# A worker that is just starting would lose the signal to stop, and the master would wait for graceful_timeout.
hold = partial(signal.pthread_sigmask, signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGQUIT})
let_go = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGQUIT})
os.register_at_fork(before=hold, after_in_parent=let_go)


def post_worker_init(worker: Any) -> None:
    let_go()


def quit_now(signum: int, frame: Any) -> None:
    """
    End a worker at once on SIGQUIT, and ignore SIGINT. A terminal sends SIGINT to the master too, which then sends
    SIGQUIT. gunicorn's own handler can deadlock, when it runs twice or while a request is handed to a thread.
    """
    if signum == signal.SIGQUIT:
        os._exit(0)


def load_and_check(worker: Any) -> None:
    type(worker).load_wsgi(worker)
    if problems := [str(each) for each in run_checks() if each.is_serious() and not each.is_silenced()]:
        raise SystemCheckError("\n".join(problems))


def load_or_explain(worker: Any) -> None:
    """Answer that the code can't be loaded, and try again. gunicorn ends the server, unless it is a SyntaxError."""
    try:
        load_and_check(worker)
        if worker.age == 1:
            sys.stderr.write(welcome())
    except Exception as error:
        worker.log.exception("The code can't be loaded")
        explain = util.make_fail_app(f"The code can't be loaded: {error!r}")

        def answer(environ: Any, start_response: Any) -> Any:
            worker.alive = False
            return explain(environ, start_response)

        worker.wsgi = answer


def post_fork(arbiter: Any, worker: Any) -> None:
    if reload:
        worker.load_wsgi = partial(load_or_explain, worker)
    worker.handle_quit = quit_now
    for signum in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(signum, quit_now)  # as the worker itself does somewhat later
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGQUIT})
    if settings.METRICS_PORT:
        arbiter.metrics.serve_in(worker.metrics_file)


if settings.METRICS_PORT:
    from config.metrics import MetricsServer

    def on_starting(arbiter: Any) -> None:
        arbiter.metrics = MetricsServer.started((settings.ADDRESS, settings.METRICS_PORT))

    def pre_fork(arbiter: Any, worker: Any) -> None:
        """A new worker continues the file of one that is gone: no count is lost, and no file is left behind."""
        taken = {other.metrics_file for other in arbiter.WORKERS.values()}
        worker.metrics_file = min(set(range(len(taken) + 1)) - taken)

    def on_exit(arbiter: Any) -> None:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"])
