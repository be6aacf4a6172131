"""The server of `make run`: what it says when it is ready, and that it serves what .env says now."""

import os
import shutil
import time

import pytest

from tests.server import ROOT, Server

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of development in a copy of this project, with a .env of its own."""
    server = Server({"PATH": os.environ["PATH"]}, tmp_path_factory.mktemp("log") / "server.log", "gunicorn")
    server.folder = tmp_path_factory.mktemp("clone")
    for name in ("config", "api", "tasks"):
        shutil.copytree(ROOT / name, server.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("manage.py", "gunicorn.conf.py", "pyproject.toml"):
        shutil.copy(ROOT / name, server.folder)
    write(server, "http://localhost:3000")
    server.start()
    yield server
    server.stop()


def write(server, origins, more=""):
    secrets = f"SECRET_KEY={'s' * 50}\nBETTER_AUTH_SECRET={'b' * 50}\n"
    (server.folder / ".env").write_text(f"{secrets}CORS_ORIGINS={origins}\n{more}")


def may_call(server, origin):
    try:
        return server.request("GET", "/health/live", Origin=origin).headers["Access-Control-Allow-Origin"] == origin
    except OSError:
        return False  # it has no worker at the moment


def until(condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("It never came to that.")


def test_the_welcome_says_where_everything_is(server):
    until(lambda: "A token" in server.log.read_text())

    said = server.log.read_text()
    origin = f"http://127.0.0.1:{server.port}"
    for part in (
        f"{origin}/api/{{user_id}}/tasks",
        f"{origin}/api/docs",
        f"{origin}/admin/",
        "http://localhost:3000",
        "CORS_ORIGINS",
        "manage.py mint_token alice",
    ):
        assert part in said


def test_a_change_of_env_is_served_at_once(server):
    time.sleep(1.5)  # the reloader looks once a second, and has to have seen the file as it is

    write(server, "http://localhost:5173")
    until(lambda: may_call(server, "http://localhost:5173"))
    until(lambda: not may_call(server, "http://localhost:3000"))

    write(server, "http://localhost:5174", "PORT: 1\n")
    until(lambda: ".env, line 4 can't be read" in server.log.read_text())
    until(lambda: may_call(server, "http://localhost:5173"))

    time.sleep(1.5)
    write(server, "http://localhost:5174")
    until(lambda: may_call(server, "http://localhost:5174"))
