"""The primary dies, the standby is promoted, and writes go on without a restart."""

import time

import psycopg

from tests.deploy.load import Load
from tests.deploy.stack import stack, wait_until
from tests.server import manage


def test_a_standby_takes_over(figure):
    with stack(standby=True) as running:
        with psycopg.connect(running.database.admin_url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")  # or the last moments may be lost
            connection.execute("SELECT pg_reload_conf()")
            replicating = "SELECT sync_state FROM pg_stat_replication"
            wait_until(
                lambda: connection.execute(replicating).fetchall() == [("sync",)], what="synchronous replication"
            )
        told = manage({"DATABASE_URL": running.standby.url}, "check", "--database", "default").stderr
        with Load(running.nginx.port) as load:
            load.all_answered()
            running.database.stop("immediate")
            down = time.monotonic()
            time.sleep(2)  # somebody, or something, decides
            running.standby.pg_ctl("promote")
            promoted = time.monotonic()
            recovery = load.recovered()
            outage = promoted + recovery - down
        books = load.books(running.standby.url)
        sent_again = load.send_again()
        after = load.books(running.standby.url)
        health = running.front.request("GET", "/health")

    figure(
        f"{books.summary()}; well again {recovery:.1f} s after the promotion and {outage:.1f} s after the fault; "
        f"{sent_again} sent again"
    )
    assert "The database takes no writes: it is a standby." in told
    assert not books.wrong
    assert set(books.statuses) <= {503, 504}
    assert not books.untrue
    assert (books.lost, books.doubled, after.lost, after.doubled) == ([], [], [], [])
    assert recovery < 5
    assert health.status == 200
