"""The pooler, the database and the network fail under load: bounded waits, true answers, and well again within 5 s."""

import signal
import time
from contextlib import contextmanager

import pytest

from tests.deploy.load import Load
from tests.deploy.stack import stack

WELL_AGAIN = 5  # seconds


@contextmanager
def under_load(running, figure, *, patience):
    """Runs the fault in its block, which ends when the fault does: then all are served again, and nothing is lost."""
    with Load(running.nginx.port) as load:
        load.all_answered()
        yield load
        recovery = load.recovered()
    books = load.books(running.database.url)
    sent_again = load.send_again()
    after = load.books(running.database.url)

    figure(f"{books.summary()}; well again after {recovery:.1f} s; {sent_again} sent again")
    assert not books.wrong
    assert set(books.statuses) <= {503, 504}
    assert not books.untrue, running.logged(*books.untrue)
    assert (books.lost, books.doubled, after.lost, after.doubled) == ([], [], [], [])
    assert books.slowest < patience
    assert recovery < WELL_AGAIN


class TestThePooler:
    @pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL], ids=["restarted", "killed"])
    def test_stops_and_starts(self, pooled, figure, kind):
        with under_load(pooled, figure, patience=15):
            pooled.pooler.stop(kind)
            time.sleep(2)
            pooled.pooler.start()

    def test_is_paused_for_a_moment(self, pooled, figure):
        with under_load(pooled, figure, patience=15) as load:
            pooled.pooler.admin("PAUSE")
            time.sleep(4)
            pooled.pooler.admin("RESUME")
        assert all(200 <= each.status < 300 for each in load.outcomes())

    def test_is_frozen(self, pooled, figure):
        with under_load(pooled, figure, patience=35):
            pooled.pooler.process.send_signal(signal.SIGSTOP)
            time.sleep(6)
            pooled.pooler.process.send_signal(signal.SIGCONT)


@pytest.fixture(params=["direct", "pooled"])
def either(request):
    return request.getfixturevalue(request.param)


class TestTheDatabase:
    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_stops_and_starts(self, either, figure, mode):
        with under_load(either, figure, patience=20):
            either.database.stop(mode)
            time.sleep(3)
            either.database.start()

    def test_freezes(self, either, figure):
        # a statement may wait for 20 s, with a pooler or without one
        with under_load(either, figure, patience=35):
            either.database.freeze()
            time.sleep(24)
            either.database.thaw()


@pytest.mark.parametrize("through", ["direct", "pooled"])
def test_the_network_drops_everything(figure, through):
    with (
        stack(wired=True, pooled=through == "pooled") as running,
        under_load(running, figure, patience=35),
    ):
        running.wire.cut()
        time.sleep(24)
        running.wire.restore()
