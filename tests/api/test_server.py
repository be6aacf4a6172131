"""Over real HTTP, from gunicorn and from granian: what no test client shows."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.server import COMMANDS, ROOT, Server, free_port, production, running
from tests.tokens import token

pytestmark = pytest.mark.once


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def server(tmp_path_factory, name):
    with running(tmp_path_factory.mktemp("server"), name=name) as server:
        yield server


def raw_request(method, path, *headers, body=b"", user="alice"):
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token(user)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_whole_day(server):
    created = server.request("POST", "/api/dora/tasks", {"title": " Buy milk "}, "dora")
    path = created.headers["Location"]
    edited = server.request("PUT", path, {"title": "Buy bread", "description": "Rye"}, "dora")
    done = server.request("PATCH", path, {"completed": True}, "dora")

    assert [created.status, edited.status, done.status] == [201, 200, 200]
    assert server.request("GET", path, user="dora").body == done.body
    assert server.request("GET", "/api/dora/tasks", user="dora").json() == [done.json()]
    assert done.json() | {"updated_at": 0} == created.json() | {
        "title": "Buy bread",
        "description": "Rye",
        "completed": True,
        "updated_at": 0,
    }
    gone = server.request("DELETE", path, user="dora")
    assert (gone.status, gone.body) == (204, b"")
    assert server.request("GET", path, user="dora").status == 404


def test_gunicorn_says_what_is_wrong_with_the_environment_and_nothing_else():
    ran = subprocess.run(
        COMMANDS["gunicorn"], cwd=ROOT, env={"ENVIRONMENT": "production"}, capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Invalid configuration:\nSECRET_KEY is not set: ")
    assert "Traceback" not in ran.stderr


def test_a_head_leaves_nothing_on_the_connection(server):
    answer = server.raw(
        raw_request("HEAD", "/api/alice/tasks") + raw_request("GET", "/api/alice/tasks", "Connection: close")
    )

    head, get = re.split(rb"(?=HTTP/1\.1)", answer)[1:]
    assert head.endswith(b"\r\n\r\n")
    assert b"content-length: 2\r\n" in head.lower()
    assert get.endswith(b"\r\n\r\n[]")


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        (b'e\r\n{"title": "x"}\r\n0\r\n\r\n', b"201"),
        (b'7\r\n{"title\r\n7;a=b\r\n": "x"}\r\n000\r\nX-Checksum: x\r\n\r\n', b"201"),
        (b"%x\r\n%s\r\n0\r\n\r\n" % (65_536, b'{"title": "x"}'.ljust(65_536)), b"201"),
        (b"".join(b"%x\r\n%s\r\n" % (1000, b" " * 1000) for _ in range(66)) + b"0\r\n\r\n", b"413"),
        (b"%x\r\n%s\r\n0\r\n\r\n" % (300_000, b" " * 300_000), b"413"),
        (b"0\r\n\r\n", b"400"),
        (b'5\r\n{"tit\r\nzz\r\n', b"400"),
    ],
)
def test_a_body_in_chunks(server, chunks, status):
    """Next.js' fetch sends a Request so. The next one on the connection is answered, or told that it will not be."""
    headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    chunked = raw_request("POST", "/api/chunks/tasks", *headers, body=chunks, user="chunks")

    answer = server.raw(chunked + raw_request("GET", "/health/live"))

    assert answer.split()[1] == status
    if status == b"201" or chunks == b"0\r\n\r\n":
        assert answer.endswith(b'{"status":"alive"}')
    elif b"zz" not in chunks or server.name == "gunicorn":  # granian tells nobody that a chunk made no sense
        assert_closed(answer)


def assert_closed(answer):
    """One whole answer, which says that it is the last."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close\r\n" in head.lower() + b"\r\n"
    assert re.findall(rb"content-length: (\d+)", head.lower()) == [str(len(body)).encode()]


@pytest.mark.parametrize("size", [100, 20_000, 65_535, 65_536, 100_000, 3_000_000])
@pytest.mark.parametrize("how", ["length", "chunks"])
@pytest.mark.parametrize("token", ["good", "none"])
def test_a_refused_body_hurts_no_other_request(server, size, how, token):
    """Each is answered whole; then the connection serves the next, or the answer has said that it won't."""
    body = b"x" * size
    framing = f"Content-Length: {size}" if how == "length" else "Transfer-Encoding: chunked"
    if how == "chunks":
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
    content_type = "text/plain" if token == "good" else "application/json"
    sent = raw_request("POST", "/api/alice/tasks", f"Content-Type: {content_type}", framing, body=body)
    if token == "none":
        sent = sent.replace(b"Authorization: Bearer", b"X-Nothing:")

    answer = server.raw(sent + raw_request("GET", "/health/live"))

    assert answer.split()[1] == (b"415" if token == "good" else b"401")
    if not answer.endswith(b'{"status":"alive"}'):
        assert_closed(answer)
    elif server.name == "granian":
        raise AssertionError("granian ends the connection when a body comes late: it must always say so")


def test_a_304_leaves_nothing_on_the_connection(server):
    tag = server.request("GET", "/api/zoe/tasks", user="zoe").headers["ETag"]
    answer = server.request("GET", "/api/zoe/tasks", user="zoe", If_None_Match=tag)

    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /api/alice/tasks?limit=1 HTTP/1.1\r\nContent-Type: application/json; charset=hex\r\n", 401),
        (b"GET /nope?x=1 HTTP/1.1\r\nContent-Type: x; a*=BOGUS''x\r\n", 404),
        (b"GET /health/live?%FF=%00 HTTP/1.1\r\nContent-Type: x; charset=undefined\r\n", 200),
        (b"GET /%00%FF%ED%A0%80 HTTP/1.1\r\n", 404),
        (b"GET http://evil.example.com/api/x/y?y HTTP/1.1\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\n", 404),
        (b"BREW /health/live HTTP/1.1\r\n", 405),
        (b"GET /api/alice/tasks HTTP/1.1\r\nCookie: \xff=;;\xfe\r\n", 401),
        (b"GET /api/alice/tasks HTTP/1.1\r\nX-Request-ID: \xff\r\nOrigin: http://[\r\n", 401),
        (b"POST /nope HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 90000\r\n", 404),
    ],
)
def test_whatever_reaches_django_is_answered_in_json(server, request_, status):
    answer = server.raw(request_ + b"Host: 127.0.0.1\r\n\r\n").removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"content-type: application/json" in head.lower()
    assert b"x-request-id: " in head.lower()
    json.loads(body)
    assert "Traceback" not in server.log.read_text()


def test_an_announced_body_of_a_gigabyte_is_refused_unread(server):
    started = time.monotonic()

    answer = server.raw(
        raw_request("POST", "/api/alice/tasks", "Content-Type: application/json", "Content-Length: 1000000000")
    )

    assert answer.startswith(b"HTTP/1.1 413")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Content-Length: -1", b"400"),
        ("Content-Length: x", b"400"),
        ("Content-Length: 5\r\nContent-Length: 6", b"400"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", {"gunicorn": b"400", "granian": b"400"}),
    ],
)
def test_lengths_that_smuggle_are_refused(server, header, status):
    answer = server.raw(
        raw_request("POST", "/api/alice/tasks", "Content-Type: application/json", header, body=b"12345")
        + raw_request("GET", "/api/alice/tasks")
    )

    assert answer.split()[1] == (status if isinstance(status, bytes) else status[server.name])
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "path", ["%00", "%FF", "%C3%A9%00", "..%2F..%2Fetc", "%2e%2e", "%E2%80%AE", "%F0%9F%98%80", "%ED%A0%80"]
)
def test_odd_paths_are_403_and_404(server, path):
    assert server.request("GET", f"/api/{path}/tasks", user="alice").status == 403
    own = server.request("GET", f"/api/alice/tasks/{path}", user="alice")
    assert (own.status, own.json()) == (404, {"detail": "Not found"})


def test_every_answer_has_one_length_and_no_chunks(server):
    for answer in (
        server.request("GET", "/api/alice/tasks", user="alice"),
        server.request("GET", "/api/alice/tasks"),
        server.request("GET", "/nope"),
        server.request("GET", "/admin/login/"),
        server.request("GET", "/admin/static/admin/css/base.css"),
    ):
        assert answer.headers.get_all("Content-Length") == [str(len(answer.body))]
        assert "Transfer-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("path", "headers", "gunicorn", "granian"),
    [
        ("/health/live?" + "x" * 4000, [], b"200", b"200"),
        ("/health/live?" + "x" * 4100, [], b"414", b"200"),
        ("/health/live?" + "x" * 17_000, [], b"414", b"431"),
        ("/health/live", [f"X-{number}: x" for number in range(60)], b"200", b"200"),
        ("/health/live", [f"X-{number}: x" for number in range(64)], b"431", b"200"),
        ("/health/live", [f"X-{number}: x" for number in range(100)], b"431", b"431"),
        ("/health/live", ["X-Large: " + "x" * 8100], b"200", b"200"),
        ("/health/live", ["X-Large: " + "x" * 8200], b"431", b"200"),
        ("/health/live", ["X-Large: " + "x" * 17_000], b"431", b"431"),
    ],
)
def test_the_head_of_a_request_has_limits(server, path, headers, gunicorn, granian):
    answer = server.raw(raw_request("GET", path, *headers, "Connection: close"))

    assert answer.split()[1] == {"gunicorn": gunicorn, "granian": granian}[server.name]


def test_a_strangers_word_about_scheme_and_path_is_ignored_by_the_server_too(tmp_path, name):
    with running(tmp_path, name=name, SECURE_SSL_REDIRECT="true", WEB_CONCURRENCY="1") as server:
        http = server.raw(raw_request("GET", "/api/bob/tasks", "X-Forwarded-Proto: https", "Connection: close"))
        live = server.raw(raw_request("GET", "/health/live", "SCRIPT_NAME: /health", "Connection: close"))

    assert http.startswith(b"HTTP/1.1 301 ")
    assert live.startswith(b"HTTP/1.1 200 ")


def test_a_proxy_on_a_unix_socket_says_who_the_client_is(tmp_path):
    path = tmp_path / "socket"
    environment = production("sqlite://:memory:", TRUSTED_PROXIES="unix", SECURE_SSL_REDIRECT="true")
    server = Server(environment, tmp_path / "server.log", "gunicorn")
    server.environment["GUNICORN_CMD_ARGS"] = f"--bind 127.0.0.1:{server.port} --bind unix:{path}"
    server.start()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            forwarded = ("X-Forwarded-For: 203.0.113.7:4711", "X-Forwarded-Proto: https", "X-Request-ID: by-socket")
            connection.sendall(raw_request("GET", "/api/bob/tasks", *forwarded))
            answer = connection.recv(65536)
    finally:
        server.stop()

    assert answer.startswith(b"HTTP/1.1 403")
    [warning, access] = [line for line in log_lines(server) if line.get("request_id") == "by-socket"]
    assert warning["client"] == "203.0.113.7"
    assert access["message"].startswith("203.0.113.7 GET ")


def test_every_log_line_is_json_and_none_has_a_token(server):
    server.request("GET", "/api/bob/tasks?token=" + token("alice"), user="alice", X_Request_ID="with-a-token")
    server.raw(b"GET /api/alice/tasks?token=" + token("alice").encode() + b"\xe9 HTTP/1.1\r\n\r\n")

    access = eventually(
        lambda: [line for line in log_lines(server) if line["logger"] == f"{server.name}.access"], "with-a-token"
    )
    assert re.fullmatch(r"127\.0\.0\.1 GET /api/bob/tasks 403 \d+ bytes \d+ ms", access["message"])
    assert all(line["message"] for line in log_lines(server))
    assert "eyJ" not in server.log.read_text()
    if server.name == "gunicorn":  # granian has no word for what it refuses
        refused = next(
            line for line in log_lines(server) if "Invalid HTTP request line: 'GET /api/alice" in line["message"]
        )
        assert "[token]" in refused["message"]
        assert "request_id" not in refused


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/" + b'"' * 4000 + b" HTTP/1.1\r\n",
        b"GET /api/" + b"\\" * 4000 + b" HTTP/1.1\r\n",
        b"GET /api/" + b"%01" * 1300 + b"/tasks HTTP/1.1\r\n",
        b"GET /api/" + b"%C3%A9" * 660 + b"/tasks HTTP/1.1\r\n",
        b"GET /api/" + b"%F0%9F%98%80" * 330 + b"/tasks HTTP/1.1\r\n",
        b"GET /api/" + b"%FF" * 1300 + b"/tasks HTTP/1.1\r\n",
        b"GET /api/" + b"\xff" * 4000 + b"/tasks HTTP/1.1\r\n",
        b"GET /api/" + b"\x01" * 4000 + b"/tasks HTTP/1.1\r\n",
        b"GET /?" + b'"' * 4000 + b" HTTP/1.1\r\n",
        b'!"' * 2000 + b" / HTTP/1.1\r\n",
        b"A" * 4000 + b" / HTTP/1.1\r\n",
        b"GET / HTTP/" + b'"' * 4000 + b"\r\n",
        *(
            b"GET /api/a/tasks HTTP/1.1\r\n" + name + b": " + b'"' * 8000 + b"\r\n"
            for name in (
                b"X-Request-ID",
                b"User-Agent",
                b"Host",
                b"X-Forwarded-For",
                b"Authorization",
                b"Origin",
                b"Content-Length",
                b"Cookie",
            )
        ),
        b"GET / HTTP/1.1\r\n" + b'"' * 8000 + b": x\r\n",
        b"POST /admin/login/ HTTP/1.1\r\nReferer: " + b'"' * 8000 + b"\r\n",
        b"GET /" + b"eyJ" * 1300 + b" HTTP/1.1\r\n",
    ],
)
def test_the_log_grows_by_less_than_what_a_stranger_sends(server, request_):
    server.request("GET", "/nope", X_Request_ID="before-it")
    eventually(lambda: log_lines(server), "before-it")
    before = server.log.stat().st_size

    sent = request_ + b"Host: 127.0.0.1\r\n\r\n"
    server.raw(sent)
    server.request("GET", "/nope", X_Request_ID="after-it")
    eventually(lambda: log_lines(server), "after-it")

    written = server.log.stat().st_size - before
    assert written < len(sent)
    access = [line["message"] for line in log_lines(server) if line["logger"].endswith(".access")]
    assert [
        line for line in access if not re.fullmatch(r"[0-9.]+ .* \d{3} (\d+|-) bytes \d+ ms", line, re.DOTALL)
    ] == []


def test_the_access_log_obeys_the_log_level(tmp_path, name):
    with running(tmp_path, name=name, LOG_LEVEL="WARNING", WEB_CONCURRENCY="1") as server:
        server.request("GET", "/api/alice/tasks", user="alice")
        server.request("GET", "/api/bob/tasks", user="alice")
        server.stop()

        assert [line["message"] for line in log_lines(server)] == ["Permission denied"]


def log_lines(server):
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def eventually(lines, request_id):
    """The line of that request; it is written after the client has its answer."""
    for _ in range(100):
        for line in lines():
            if line.get("request_id") == request_id:
                return line
        time.sleep(0.05)
    raise AssertionError(request_id)


def test_a_body_that_ends_too_soon_is_a_400(server):
    before = server.request("GET", "/api/alice/tasks", user="alice").body
    announced = raw_request(
        "POST", "/api/alice/tasks", "Content-Type: application/json", "Content-Length: 50", body=b'{"title": "cut"}'
    )

    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(announced)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"The body is shorter than its Content-Length" in answer
    assert server.request("GET", "/api/alice/tasks", user="alice").body == before


def test_no_file_is_left_in_the_home_directory(server):
    home = server.log.parent

    assert {entry.name.split("-")[0] for entry in home.iterdir()} <= {"server.log", "server.sqlite3"}


def test_a_running_request_is_finished_before_the_server_stops(tmp_path, name):
    with running(tmp_path, name=name) as server:
        slow = threading.Thread(target=server.raw, args=[b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
        slow.start()
        answers = []
        with ThreadPoolExecutor(4) as pool:
            for _ in range(40):
                pool.submit(
                    lambda: answers.append(server.request("POST", "/api/hal/tasks", {"title": "x"}, "hal").status)
                )
        assert server.stop() == 0
        slow.join()

    assert answers == [201] * 40


def test_a_client_that_does_not_close_holds_up_nobody(tmp_path, name):
    """gunicorn waited for it, two seconds each, in the thread that accepts all connections."""
    asked = raw_request("GET", "/health/live", "Connection: close")
    refused = raw_request("POST", "/api/alice/tasks", "Content-Length: 100000")
    with running(tmp_path, name=name, WEB_CONCURRENCY="1") as server, ExitStack() as stack:
        connections = [stack.enter_context(connected(server.port)) for _ in range(50)]
        for number, connection in enumerate(connections):
            connection.sendall(asked if number % 2 else refused)
        started = time.monotonic()
        statuses = {server.request("GET", "/health/live").status for _ in range(10)}
        waited = time.monotonic() - started
        answers = [connection.recv(65536) for connection in connections]

    assert statuses == {200}
    assert waited < 5  # 100 before
    assert {answer.split()[1] for answer in answers} == {b"200", b"415"}


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


@pytest.mark.parametrize(
    ("sent", "rounds"),
    [
        (None, 4),
        (b"", 2),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 2),
        (b"GET /health/live HTTP/1.1\r\n", 2),
    ],
)
def test_ctrl_c_stops_the_development_server_at_once(tmp_path, sent, rounds):
    """
    The terminal tells the master and its workers: one that was told twice, or while it served, did not end for 30
    seconds. While it starts, when it is idle, with connections that are kept, and with requests that are not yet whole.
    """
    for round_ in range(rounds):
        with development(tmp_path) as (process, port), ExitStack() as stack:
            if sent is not None:
                until(lambda port=port: answers(port))
                for _ in range(6):
                    stack.enter_context(connected(port)).sendall(sent)
            time.sleep(0.05 * round_)
            started = time.monotonic()
            os.killpg(process.pid, signal.SIGINT)
            process.wait(40)

            assert time.monotonic() - started < 2
            assert "SIGKILL" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("action", "goes_on"), [(signal.SIG_DFL, False), (signal.SIG_IGN, True)], ids=["", "nohup"])
def test_a_terminal_that_is_closed_stops_the_development_server(tmp_path, action, goes_on):
    """The next one could not have the port: for gunicorn the terminal's SIGHUP means to load its settings again."""
    before = signal.signal(signal.SIGHUP, action)
    try:
        with development(tmp_path) as (process, port):
            until(lambda: answers(port))
            os.killpg(process.pid, signal.SIGHUP)
            with suppress(subprocess.TimeoutExpired):
                process.wait(2)

            assert (process.poll() is None) == goes_on
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_reaches_a_worker_that_has_just_been_forked(tmp_path):
    """It still had its master's handler, and lost the signal: one stop in sixty took 30 seconds."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\n"
        "forks = []\n"
        "os.register_at_fork(before=lambda: forks.append(1), after_in_child=lambda: time.sleep(len(forks) - 1))\n"
    )
    with development(tmp_path, PYTHONPATH=str(tmp_path)) as (process, _):
        started = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(40)

        assert time.monotonic() - started < 3


def test_ctrl_c_stops_granian_at_once(tmp_path):
    """Seven of eight stops took 30 seconds."""
    for _ in range(3):
        with development(tmp_path, "granian") as (process, port):
            until(lambda port=port: answers(port))
            started = time.monotonic()
            os.killpg(process.pid, signal.SIGINT)
            process.wait(40)

            assert time.monotonic() - started < 5


@contextmanager
def development(folder, name="gunicorn", **more):
    """The server in a terminal of its own, as `make run` starts gunicorn."""
    port, log = free_port(), folder / "log"
    environment = {"PATH": os.environ["PATH"], "PORT": str(port), "WEB_CONCURRENCY": "2"} | more
    with log.open("wb") as output:
        process = subprocess.Popen(
            COMMANDS[name], cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        until(lambda: re.search(rb"Booting worker|Started worker", log.read_bytes()))
        yield process, port
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(port):
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5):
        return True


def until(true):
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError(true)


def test_a_worker_that_dies_is_replaced(tmp_path, name):
    with running(tmp_path, name=name, WEB_CONCURRENCY="1") as server:
        [worker] = server.workers()
        os.kill(worker, signal.SIGKILL)
        for _ in range(100):
            time.sleep(0.1)
            if server.workers() not in ([], [worker]):
                break

        assert server.request("GET", "/health/live").status == 200
