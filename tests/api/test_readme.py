"""What the README shows is what happens."""

import re

from django.urls import get_resolver

from tests.console import played
from tests.server import ROOT

README = (ROOT / "README.md").read_text()


def normalized(text):
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "TIME", text)


def test_the_curl_session_is_true(tmp_path):
    [session] = re.findall(r"```console\n(.*?)```", README, re.DOTALL)

    shown = played(session, tmp_path, after_each="echo")

    assert [line for line in normalized(shown).splitlines() if line] == normalized(session).splitlines()


def test_every_variable_is_explained():
    config = "".join(module.read_text() for module in (ROOT / "config").glob("*.py"))
    read = set(
        re.findall(r'env\.(?:text|one_of|whole_number|boolean|listed|networks|header_names)\(\s*"([A-Z_]+)"', config)
    )
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))
    example = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert len(read) > 10
    assert read == explained == example


def test_every_endpoint_is_listed():
    listed = set(re.findall(r"^\| `[A-Z]+ (/[^`]*)` \|", README, re.MULTILINE))

    assert listed == {
        "/api/{user_id}",
        "/api/{user_id}/tasks",
        "/api/{user_id}/tasks/{id}",
        "/health",
        "/health/live",
        "/api/schema",
        "/api/docs",
    }
    assert len(get_resolver("config.urls").url_patterns) == 7
