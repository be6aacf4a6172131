"""Commands in a terminal whose locale knows ASCII only, as in many containers and cron jobs."""

import json
import re
import subprocess
import sys

import pytest

from tests.server import ROOT, manage, new_database, production

pytestmark = pytest.mark.once
USER, ERASED, TITLE = "żółw-😀", "żółw", "Zoë kupi 牛奶"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Of a database with a task of USER's, and one of somebody's who is to be erased."""
    with new_database(tmp_path_factory.mktemp("locale"), migrated=True) as url:
        environment = production(url)
        code = f"for user_id in ({USER!r}, {ERASED!r}): Task.objects.create(user_id=user_id, title={TITLE!r})"
        assert manage(environment, "shell", "--command", code).returncode == 0
        yield environment | {"PYTHONIOENCODING": "ascii"}


@pytest.mark.parametrize("arguments", [["--format", "json"], ["--format", "csv", "--resource", "tasks"]])
def test_an_export_is_utf_8_in_any_locale(environment, arguments):
    exported = manage(environment, "export_user", USER, *arguments)

    assert exported.returncode == 0
    assert re.match(r"Exported 1 task\b", exported.stderr)  # and how many of your own
    assert TITLE in exported.stdout
    if "json" in arguments:
        assert json.loads(exported.stdout)["tasks"][-1]["user_id"] == USER


def test_what_a_terminal_can_not_show_is_escaped_and_the_command_goes_on(environment):
    erased = manage(environment, "erase_user", ERASED, "--yes")

    assert (erased.returncode, "Traceback" in erased.stderr) == (0, False)
    assert ERASED.encode("ascii", "backslashreplace").decode() in erased.stdout
    assert "has nothing" in manage(environment, "export_user", ERASED).stderr


def test_help_can_be_read_in_any_locale(environment):
    """Of all commands; in one process, because each takes half a second to start."""
    code = """
import runpy, sys
for command in ("doctor", "erase_user", "export_user", "mint_token", "seed_tasks"):
    sys.argv = ["manage.py", command, "--help"]
    try:
        runpy.run_path("manage.py", run_name="__main__")
    except SystemExit as ended:
        assert not ended.code
"""
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert shown.stdout.count("usage: manage.py") == 5, shown.stderr
