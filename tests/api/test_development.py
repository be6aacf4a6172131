"""The server of `make run`: what it says when it is ready, and that it serves what .env and the code say now."""

import os
import shutil
import time

import pytest

from tests.server import ROOT, Server
from tests.unit.test_image import KEPT

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of development in a copy of this project, with a .env of its own."""
    server = Server({"PATH": os.environ["PATH"]}, tmp_path_factory.mktemp("log") / "server.log", "gunicorn")
    server.folder = tmp_path_factory.mktemp("c# 50%20off what?")
    for name in KEPT:
        copy(ROOT / name, server.folder / name)
    write(server, "http://localhost:3000", wait=0)
    server.start()
    yield server
    server.stop()


def copy(source, target, *ignored):
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", *ignored))
    else:
        shutil.copy(source, target)


def write(server, origins, more="", wait=1.5):
    """The reloader looks once a second, and has to have seen the file as it is."""
    secrets = f"SECRET_KEY={'s' * 50}\nBETTER_AUTH_SECRET={'b' * 50}\n"
    time.sleep(wait)
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


def test_the_database_is_in_the_project_whatever_its_folder_is_called(server):
    server.request("GET", "/health")

    assert (server.folder / "db.sqlite3").exists()


def test_a_change_of_env_is_served_at_once(server):
    write(server, "http://localhost:5173")
    until(lambda: may_call(server, "http://localhost:5173"))
    until(lambda: not may_call(server, "http://localhost:3000"))

    write(server, "http://localhost:5174", "PORT: 1\n")
    until(lambda: ".env, line 4 can't be read" in server.log.read_text())
    until(lambda: may_call(server, "http://localhost:5173"))

    write(server, "http://localhost:5174")
    until(lambda: may_call(server, "http://localhost:5174"))


def edit(server, name, before, after):
    """An editor that is seen by the reloader, which looks once a second."""
    file = server.folder / "config" / name
    text = file.read_text()
    assert before in text
    time.sleep(1.5)
    file.write_text(text.replace(before, after, 1))


def status(server, path):
    try:
        return server.request("GET", path).status
    except OSError:
        return None  # it has no worker at the moment


def test_settings_and_code_are_served_at_once(server):
    """As docs/make-it-yours.md adds notes; a project may have its own. What is wrong meanwhile ends nothing."""
    edit(server, "settings.py", "INSTALLED_APPS = [", "INSTALLED_APPS = [[")
    until(lambda: "'[' was never closed (settings.py" in server.log.read_text())
    until(lambda: status(server, "/health/live") == 200)

    edit(server, "settings.py", "INSTALLED_APPS = [[", 'INSTALLED_APPS = [\n    "jotter",')
    until(lambda: status(server, "/health/live") == 500)
    assert "No module named 'jotter'" in server.log.read_text()

    copy(ROOT / "tests" / "notes", server.folder / "jotter", "apps.py", "migrations")
    edit(server, "urls.py", "\nurlpatterns = [", '\nurlpatterns = [path("api/", include("jotter.urls")),')
    until(lambda: status(server, "/api/alice/notes") == 401)
    until(lambda: status(server, "/api/alice/notes/1") == status(server, "/api/alice/tasks") == 401)

    edit(server, "../jotter/views.py", 'filters = {"pinned"', 'filters = {"pined"')
    until(lambda: status(server, "/health/live") == 500)
    assert "(api.E009) NoteViewSet: pined is nothing to filter by." in server.log.read_text()
    edit(server, "../jotter/views.py", 'filters = {"pined"', 'filters = {"pinned"')
    until(lambda: status(server, "/api/alice/notes") == 401)
