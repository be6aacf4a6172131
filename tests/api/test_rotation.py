"""The procedure of docs/operations.md to change the secret, under load: no valid token is ever refused."""

import threading
import time

import pytest

from tests.server import running
from tests.tokens import token

pytestmark = pytest.mark.once
OLD, NEW = "the-old-secret-of-thirty-two-bytes-or-more", "the-new-secret-of-thirty-two-bytes-or-more"
LONGEST_TOKEN = 1.0  # seconds; 15 minutes by Better Auth's default


class Frontend:
    """Asks for tasks all the time, with tokens by the current secret that are renewed when they expire."""

    def __init__(self, server):
        self.server, self.secret = server, OLD
        self.answers: list[tuple[int, str]] = []
        self.refused_connections = 0
        self.working = True

    def work(self):
        while self.working:
            secret, good_until = self.secret, time.monotonic() + LONGEST_TOKEN
            signed = token("alice", secret=secret)
            while time.monotonic() < good_until and self.working:
                try:
                    answer = self.server.request("GET", "/api/alice/tasks", Authorization=f"Bearer {signed}")
                except OSError:  # the moment between two servers: a client tries again
                    self.refused_connections += 1
                else:
                    self.answers.append((answer.status, secret))
                time.sleep(0.02)


def test_the_secret_changes_and_nobody_is_signed_out(tmp_path):
    with running(tmp_path, BETTER_AUTH_SECRET=OLD) as server:
        frontend = Frontend(server)
        load = [threading.Thread(target=frontend.work, daemon=True) for _ in range(4)]
        for thread in load:
            thread.start()

        time.sleep(0.5)
        restart(server, BETTER_AUTH_SECRETS=f"2:{NEW},1:{OLD}")  # 1. the API takes both
        time.sleep(0.5)
        frontend.secret = NEW  # 2. Better Auth signs with the new one
        time.sleep(LONGEST_TOKEN + 0.5)  # 3. the last token by the old one has expired
        restart(server, BETTER_AUTH_SECRET=NEW, BETTER_AUTH_SECRETS="")  # 4. the API takes the new one alone
        time.sleep(0.5)
        frontend.working = False
        for thread in load:
            thread.join()
        late = server.request("GET", "/api/alice/tasks", Authorization=f"Bearer {token('alice', secret=OLD)}")

    assert {status for status, _ in frontend.answers} == {200}
    assert {secret for _, secret in frontend.answers} == {OLD, NEW}
    assert len(frontend.answers) > 100
    assert late.status == 401


def restart(server, **variables):
    """Gracefully: running requests are finished first."""
    assert server.stop() == 0
    server.environment |= variables
    server.start()
