"""The files of docs/connect.md, copied, give a token that opens the API: both ways, on a new PostgreSQL each."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import BetterAuth, api
from tests.e2e.connect import HERE
from tests.server import free_port, new_database

SECRET = "a secret of thirty-two characters or more"


@pytest.fixture(scope="module", params=["eddsa", "hs256"])
def steps(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, built: dict[str, Path]
) -> Iterator[Any]:
    """What connect-client.mjs saw, step by step."""
    folder, url = tmp_path_factory.mktemp(request.param), f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        environment = {
            "PATH": os.environ["PATH"],
            "BUILD": str(built[request.param]),
            "NEXT_RUNTIME": "nodejs",
            "PORT": url.rpartition(":")[2],
            "DATABASE_URL": stack.enter_context(new_database(folder)),
            "BETTER_AUTH_URL": url,
            "BETTER_AUTH_SECRET": SECRET,
        }
        command = ["node", "--import", "./alias.mjs", "connect-server.mjs"]
        server = stack.enter_context(
            subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(server.terminate)
        assert server.stdout
        assert server.stdout.readline()
        one_worker = {"WEB_CONCURRENCY": "1"}  # each fetches the keys for itself, and is a 503 to others meanwhile
        tasks = stack.enter_context(api(folder, request.param, BetterAuth(url, SECRET), **one_worker))
        ran = subprocess.run(
            ["node", "--import", "./alias.mjs", "connect-client.mjs"],
            cwd=HERE,
            env=environment | {"NEXT_PUBLIC_API_URL": f"http://127.0.0.1:{tasks.port}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        yield json.loads(ran.stdout)


TOKEN = "GET /api/auth/token"


def test_the_first_task(steps):
    assert steps["first"] == {"result": {"status": 201, "title": "Buy milk"}, "asked": [TOKEN, "POST api"]}


def test_a_token_is_kept_until_shortly_before_its_end(steps):
    assert steps["ten at once"] == {"result": [200] * 10, "asked": ["GET api"] * 10}
    assert steps["five minutes later"]["asked"] == []
    assert steps["a minute before its end"]["asked"] == [TOKEN]


def test_a_401_renews_it_once(steps):
    assert steps["after a 401"] == {
        "result": {"status": 201, "renewed": True},
        "asked": ["POST api", TOKEN, "POST api"],
    }
    assert steps["ten that are refused"] == {"result": 1, "asked": [TOKEN]}


def test_no_token_is_anybody_elses(steps):
    assert steps["another user signs in elsewhere"]["result"] == {
        "own": [],
        "asAnn": "Somebody else has signed in: load the page again",
    }


def test_it_goes_with_the_session(steps):
    assert steps["signed out"] == {"result": 401, "asked": ["POST /api/auth/sign-out", TOKEN]}
