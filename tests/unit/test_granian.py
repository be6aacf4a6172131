import logging
import logging.config
import runpy
import socket
import sys
from typing import Any

import pytest
from django.test import RequestFactory
from granian import Granian

from config.granian import application
from tests.server import ROOT, free_port


@pytest.fixture
def served(settings, monkeypatch):
    """The server that `python -m config.granian` would start with these settings."""

    def served(**more):
        for name, value in more.items():
            setattr(settings, name, value)
        started: list[Any] = []
        monkeypatch.setattr(Granian, "serve", lambda server: started.append(server))
        monkeypatch.setattr(logging.config, "dictConfig", lambda config: None)  # the tests' own stays as it is
        monkeypatch.delitem(sys.modules, "config.granian", raising=False)
        runpy.run_module("config.granian", run_name="__main__")
        return started[0]

    return served


def test_it_listens_where_gunicorn_does(served):
    server = served(ADDRESS="127.0.0.2", PORT=8001)

    assert (server.bind_addr, server.bind_port) == ("127.0.0.2", 8001)


def test_the_environment_says_how_many_and_how_loud(served, settings):
    server = served(WEB_CONCURRENCY=3, WEB_THREADS=5, LOG_LEVEL="WARNING")

    assert (server.workers, server.blocking_threads, server.log_level) == (3, 5, "warning")
    assert server.log_config == settings.LOGGING


def test_granian_has_gunicorns_limits_where_it_has_any(served):
    gunicorn = runpy.run_path(str(ROOT / "gunicorn.conf.py"))

    server = served()

    assert (server.backlog, server.workers_kill_timeout) == (gunicorn["backlog"], gunicorn["graceful_timeout"])
    assert server.http1_settings.max_buffer_size > gunicorn["limit_request_line"] + gunicorn["limit_request_field_size"]
    assert server.http1_settings.header_read_timeout == 60_000
    assert server.respawn_failed_workers is True
    assert server.http == "1"


@pytest.mark.django_db  # Django looks after its connections at each request
@pytest.mark.parametrize("path", ["/health/live", "/admin/static/admin/css/base.css"])
def test_an_answer_is_logged_with_its_size(caplog, path):
    environ = RequestFactory().get(path, REMOTE_ADDR="192.0.2.1").environ
    started: list[Any] = []

    with caplog.at_level(logging.INFO, "granian.access"):
        answer: Any = application(environ, lambda *arguments: started.append(arguments))
        body = b"".join(answer)
    if not isinstance(answer, list):
        answer.close()

    [(status, headers)] = started
    assert status == "200 OK"
    assert dict(headers)["Content-Length"] == str(len(body))
    assert caplog.messages[0].startswith(f"192.0.2.1 GET {path} 200 {len(body)} bytes ")


def test_it_counts_for_prometheus_where_a_port_is_given(served, monkeypatch, tmp_path):
    """From the first: the port is open before the workers are, and each of them counts in a file of its own."""
    from prometheus_client import values

    forked: list[Any] = []
    monkeypatch.setattr("os.register_at_fork", lambda **hooks: forked.append(hooks["after_in_child"]))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    served(METRICS_PORT=free_port(), ADDRESS="127.0.0.1")

    threads: list[Any] = []
    monkeypatch.setattr("threading.Thread.start", lambda thread: threads.append(thread))
    forked[-1]()  # the first one is about signals

    assert threads
    assert threads[0].daemon


def test_a_metrics_port_that_stays_taken_ends_the_start(served, monkeypatch):
    monkeypatch.setattr("config.metrics.sleep", lambda seconds: None)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # as it was, afterwards
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(RuntimeError, match="METRICS_PORT: can't listen"),
    ):
        served(METRICS_PORT=taken.getsockname()[1], ADDRESS="127.0.0.1")
