"""Those who have no token can neither fill a worker's memory nor hold up those who have one."""

import http.client
import os
import pickle
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from api import authentication
from tests import key_server
from tests.key_server import KeyPair, encode
from tests.server import running
from tests.tokens import bearer, token

pytestmark = pytest.mark.once
MIB = 1024 * 1024


def forged(number):
    """As long as a header may be, with as many objects as fit in there, never the same, and signed by nobody."""
    header, claims = {"alg": "HS256", "kid": str(number), "x": [[]] * 1400}, {"sub": f"user{number}", "exp": 9e9}
    return f"{encode(header)}.{encode(claims)}.{'A' * 43}"


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with running(folder, name=request.param, WEB_CONCURRENCY="1", LOG_LEVEL="CRITICAL") as server:
        yield server


def memory(server):
    """Bytes that the server and its workers hold."""
    main = server.process.pid
    pids = [main, *Path(f"/proc/{main}/task/{main}/children").read_text().split()]
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="memory of other processes is read from /proc")
def test_forged_tokens_leave_nothing_in_memory(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)

    def send(numbers):
        for number in numbers:
            connection.request("GET", f"/api/user{number}/tasks", headers={"Authorization": f"Bearer {forged(number)}"})
            response = connection.getresponse()
            response.read()
            assert response.status == 401

    send(range(50))
    before = memory(server)
    send(range(50, 450))

    assert memory(server) - before < 8 * MIB  # their objects would take 30
    connection.close()


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=b", "application/x-www-form-urlencoded"])
def test_a_large_form_is_refused_before_it_is_read(server, content_type):
    """Django limits the fields of a form, and would store files of any size on the disk."""
    head = (
        f"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: csrftoken={'a' * 32}\r\nContent-Length: 66000\r\n"
    )

    answer = server.raw(f"{head}Content-Type: {content_type}\r\n\r\n--b\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(("size", "status"), [(60_000, 200), (66_000, 400)])
def test_a_form_may_be_as_large_as_any_body(anonymous, db, size, status):
    sent = {"file": SimpleUploadedFile("a", b"x" * size)}

    assert anonymous.post("/admin/login/", sent, format="multipart").status_code == status


def test_what_is_remembered_of_a_token_does_not_grow_with_its_length(anonymous, db):
    def remembered(length):
        authentication.proofs.clear()
        headers = bearer(picture="x" * length, headers={"kid": "x" * (length // 8)})
        assert anonymous.get("/api/alice/tasks", headers=headers).status_code == 200
        return len(pickle.dumps(authentication.proofs))

    assert remembered(4_000) == remembered(8) < 1_000


def test_no_more_than_so_many_tokens_are_remembered(anonymous, db, monkeypatch):
    monkeypatch.setattr(authentication, "MAX_PROOFS", 3)
    authentication.proofs.clear()
    signed = [bearer(iat=number) for number in range(5)]

    for headers in signed * 2:
        assert anonymous.get("/api/alice/tasks", headers=headers).status_code == 200

    assert len(authentication.proofs) == 3


def test_a_token_that_is_refused_is_not_remembered(anonymous):
    authentication.proofs.clear()

    for headers in (bearer(secret="x" * 32), bearer(""), bearer(exp="soon"), {"Authorization": f"Bearer {token()}="}):
        assert anonymous.get("/api/alice/tasks", headers=headers).status_code == 401

    assert not authentication.proofs


@pytest.fixture(scope="module")
def slow_key_server():
    with key_server.running() as slow:
        slow.publish(KeyPair("known"))
        slow.misbehave = lambda handler: time.sleep(2)
        yield slow


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def waiting_server(request, tmp_path_factory, slow_key_server):
    folder, url = tmp_path_factory.mktemp(request.param), slow_key_server.origin
    with running(folder, name=request.param, WEB_CONCURRENCY="1", WEB_THREADS="2", BETTER_AUTH_URL=url) as server:
        yield server


def test_strangers_who_make_it_ask_the_key_server_hold_up_nobody(waiting_server, slow_key_server):
    """Of those with a key that nobody knows one waits, and the others are told to come back."""

    def timed(token):
        started = time.monotonic()
        answer = waiting_server.request("GET", "/api/alice/tasks", Authorization=f"Bearer {token}")
        return time.monotonic() - started, answer.status, answer.headers["Retry-After"]

    mine = token("alice")
    strangers = [KeyPair(f"random{number}").token(slow_key_server) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        theirs = [pool.submit(timed, stranger) for stranger in strangers]
        wait_until(lambda: slow_key_server.requests)
        ours = [timed(mine) for _ in range(20)]
    answers = sorted(future.result() for future in theirs)

    assert {status for _, status, _ in ours} == {200}
    # granian starts its second thread once a request waits for the first
    assert sum(seconds > 1.5 for seconds, _, _ in ours) <= (waiting_server.name == "granian")
    assert sum(seconds > 1.5 for seconds, _, _ in answers) == 1
    assert {(status, wait) for _, status, wait in answers[:-1]} == {(503, "1")}


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
