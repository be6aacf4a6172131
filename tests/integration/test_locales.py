"""Commands in a terminal whose locale knows ASCII only, as in many containers and cron jobs."""

import json

import pytest

from tests.server import manage, new_database, production

USER, TITLE = "żółw-😀", "Zoë kupi 牛奶"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    with new_database(tmp_path_factory.mktemp("locale")) as url:
        environment = production(url)
        assert manage(environment, "migrate").returncode == 0
        yield environment | {"PYTHONIOENCODING": "ascii"}


@pytest.fixture
def task(environment):
    code = f"Task.objects.get_or_create(user_id={USER!r}, title={TITLE!r})"
    assert manage(environment, "shell", "--command", code).returncode == 0


@pytest.mark.usefixtures("task")
@pytest.mark.parametrize("arguments", [["--format", "json"], ["--format", "csv", "--resource", "tasks"]])
def test_an_export_is_utf_8_in_any_locale(environment, arguments):
    exported = manage(environment, "export_user", USER, *arguments)

    assert (exported.returncode, exported.stderr) == (0, "Exported 1 task.\n")
    assert TITLE in exported.stdout
    if "json" in arguments:
        assert json.loads(exported.stdout)["tasks"][-1]["user_id"] == USER


@pytest.mark.usefixtures("task")
def test_what_a_terminal_can_not_show_is_escaped_and_the_command_goes_on(environment):
    erased = manage(environment, "erase_user", USER, "--yes")

    assert (erased.returncode, "Traceback" in erased.stderr) == (0, False)
    assert USER.encode("ascii", "backslashreplace").decode() in erased.stdout
    assert "has nothing" in manage(environment, "export_user", USER).stderr


@pytest.mark.parametrize("command", ["doctor", "erase_user", "export_user", "mint_token", "seed_tasks"])
def test_help_can_be_read_in_any_locale(environment, command):
    assert manage(environment, command, "--help").returncode == 0
