"""Writers at once, through a real server: none loses what another wrote."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server import running


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


def test_put_and_patch_at_once_both_survive(server):
    """A plain save() writes the whole row: it lost one of the two in 11 of 30 rounds."""
    with ThreadPoolExecutor(2) as pool:
        for number in range(40):
            path = server.request("POST", "/api/erin/tasks", {"title": "old"}, "erin").headers["Location"]
            barrier = threading.Barrier(2)

            def send(method, body, path=path, barrier=barrier):
                barrier.wait()
                return server.request(method, path, body, "erin")

            put = pool.submit(send, "PUT", {"title": f"new {number}"})
            patch = pool.submit(send, "PATCH", {"completed": True})

            assert (put.result().status, patch.result().status) == (200, 200)
            after = server.request("GET", path, user="erin").json()
            assert (after["title"], after["completed"]) == (f"new {number}", True)
            assert after in (put.result().json(), patch.result().json())


def test_many_writers_of_one_task_all_succeed_in_some_order(server):
    path = server.request("POST", "/api/fay/tasks", {"title": "x"}, "fay").headers["Location"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: server.request("PUT", path, {"title": str(number)}, "fay"), range(40)))

    assert {answer.status for answer in answers} == {200}
    moments = [answer.json()["updated_at"] for answer in answers]
    assert len(set(moments)) == 40
    last = max(answers, key=lambda answer: answer.json()["updated_at"])
    assert server.request("GET", path, user="fay").json() == last.json()


def test_a_late_write_never_revives_a_deleted_task(server):
    """A plain save() inserts the row again."""
    with ThreadPoolExecutor(3) as pool:
        for _ in range(30):
            path = server.request("POST", "/api/gus/tasks", {"title": "x"}, "gus").headers["Location"]
            barrier = threading.Barrier(3)

            def send(method, body, path=path, barrier=barrier):
                barrier.wait()
                return server.request(method, path, body, "gus").status

            put = pool.submit(send, "PUT", {"title": "y"})
            patch = pool.submit(send, "PATCH", {"completed": True})
            delete = pool.submit(send, "DELETE", None)

            assert delete.result() == 204
            assert {put.result(), patch.result()} <= {200, 404}
            assert server.request("GET", path, user="gus").status == 404
    assert server.request("GET", "/api/gus/tasks", user="gus").json() == []


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", {"title": "new"}), ("PATCH", {"completed": True}), ("DELETE", None)]
)
def test_of_many_at_once_with_one_tag_exactly_one_writes(server, method, body):
    for _ in range(5):
        created = server.request("POST", "/api/alice/tasks", {"title": "x"}, "alice")
        path, tag = created.headers["Location"], created.headers["ETag"]
        barrier = threading.Barrier(6)

        def send(_, path=path, tag=tag, barrier=barrier):
            barrier.wait()
            return server.request(method, path, body, "alice", If_Match=tag).status

        with ThreadPoolExecutor(6) as pool:
            statuses = sorted(pool.map(send, range(6)))

        assert statuses == ([204] + [404] * 5 if method == "DELETE" else [200] + [412] * 5)


def test_twenty_at_once_with_one_key_make_one_task(server):
    with ThreadPoolExecutor(20) as pool:
        for round_number in range(3):
            barrier = threading.Barrier(20)

            def send(_, barrier=barrier, key=f"key{round_number}"):
                barrier.wait()
                return server.request("POST", "/api/ida/tasks", {"title": "x"}, "ida", Idempotency_Key=key)

            answers = list(pool.map(send, range(20)))

            assert {answer.status for answer in answers} == {201}
            assert len({answer.body for answer in answers}) == 1
            assert [answer.headers["Idempotency-Replayed"] for answer in answers].count(None) == 1
            assert len(server.request("GET", "/api/ida/tasks", user="ida").json()) == round_number + 1
