"""Releases, and instances that die, under load: what the clients notice."""

import os
import re
import signal
import time
from functools import partial

import pytest

from tests.deploy.load import Load
from tests.deploy.stack import children, stack, wait_until


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def running(request):
    with stack(request.param) as running:
        yield running


def test_a_release_by_drain_fails_no_request(running, figure):
    with Load(running.nginx.port) as load:
        load.all_answered()
        for instance in running.instances:
            running.nginx.upstream(*running.instances, down=instance)
            running.nginx.reload()
            instance.stop()
            instance.start()
            running.nginx.upstream(*running.instances)
            running.nginx.reload()
            load.all_answered()

    books = load.books(running.database.url)
    figure(books.summary())
    assert not books.statuses
    assert not books.wrong
    assert (books.lost, books.doubled) == ([], [])


def none_of(before, pid):
    return not before & set(children(pid))


def test_new_workers_fail_no_request(running, figure):
    if running.instances[0].name == "granian":
        pytest.skip("granian has new workers by a restart alone")
    with Load(running.nginx.port) as load:
        load.all_answered()
        for instance in running.instances:
            pid = instance.process.pid
            before = set(children(pid))
            instance.process.send_signal(signal.SIGHUP)
            wait_until(partial(none_of, before, pid), 60, "the end of the old workers")
            load.all_answered()

    books = load.books(running.database.url)
    figure(books.summary())
    assert not books.statuses
    assert not books.wrong
    assert (books.lost, books.doubled) == ([], [])


def test_a_release_without_a_drain_carries_nothing_out_unacknowledged(running, figure):
    with Load(running.nginx.port) as load:
        load.all_answered()
        for instance in running.instances:
            instance.stop()
            instance.start()
            load.all_answered()

    books = load.books(running.database.url)
    figure(books.summary())
    assert set(books.statuses) <= {502}
    assert not books.wrong
    assert not books.unacknowledged
    assert (books.lost, books.doubled) == ([], [])


@pytest.mark.parametrize("whole", [False, True], ids=["worker", "instance"])
def test_what_is_killed_hurts_only_what_it_was_doing(running, figure, whole):
    instance = running.instances[0]
    with Load(running.nginx.port) as load:
        load.all_answered()
        workers = children(instance.process.pid)
        if whole:
            os.kill(instance.process.pid, signal.SIGKILL)
            instance.process.wait()
            killed = time.monotonic()
            for worker in workers:  # they would go by themselves within a second
                os.kill(worker, signal.SIGKILL)
        else:
            killed = time.monotonic()
            os.kill(workers[0], signal.SIGKILL)
        load.all_answered()
        time.sleep(1)
        if whole:
            instance.start()
        load.all_answered()

    books = load.books(running.database.url)
    failed = [each.ended - killed for each in books.outcomes if not 200 <= each.status < 300]
    figure(f"{books.summary()}; the last failure after {max(failed, default=0):.1f} s")
    assert set(books.statuses) <= {502, 404}
    assert books.statuses[502] <= 30
    assert max(failed, default=0) < 5
    # a DELETE that was carried out, and that the proxy has sent to the other instance then
    assert all(re.match(r"DELETE \S+ 404 ", line) for line in books.wrong)
    assert (books.lost, books.doubled) == ([], [])
