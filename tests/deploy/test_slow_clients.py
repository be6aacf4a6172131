"""Slow and silent clients wait at the proxy, and nobody else does."""

import time

import pytest

from tests.deploy.load import Load
from tests.deploy.slow import dripping
from tests.deploy.stack import wait_until

SLOW = {
    "headers": 200,
    "headers_with_a_token": 200,
    "a_body": 200,
    "a_body_with_a_token": 200,
    "chunks_with_a_token": 200,
}


@pytest.mark.parametrize("clients", [SLOW, {"nothing": 2000}], ids=["1,000 that drip", "2,000 idle"])
def test_who_is_slow_waits_alone(direct, figure, clients):
    expected = sum(clients.values())
    health = []
    with dripping(direct.nginx.port, **clients) as connected, Load(direct.nginx.port) as load:
        wait_until(lambda: sum(connected.values()) >= 0.9 * expected, 60, "the arrival of all slow clients")
        load.all_answered()
        until = time.monotonic() + 12  # longer than the proxy waits for a head
        while time.monotonic() < until:
            started = time.monotonic()
            assert direct.front.request("GET", "/health").status == 200
            health.append(time.monotonic() - started)
            time.sleep(0.3)
        still = sum(connected.values())

    books = load.books(direct.database.url)
    figure(f"{still:,} connected; /health within {max(health):.2f} s; {books.summary()}")
    assert still >= 0.8 * expected
    assert max(health) < 1
    assert not books.statuses
    assert not books.wrong
    assert books.slowest < 3
