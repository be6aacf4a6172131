"""The programs in examples/ do what they say, against the API as it is deployed."""

import os
import subprocess
import sys

import pytest

from tests.examples.conftest import TYPESCRIPT
from tests.server import ROOT, running
from tests.tokens import token

USER = "auth0|Zoë/1"  # a path that is right only if it is percent-encoded
TITLES = ["Apples", "Bread", "Cheese", "Dates", "Eggs"]
PROGRAMS = {
    "TypeScript": ["node", str(TYPESCRIPT / "build" / "main.js")],
    "Python": [sys.executable, str(ROOT / "examples" / "python" / "tasks.py")],
}
PRINTED = """\
page: Apples, Bread
page: Cheese, Dates
page: Eggs
create: 201, task 6
create again: 201, task 6, replayed: true
edit: 412
read again: 200, Buy oat milk
edit: 200
edited: Buy oat milk, Two litres
complete: 200, done
poll: 304
delete: 204
read: 404, Task not found
erase: 204
left: 0
"""


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    """The types are generated anew from docs/openapi.yaml, then the program is checked against them."""
    npm("run", "build", "--silent")


def npm(*arguments):
    ran = subprocess.run(["npm", *arguments], cwd=TYPESCRIPT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def run(program, server, **variables):
    environment = {"PATH": os.environ["PATH"], "API_URL": f"http://127.0.0.1:{server.port}", "USER_ID": USER}
    return subprocess.run(
        PROGRAMS[program],
        env=environment | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_prints_the_whole_tour(tmp_path, program):
    with running(tmp_path) as server:
        for title in TITLES:
            assert server.request("POST", "/api/auth0%7CZo%C3%AB%2F1/tasks", {"title": title}, USER).status == 201

        ran = run(program, server, TOKEN=token(USER))
    assert (ran.stdout, ran.stderr, ran.returncode) == (PRINTED, "", 0)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_error_ends_it_with_the_words_of_the_api(tmp_path, program):
    with running(tmp_path) as server:
        ran = run(program, server, TOKEN="not-a-token")

    assert ran.returncode != 0
    assert ran.stdout == ""
    assert "401: Invalid token" in ran.stderr


def test_its_types_are_strict():
    npm("run", "check", "--silent")
