"""What Prometheus reads: of the real server, over its own port, with several workers."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import RemoteDisconnected
from pathlib import Path
from urllib.error import HTTPError

import psutil
import psycopg
import pytest
from django.db import IntegrityError, OperationalError
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from tests import postgresql
from tests.server import COMMANDS, ROOT, free_port, running
from tests.tokens import bearer

pytestmark = pytest.mark.once


def fetch(port, path="/metrics"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def samples(text):
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def count(port, name, **labels):
    """The sum over all series of this name with these labels."""
    return sum(
        sample.value
        for sample in samples(fetch(port))
        if sample.name == f"taskapi_{name}" and labels.items() <= sample.labels.items()
    )


@contextmanager
def measured(folder, database_url=None, **more):
    with running(folder, database_url, METRICS_PORT=str(free_port()), **more) as server:
        yield server, int(server.environment["METRICS_PORT"])


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def both(tmp_path_factory, request):
    """A server, and the port of its metrics."""
    with measured(tmp_path_factory.mktemp("measured"), name=request.param) as both:
        yield both


def test_every_request_of_every_worker_is_counted(both):
    server, port = both

    with ThreadPoolExecutor(8) as pool:
        paths = [
            answer.headers["Location"]
            for answer in pool.map(
                lambda number: server.request("POST", "/api/amy/tasks", {"title": str(number)}, "amy"), range(40)
            )
        ]
        list(pool.map(lambda path: server.request("PATCH", path, {"completed": True}, "amy"), paths * 2))

    tasks, task = "/api/{user_id}/tasks", "/api/{user_id}/tasks/{id}"
    assert count(port, "http_requests_total", route=tasks, method="POST", status="201") == 40
    assert count(port, "http_requests_total", route=task, method="PATCH", status="200") == 80
    assert count(port, "http_request_duration_seconds_count", route=task, method="PATCH") == 80
    assert count(port, "http_request_duration_seconds_bucket", route=task, method="PATCH", le="+Inf") == 80
    assert 0 < count(port, "http_request_duration_seconds_sum", route=task, method="PATCH") < 60
    assert len({path.name for path in counts(server)}) >= 4  # of both workers


def counts(server):
    """The files that the workers of this server count in."""
    [folder] = {Path(path).parent for path in open_files(server) if "/metrics-" in path}
    return list(folder.iterdir())


def open_files(server):
    return [file.path for pid in server.workers() for file in psutil.Process(pid).open_files()]


def test_the_p95_can_be_told_from_500_ms(both):
    _, port = both
    bounds = {s.labels["le"] for s in samples(fetch(port)) if s.name.endswith("duration_seconds_bucket")}

    assert {"0.005", "0.25", "0.5", "1.0", "+Inf"} <= bounds
    assert len(bounds) < 15


def test_the_public_port_has_no_metrics_and_theirs_has_nothing_else(both):
    server, port = both
    public = server.request("GET", "/metrics", Host=f"127.0.0.1:{port}")

    assert (public.status, public.json()) == (404, {"detail": "Not found"})
    for path in ("/", "/health/live", "/api/alice/tasks", "/admin/", "/metrics/"):
        with pytest.raises(HTTPError, match="404"):
            fetch(port, path)


def test_no_request_makes_a_series_of_its_own(both):
    server, port = both

    def junk(number):
        server.request("GET", f"/{number}")
        server.request("GET", f"/api/user-{number}/tasks/{number}")
        server.request("GET", f"/admin/{number}/{number}/")
        server.request(f"JUNK{number}", f"/api/user-{number}/tasks")
        server.request("GET", "/api/alice/tasks", Authorization=f"Bearer x{number}")
        server.request("OPTIONS", f"/{number}", Origin=f"https://{number}.example", Access_Control_Request_Method="GET")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(junk, range(10)))
        before = {(sample.name, *sorted(sample.labels.items())) for sample in samples(fetch(port))}
        list(pool.map(junk, range(100, 250)))

    series = {(sample.name, *sorted(sample.labels.items())) for sample in samples(fetch(port))}
    assert series == before
    routes = {value for _, *labels in series for name, value in labels if name == "route"}
    assert routes <= {
        "/api/{user_id}",
        "/api/{user_id}/tasks",
        "/api/{user_id}/tasks/{id}",
        "/admin",
        "/health",
        "/health/live",
        "unmatched",
    }
    methods = {value for _, *labels in series for name, value in labels if name == "method"}
    assert "OTHER" in methods
    assert not any("JUNK" in method for method in methods)


@pytest.mark.parametrize("name", ["gunicorn", "granian"])
def test_a_dead_worker_takes_no_count_with_it(tmp_path, name):
    with measured(tmp_path, name=name) as (server, port):
        for round_number in range(1, 4):
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda _: server.request("GET", "/nowhere"), range(20)))
            assert count(port, "http_requests_total", status="404") == 20 * round_number

            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim: len(server.workers()) == 2 and victim not in server.workers())
            assert count(port, "http_requests_total", status="404") == 20 * round_number

        if name == "granian":  # a new worker counts in a new file there, and misses a signal while it starts
            time.sleep(2)
            return
        server.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        server.request("GET", "/nowhere")
        assert count(port, "http_requests_total", status="404") == 61
        assert len(counts(server)) <= 2 * 4  # a file of counters and one of histograms for each of two workers


def until(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within ten seconds")


@pytest.mark.parametrize("name", ["gunicorn", "granian"])
def test_nothing_is_left_when_the_server_stops(tmp_path, name):
    with measured(tmp_path, name=name) as (server, port):
        server.request("GET", "/nowhere")
        [folder] = {path.parent for path in counts(server)}
        pids = server.workers()

        assert pids
        assert server.stop() == 0

    assert not folder.exists()
    with pytest.raises(OSError, match="refused"):
        fetch(port)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_port_that_is_taken_is_said_at_the_start(both):
    """Be it by the API or the metrics of another server; after five seconds."""
    server, _ = both
    taken = [server.environment["PORT"], server.environment["METRICS_PORT"]]
    environments = [server.environment | {"PORT": str(free_port()), "METRICS_PORT": port} for port in taken]

    started = [
        subprocess.Popen(COMMANDS[server.name], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        for environment in environments
    ]

    for process, port in zip(started, taken, strict=True):
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert f"METRICS_PORT: can't listen at 0.0.0.0:{port}" in said
        assert server.name == "granian" or "Traceback" not in said


def test_a_metrics_port_that_an_old_server_still_holds_is_waited_for(tmp_path):
    """As gunicorn waits for its own."""
    with socket.create_server(("0.0.0.0", 0)) as held:  # noqa: S104 - as the server does

        def let_go():
            while not (tmp_path / "server.log").exists():
                time.sleep(0.05)
            time.sleep(3)
            held.close()

        threading.Thread(target=let_go).start()
        with running(tmp_path, METRICS_PORT=str(held.getsockname()[1])) as server:
            assert "taskapi_http_requests_total" in fetch(int(server.environment["METRICS_PORT"]))


def test_a_scrape_does_not_wait_for_requests_that_wait(tmp_path):
    """Every thread of the API waits for a lock, and the metrics answer."""
    with postgresql.server() as database, measured(tmp_path, database.get_uri()) as (server, port):
        path = server.request("POST", "/api/amy/tasks", {"title": "x"}, "amy").headers["Location"]
        statuses = []
        with psycopg.connect(database.get_uri()) as connection:
            connection.execute("LOCK TABLE tasks_task IN SHARE MODE")
            threads = [
                threading.Thread(
                    target=lambda: statuses.append(server.request("PATCH", path, {"completed": True}, "amy").status)
                )
                for _ in range(12)
            ]
            for thread in threads:
                thread.start()
            time.sleep(1)
            started = time.monotonic()
            assert count(port, "http_requests_total", status="201") == 1
            assert time.monotonic() - started < 2
            assert statuses == []
        for thread in threads:
            thread.join()

        until(lambda: count(port, "http_requests_total", method="PATCH") == 12)


def test_a_database_that_is_gone_is_counted(tmp_path):
    with postgresql.server() as database, measured(tmp_path, database.get_uri()) as (server, port):
        assert server.request("GET", "/api/alice/tasks", user="alice").status == 200
        database.stop()
        for _ in range(3):
            assert server.request("GET", "/api/alice/tasks", user="alice").status == 503
        assert server.request("GET", "/health").status == 503
        database.start()

        assert count(port, "database_errors_total", error="OperationalError") == 4
        assert count(port, "http_requests_total", route="/api/{user_id}/tasks", status="503") == 3


def test_off_unless_asked_for(tmp_path):
    """Nothing listens, nothing is imported, nobody is in the way of a request."""
    with running(tmp_path) as server:
        server.request("GET", "/health/live")
        assert not any("/metrics-" in path for path in open_files(server))

    code = """
import sys
import config.wsgi
from django.conf import settings
from django.test import Client
Client().get("/health/live")
assert not settings.METRICS_PORT
print([name for name in sys.modules if "prometheus" in name or name == "config.metrics"], settings.MIDDLEWARE[0])
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=server.environment, capture_output=True, text=True, timeout=60
    )
    assert shown.stdout == "[] config.middleware.RequestMiddleware\n", shown.stderr


@pytest.fixture
def metrics(settings, monkeypatch, tmp_path):
    """A metrics port in this process; the clients of a test are counted."""
    from config import metrics  # the other tests go without it, as the API does

    settings.MIDDLEWARE = ["config.metrics.MetricsMiddleware", *settings.MIDDLEWARE]
    for counter in (metrics.requests, metrics.duration, metrics.authentication_failures, metrics.database_errors):
        counter.clear()  # what other tests have made it count, once it was imported
    metrics.series.cache_clear()
    with monkeypatch.context() as shared, metrics.MetricsServer(("127.0.0.1", 0)) as server:
        shared.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
        shared.setattr(values, "ValueClass", values.MultiProcessValue(lambda: 1))
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


def test_each_response_by_its_route(metrics, alice, anonymous, make_task):
    path = f"/api/alice/tasks/{make_task().id}"
    alice.head(path)
    alice.options(path)
    anonymous.options(path, headers={"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT"})
    alice.get("/api/a/b%2Fc/tasks")
    anonymous.get("/admin/login/")
    anonymous.get("/admin")
    anonymous.get("/health/live")
    anonymous.get("/nowhere", headers={"Host": "elsewhere"})
    with pytest.raises(HTTPError, match="404"):
        fetch(metrics, "/")

    found = {
        (s.labels["method"], s.labels["route"], s.labels["status"])
        for s in samples(fetch(metrics))
        if s.name == "taskapi_http_requests_total"
    }
    assert found == {
        ("HEAD", "/api/{user_id}/tasks/{id}", "200"),
        ("OPTIONS", "/api/{user_id}/tasks/{id}", "405"),
        ("OPTIONS", "unmatched", "200"),
        ("GET", "/api/{user_id}/tasks", "403"),
        ("GET", "/admin", "200"),
        ("GET", "/admin", "302"),
        ("GET", "/health/live", "200"),
        ("GET", "unmatched", "400"),
    }


@pytest.mark.parametrize(
    ("error", "status", "counted"), [(OperationalError, 503, 1), (IntegrityError, 500, 1), (ValueError, 500, 0)]
)
def test_each_failure_of_the_database_by_its_class(metrics, alice, monkeypatch, error, status, counted):
    def broken(*args):
        raise error("x")

    monkeypatch.setattr("api.rows.OwnedRows.of", broken)

    assert alice.get("/api/alice/tasks").status_code == status
    assert count(metrics, "database_errors_total", error=error.__name__) == counted
    assert count(metrics, "http_requests_total", method="GET", status=str(status)) == 1


def test_a_scraper_that_hangs_up_is_no_matter_and_all_else_is_a_line_of_the_log(metrics, monkeypatch, caplog, capfd):
    with socket.create_connection(("127.0.0.1", metrics)) as scraper:
        scraper.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # to close is to reset
        scraper.sendall(b"GET /met")
    fetch(metrics)
    assert not caplog.records

    monkeypatch.setattr("config.metrics.MultiProcessCollector", lambda registry: 1 / 0)
    with pytest.raises(RemoteDisconnected):
        fetch(metrics)
    until(lambda: caplog.records)
    assert caplog.messages == ["Metrics not sent"]
    assert "ZeroDivisionError" in caplog.text
    assert capfd.readouterr().err == ""


def test_each_refused_token_by_its_reason(metrics, anonymous):
    past = int(time.time()) - 1
    anonymous.get("/api/alice/tasks")
    anonymous.get("/api/alice/tasks", headers=bearer(exp=past))
    anonymous.get("/api/alice/tasks", headers=bearer(exp=past))
    anonymous.get("/api/alice/tasks", headers=bearer(secret="x" * 32))

    found = {
        s.labels["reason"]: s.value
        for s in samples(fetch(metrics))
        if s.name == "taskapi_authentication_failures_total"
    }
    assert found == {"missing": 1, "expired": 2, "signature": 1}
