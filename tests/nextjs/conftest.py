import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import browser as browser
from tests.server import ROOT, Answer, Server, free_port, new_database, running

APPLICATION = ROOT / "examples" / "nextjs"
NEXT = APPLICATION / "node_modules" / ".bin" / "next"
PASSWORD = "a long password"


class Site(NamedTuple):
    url: str
    api: Server


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application, built, and the API behind it. A token lives for four seconds."""
    if not NEXT.exists():
        pytest.exit("The example is not installed: run its tests by `make test-nextjs`", returncode=1)
    folder, port = tmp_path_factory.mktemp("nextjs"), free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        more = {"BETTER_AUTH_URL": url, "BETTER_AUTH_SECRET": "", "CORS_ORIGINS": url}
        api = stack.enter_context(running(folder, **more))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NEXT_TELEMETRY_DISABLED": "1",
            "DATABASE_URL": stack.enter_context(new_database(folder)),
            "BETTER_AUTH_URL": url,
            "BETTER_AUTH_SECRET": "a secret of thirty-two characters or more",
            "TOKEN_LIFETIME": "4s",
            "API_URL": f"http://127.0.0.1:{api.port}",
        }
        built = subprocess.run(
            ["npm", "run", "build"], cwd=APPLICATION, env=environment, capture_output=True, text=True, check=False
        )
        assert built.returncode == 0, built.stdout + built.stderr
        command = [str(NEXT), "start", "--hostname", "127.0.0.1", "--port", str(port)]
        log = stack.enter_context((folder / "next.log").open("ab"))
        process = stack.enter_context(
            subprocess.Popen(command, cwd=APPLICATION, env=environment, stdout=log, stderr=log)
        )
        stack.callback(process.terminate)
        wait_for(lambda: urllib.request.urlopen(f"{url}/sign-in").status == 200)  # noqa: S310 - our own
        yield Site(url, api)


def wait_for(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if is_so():
                return
        except OSError:
            pass
        assert time.monotonic() < end
        time.sleep(0.1)


@contextmanager
def no_api(site: Site) -> Iterator[None]:
    """The API is gone at once, whatever it was doing, and is back when the block ends."""
    site.api.process.send_signal(signal.SIGQUIT)
    site.api.process.wait()
    try:
        yield
    finally:
        site.api.start()


class User:
    """Somebody with a browser of their own, signed up; `page` is the list."""

    def __init__(self, context: BrowserContext, site: Site, name: str) -> None:
        self.context, self.site, self.name = context, site, name
        self.email = f"{name.lower()}-{time.monotonic_ns()}@example.com"
        self.page = context.new_page()

    def sign_up(self) -> "User":
        self.page.goto("/")
        self.page.get_by_role("link", name="Sign up").click()
        self.page.get_by_label("Name").fill(self.name)
        self.page.get_by_label("E-mail").fill(self.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        in_vain = self.page.get_by_role("alert").filter(has_text="Too many requests")  # three in ten seconds may
        heading = self.page.get_by_role("heading", name=f"{self.name}\u2019s tasks")
        while not heading.is_visible():
            self.page.get_by_role("button", name="Sign up").click()
            heading.or_(in_vain).wait_for()
            if in_vain.is_visible():
                time.sleep(2)
        return self

    def without_scripts(self) -> Page:
        """A page of a browser of theirs that runs none."""
        assert self.context.browser
        context = self.context.browser.new_context(
            base_url=self.site.url, java_script_enabled=False, storage_state=self.context.storage_state()
        )
        return context.new_page()

    def token(self) -> str:
        token: str = self.page.request.get("/api/auth/token").json()["token"]
        return token

    def ask_api(self, *requests: tuple[Any, ...]) -> list[Answer]:
        """Requests of the API as from another place, with a token of their own: method, path from `/tasks` on, body."""
        user_id = self.page.request.get("/api/auth/get-session").json()["user"]["id"]
        bearer = {"Authorization": f"Bearer {self.token()}"}
        return [
            self.site.api.request(method, f"/api/{user_id}{path}", *body, **bearer) for method, path, *body in requests
        ]

    def tasks(self) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = self.ask_api(("GET", "/tasks"))[0].json()
        return tasks

    def titles(self) -> list[str]:
        return [task["title"] for task in self.tasks()]

    def another_tab(self) -> Page:
        page = self.context.new_page()
        page.goto("/tasks")
        return page


@pytest.fixture
def signed_up(browser: Browser, site: Site) -> Iterator[Callable[..., User]]:
    """Signs somebody up. A mistake in a page's scripts fails the test."""
    mistakes: list[str] = []
    contexts = []

    def signed_up(name: str, *, width: int = 1280, scheme: Literal["light", "dark"] = "light", **options: Any) -> User:
        context = browser.new_context(
            base_url=site.url, viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        contexts.append(context)
        context.set_default_timeout(10_000)  # milliseconds
        context.on("weberror", lambda error: mistakes.append(str(error.error)))
        return User(context, site, name).sign_up()

    yield signed_up
    for context in contexts:
        context.close()
    assert mistakes == []
