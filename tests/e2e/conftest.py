import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.connect import HERE, compiled, quoted
from tests.server import Server, running


class BetterAuth:
    """A running Better Auth server; `client` runs the real Better Auth client against it."""

    def __init__(self, url: str, secret: str) -> None:
        self.url, self.secret = url, secret

    def client(self, *arguments: str) -> Any:
        ran = subprocess.run(
            ["node", "client.mjs", self.url, *arguments],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(ran.stdout)

    def sign_up(self, name: str) -> Any:
        return self.client("sign-up", f"{name}@example.com", "a long password", name)

    def sign_in(self, name: str) -> Any:
        return self.client("sign-in", f"{name}@example.com", "a long password")


@contextmanager
def better_auth(mode: str, **more: str) -> Iterator[BetterAuth]:
    secret = secrets.token_urlsafe(48)
    environment = {"PATH": os.environ["PATH"], "PORT": "0", "MODE": mode, "BETTER_AUTH_SECRET": secret, **more}
    process = subprocess.Popen(["node", "server.mjs"], cwd=HERE, env=environment, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        try:
            yield BetterAuth(json.loads(process.stdout.readline())["url"], secret)
        finally:
            process.terminate()


@contextmanager
def api(folder: Path, mode: str, auth: BetterAuth, **more: str) -> Iterator[Server]:
    """The task API, configured for that server as docs/connect.md says."""
    if mode == "hs256":
        variables = {
            "BETTER_AUTH_SECRET": auth.secret,
            "BETTER_AUTH_ISSUER": auth.url,
            "BETTER_AUTH_AUDIENCE": auth.url,
        }
    else:
        variables = {"BETTER_AUTH_SECRET": "", "BETTER_AUTH_URL": auth.url}
    with running(folder, **variables | more) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def built() -> dict[str, Path]:
    """The files of docs/connect.md, compiled, for either way."""
    if not (HERE / "node_modules" / "typescript").is_dir():
        pytest.exit("Better Auth is not installed: run the end-to-end tests by `make test-e2e`", returncode=1)
    return {mode: compiled(mode) for mode in quoted()}
