"""Swagger UI, by whoever looks at the API for the first time: a token, then one click after the other."""

import re

import pytest
import yaml
from playwright.sync_api import expect

from tests.server import ROOT, running
from tests.tokens import token

PATHS = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())["paths"]
OPERATIONS = {operation["operationId"]: method for item in PATHS.values() for method, operation in item.items()}
# The first makes the task that the next are about; what takes it away again comes last.
FIRST, LAST = ["createTask"], ["deleteTask", "eraseUser"]
ORDER = [*FIRST, *sorted(OPERATIONS.keys() - {*FIRST, *LAST}), "createTask", *LAST]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """With nothing in it, so that the first task is number 1, as in the examples."""
    with running(tmp_path_factory.mktemp("docs"), API_DOCS="true") as server:
        yield server


def test_the_first_click_on_every_operation_succeeds(server, browser):
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)  # milliseconds
    mistakes = []
    context.on("weberror", lambda error: mistakes.append(str(error.error)))
    context.on("console", lambda message: mistakes.append(message.text) if "Security Policy" in message.text else None)
    page = context.new_page()
    page.goto("/api/docs")
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("Value").fill(token("alice"))
    page.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").click()

    statuses = []
    for operation_id in ORDER:
        block = page.locator(f'[id$="-{operation_id}"]')
        if not block.get_by_role("button", name="Execute").count():
            block.locator(".opblock-summary-control").click()
            block.get_by_role("button", name="Try it out").click()
        with page.expect_response(lambda response: "/api/schema" not in response.url) as sent:
            block.get_by_role("button", name="Execute").click()
        statuses.append((operation_id, sent.value.status, sent.value.headers.get("idempotency-replayed")))
        shown = block.locator(".live-responses-table tr.response .response-col_status")
        expect(shown).to_contain_text(str(sent.value.status))

    context.close()
    assert mistakes == []
    assert [one for one in statuses if not re.fullmatch("20[014]", str(one[1])) or one[2]] == []
    assert len({operation_id for operation_id, _, _ in statuses}) == len(OPERATIONS)
