import os
import shutil
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.server import Server, manage, running

PASSWORD = "correct horse battery staple"
ACCOUNTS = """
from django.contrib.auth.models import Group, User
agent = User.objects.create_user("agent", password={password!r}, is_staff=True)
agent.groups.add(Group.objects.get(name="Support"))
User.objects.create_superuser("root", password={password!r})
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.fail("These tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        no_sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it has none for root
        browser = playwright.chromium.launch(executable_path=found, args=no_sandbox)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The API as in production, with two accounts: agent, of the group Support, and root, a superuser."""
    with running(tmp_path_factory.mktemp("server"), API_DOCS="true") as server:
        made = manage(server.environment, "shell", "--command", ACCOUNTS.format(password=PASSWORD))
        assert made.returncode == 0, made.stderr
        yield server


@pytest.fixture
def make_task(server: Server) -> Callable[..., int]:
    """Makes a task as its user does, and tells its id."""

    def make_task(user: str, title: str, description: str | None = None) -> int:
        body = {"title": title, "description": description}
        made: int = server.request("POST", f"/api/{user}/tasks", body, user=user).json()["id"]
        return made

    return make_task


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens a page with a session of its own. A mistake in a script, or one that the policy forbids, fails the test."""
    mistakes: list[str] = []

    def read_console(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            mistakes.append(message.text)

    contexts = []

    def open_page(username: str = "agent", *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Page:
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{server.port}", viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        context.set_default_timeout(10_000)  # milliseconds
        context.on("weberror", lambda error: mistakes.append(str(error.error)))
        context.on("console", read_console)
        page = context.new_page()
        page.goto("/admin/")
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_text(f"Welcome, {username}").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert mistakes == []
