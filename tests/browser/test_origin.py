"""A page on another origin, without a framework, calls the API from a real browser."""

import http.client
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.key_server import KeyPair
from tests.server import Server, free_port, running
from tests.tokens import token

# Sends one request, and tells all that a script may know of the answer.
SEND = """async ({url, token, json, ...init}) => {
    const headers = {...init.headers};
    if (token) headers.Authorization = `Bearer ${token}`;
    if (json !== undefined) { headers["Content-Type"] ??= "application/json"; init.body ??= JSON.stringify(json); }
    const answer = await fetch(url, {...init, headers});
    const text = await answer.text();
    return {status: answer.status, url: answer.url, headers: Object.fromEntries(answer.headers), text,
            json: text && JSON.parse(text)};
}"""
HOP_BY_HOP = {"connection", "transfer-encoding", "date", "server", "content-length"}


class Pages(ThreadingHTTPServer):
    """Serves an empty page, and the API under /tasks-api as a frontend's rewrite has it."""

    daemon_threads = True
    api_port = 0
    lose_answers = 0  # so many answers are never sent: their connection is closed


class Handler(BaseHTTPRequestHandler):
    server: Pages
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.path.startswith("/tasks-api/"):
            return self.answer(200, [("Content-Type", "text/html")], b"<!doctype html><title>A page</title>")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.api_port, timeout=20)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        connection.request(self.command, self.path.removeprefix("/tasks-api"), body or None, headers)
        got = connection.getresponse()
        answer = got.status, [(n, v) for n, v in got.getheaders() if n.lower() not in HOP_BY_HOP], got.read()
        connection.close()
        if self.command == "POST" and self.server.lose_answers:
            self.server.lose_answers -= 1
            self.close_connection = True
            return None
        return self.answer(*answer)

    do_POST = do_GET  # noqa: N815 - what http.server calls

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class World(NamedTuple):
    pages: Pages
    api: Server
    keyless: Server  # an API whose key server can't be reached
    origin: str  # of that key server

    def log(self) -> list[str]:
        """Method, path and status of what has reached the API."""
        return re.findall(r'"message": "127\.0\.0\.1 (\S+ \S+ \d+) ', self.api.log.read_text())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        pages = stack.enter_context(Pages(("127.0.0.1", 0), Handler))
        origin = {"CORS_ORIGINS": f"http://127.0.0.1:{pages.server_port}", "WEB_CONCURRENCY": "1"}
        api = stack.enter_context(running(tmp_path_factory.mktemp("api"), **origin))
        nowhere = f"http://127.0.0.1:{free_port()}"
        no_keys = {"BETTER_AUTH_URL": nowhere, "BETTER_AUTH_SECRET": ""}
        keyless = stack.enter_context(running(tmp_path_factory.mktemp("keyless"), **origin, **no_keys))
        pages.api_port = api.port
        threading.Thread(target=pages.serve_forever, kwargs={"poll_interval": 0.01}).start()
        stack.callback(pages.shutdown)
        yield World(pages, api, keyless, nowhere)


@pytest.fixture
def page(browser: Browser, world: World) -> Iterator[Page]:
    with browser.new_context(base_url=f"http://127.0.0.1:{world.pages.server_port}") as context:
        page = context.new_page()
        page.goto("/")
        yield page


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """A user of this test alone."""
    name: str = request.node.name
    return name


@pytest.fixture
def send(page: Page, world: World, user: str) -> Callable[..., Any]:
    """Sends a request from the page, with that user's token and path unless told otherwise."""

    def send(method: str = "GET", path: str = "", *, base: str | None = None, of: str = user, **more: Any) -> Any:
        url = f"{base or f'http://127.0.0.1:{world.api.port}'}/api/{of}/tasks{path}"
        return page.evaluate(SEND, {"url": url, "method": method, "token": token(user), **more})

    return send


def test_every_status_can_be_read(send, world, user):
    key = {"Idempotency-Key": "one"}
    made = send("POST", json={"title": "Buy milk"}, headers=key)
    task = f"/{made['json']['id']}"
    answers = [
        made,
        send(),
        send("GET", task),
        send("PUT", task, json={"title": "Buy bread"}, headers={"If-Match": made["headers"]["etag"]}),
        send("PATCH", task, json={"completed": True}),
        send("GET", headers={"If-None-Match": send()["headers"]["etag"]}),
        send("POST", json={}, body="{"),
        send(token=None),
        send(token="not-a-token"),
        send(of="bob"),
        send("GET", "/0"),
        send("GET", "/"),
        send("DELETE"),
        send("PUT", task, json={"title": "Buy rice"}, headers={"If-Match": '"old"'}),
        send("POST", json={"title": "x" * 70_000}),
        send("POST", json={"title": "Milk"}, headers={"Content-Type": "text/plain"}),
        send("POST", json={"title": " "}),
        send("DELETE", task),
        send("POST", json={"title": "Buy milk"}, headers=key),
        send(base=f"http://127.0.0.1:{world.keyless.port}", token=KeyPair("1").token(world, user)),
    ]

    statuses = [answer["status"] for answer in answers]
    assert statuses[:6] == [201, 200, 200, 200, 200, 304]
    assert statuses[6:] == [400, 401, 401, 403, 404, 404, 405, 412, 413, 415, 422, 204, 410, 503]
    for answer in answers:
        assert answer["headers"]["x-request-id"]
        assert answer["status"] < 400 or answer["json"]["detail"]


def test_every_header_can_be_read(send, world, user):
    key = {"Idempotency-Key": "one"}

    made = send("POST", json={"title": "Buy milk"}, headers=key)
    again = send("POST", json={"title": "Buy milk"}, headers=key)
    send("POST", json={"title": "Buy bread"})
    page = send(path="?limit=1")
    refused = send(token=None)
    wrong_method = send("DELETE")
    unavailable = send(base=f"http://127.0.0.1:{world.keyless.port}", token=KeyPair("1").token(world, user))

    assert made["headers"]["location"].endswith(f"/tasks/{made['json']['id']}")
    assert made["headers"]["etag"] == f'"{made["json"]["updated_at"]}"'
    assert again["headers"]["idempotency-replayed"] == "true"
    assert 'rel="next"' in page["headers"]["link"]
    assert refused["headers"]["www-authenticate"] == 'Bearer realm="api"'
    assert "POST" in wrong_method["headers"]["allow"]
    assert int(unavailable["headers"]["retry-after"]) > 0


def test_credentials_that_are_sent_by_habit_do_no_harm(send):
    assert send("POST", json={"title": "Buy milk"}, credentials="include")["status"] == 201


def test_a_wrong_origin_never_gets_as_far_as_the_api(page, send, world, user):
    send("POST", json={"title": "Buy milk"})
    page.goto(f"http://localhost:{world.pages.server_port}/")
    before = len(world.log())

    for request in ({}, {"method": "POST", "json": {"title": "Buy bread"}}, {"token": None}):
        with pytest.raises(Error, match="Failed to fetch"):
            send(**request)

    kinds = [line.split()[0] for line in world.log()[before:]]
    assert kinds == ["OPTIONS", "OPTIONS", "GET"]  # the last has nothing that would be asked about, and is a 401


def test_a_method_in_small_letters_never_arrives(send):
    task = send("POST", json={"title": "Buy milk"})["json"]["id"]

    with pytest.raises(Error, match="Failed to fetch"):
        send("patch", f"/{task}", json={"completed": True})
    assert send("put", f"/{task}", json={"title": "Buy bread"})["status"] == 200


def test_a_reload_costs_a_304(page, send, world, user):
    send("POST", json={"title": "Buy milk"})
    first = send()
    page.reload()

    again = send()

    assert (again["status"], again["text"]) == (200, first["text"])  # as the script sees it
    assert world.log()[-1] == f"GET /api/{user}/tasks 304"


@pytest.mark.parametrize("cache", ["default", "force-cache", "only-if-cached"])
def test_no_list_comes_out_of_the_cache_for_others(page, send, user, cache):
    """`force-cache` takes what it has, however old, unless `Vary` says that it was for another token."""
    base = f"http://127.0.0.1:{page.url.split(':')[2].strip('/')}/tasks-api"  # only-if-cached is for one's own origin
    send("POST", json={"title": "Buy milk"})
    assert len(send(base=base)["json"]) == 1
    init = {"base": base, "cache": cache, **({"mode": "same-origin"} if cache == "only-if-cached" else {})}

    for other, status in ((token("bob"), 403), (None, 401)):
        if cache == "only-if-cached":
            with pytest.raises(Error, match="Failed to fetch"):
                send(token=other, **init)
        else:
            assert send(token=other, **init)["status"] == status


def test_a_preflight_is_for_one_url(send, world, user):
    tasks = [send("POST", json={"title": title})["json"]["id"] for title in ("Buy milk", "Buy bread")]
    before = len(world.log())

    for task in (*tasks, *tasks):
        send("PATCH", f"/{task}", json={"completed": True})

    asked = [line for line in world.log()[before:] if line.startswith("OPTIONS")]
    assert asked == [f"OPTIONS /api/{user}/tasks/{task} 200" for task in tasks]


def test_behind_a_prefix_of_the_pages_own_origin(send, world, user):
    base = f"http://127.0.0.1:{world.pages.server_port}/tasks-api"
    before = len(world.log())
    for title in ("Apples", "Bread", "Cheese"):
        assert send("POST", json={"title": title}, base=base)["status"] == 201

    titles, url = [], "?limit=1"
    while url:
        answer = send(path=url, base=base)
        titles += [task["title"] for task in answer["json"]]
        link = re.search(r'<([^>]*)>; rel="next"', answer["headers"].get("link", ""))
        url = urljoin(answer["url"], link[1]).removeprefix(f"{base}/api/{user}/tasks") if link else ""

    assert titles == ["Apples", "Bread", "Cheese"]
    assert not [line for line in world.log()[before:] if line.startswith("OPTIONS")]


def test_a_post_that_the_browser_itself_repeats(send, world):
    """On a connection that was used before, Chromium sends once more what has got no answer, and tells nobody."""
    base = f"http://127.0.0.1:{world.pages.server_port}/tasks-api"
    send(base=base)
    before = len(world.log())
    world.pages.lose_answers = 1

    answer = send("POST", json={"title": "Buy milk"}, base=base, headers={"Idempotency-Key": "one"})

    assert (answer["status"], answer["headers"]["idempotency-replayed"]) == (201, "true")
    assert [line.split()[0] for line in world.log()[before:]] == ["POST", "POST"]
    assert len(send(base=base)["json"]) == 1


def test_a_body_that_node_sends_in_chunks(world, user):
    script = """
        const [url, token] = process.argv.slice(1);
        const headers = {Authorization: `Bearer ${token}`, "Content-Type": "application/json"};
        const body = new Blob([JSON.stringify({title: "Buy milk"})]).stream();
        const request = new Request(url, {method: "POST", headers, body, duplex: "half"});
        for (const sent of [request.clone(), request]) console.log((await fetch(sent)).status);
    """
    url = f"http://127.0.0.1:{world.api.port}/api/{user}/tasks"
    command = ["node", "--input-type=module", "--eval", script, url, token(user)]

    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout.split() == ["201", "201"]
