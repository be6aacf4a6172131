"""What the README and the pages beside it show is what happens."""

import re

import pytest
from django.urls import get_resolver

from tests.api.test_access import routes
from tests.console import played
from tests.server import ROOT

pytestmark = pytest.mark.once
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
GUIDE = (ROOT / "docs" / "api.md").read_text()


def normalized(text):
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "TIME", text)


def test_the_curl_session_is_true(tmp_path):
    [session] = re.findall(r"```console\n(.*?)```", README, re.DOTALL)

    shown = played(session, tmp_path, after_each="echo")

    assert [line for line in normalized(shown).splitlines() if line] == normalized(session).splitlines()


def test_the_view_of_tasks_is_quoted_as_it_is():
    [quoted] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    assert quoted in (ROOT / "tasks" / "views.py").read_text()


def anchors(page):
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_every_link_leads_somewhere():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("examples/*/*.md")]
    links = [(page, *link) for page in pages for link in re.findall(r"\]\(([\w./-]*)#?([\w-]*)\)", page.read_text())]

    assert len(links) > 50
    for page, path, anchor in links:
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), (page, path)
        assert not anchor or anchor in anchors(target), (page, path, anchor)


def test_every_variable_is_explained():
    config = "".join(module.read_text() for module in (ROOT / "config").glob("*.py"))
    read = set(
        re.findall(r'env\.(?:text|one_of|whole_number|boolean|listed|networks|header_names)\(\s*"([A-Z_]+)"', config)
    )
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION, re.MULTILINE))
    example = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert len(read) > 10
    assert read == explained == example


def test_every_endpoint_is_listed():
    listed = set(re.findall(r"^\| `[A-Z]+ (/[^`]*)` \|", GUIDE, re.MULTILINE))

    assert listed == {
        "/api/{user_id}",
        "/api/{user_id}/tasks",
        "/api/{user_id}/tasks/{id}",
        "/health",
        "/health/live",
        "/api/schema",
        "/api/docs",
    }
    served = {re.sub(r"<\w+:(\w+)>", r"{\1}", f"/{route}") for route in routes(get_resolver("config.urls"))}
    of_other_resources = {path for path in served if path.startswith("/api/{user_id}/") and "/tasks" not in path}
    assert served - of_other_resources - {"/admin", "/admin/"} == listed
