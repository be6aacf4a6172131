"""The contract holds through the proxy, the pooler and two instances."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urljoin

import httpx
import psycopg
import pytest

from tests.api.test_access import ALLOW, EXPIRED, INVALID, METHODS, MISMATCH, MISSING, PUBLIC
from tests.browser.conftest import ACCOUNTS, PASSWORD
from tests.deploy.stack import Nginx, stack
from tests.server import manage
from tests.tokens import token

ORIGIN = "https://app.example.com"


@pytest.fixture
def client(pooled):
    with httpx.Client(base_url=f"http://127.0.0.1:{pooled.nginx.port}", timeout=30) as client:
        yield client


def of(user, **more):
    return {"Authorization": f"Bearer {token(user)}", **more}


def make(client, user, count=1, **headers):
    made = [
        client.post(f"/api/{user}/tasks", json={"title": f"Task {n}"}, headers=of(user, **headers))
        for n in range(count)
    ]
    assert {answer.status_code for answer in made} == {201}
    return [answer.json() for answer in made]


def served(pooled):
    """How many requests each instance has had, by its own log."""
    return [len(re.findall(r"gunicorn.access", instance.log.read_text())) for instance in pooled.instances]


CALLERS = {
    "own": (None, of("alice")),
    "nobody": (MISSING, {}),
    "expired": (EXPIRED, {"Authorization": f"Bearer {token('alice', exp=int(time.time()) - 1)}"}),
    "forged": (INVALID, {"Authorization": f"Bearer {token('alice', secret='x' * 40)}"}),
    "another": (MISMATCH, of("bob")),
}


@pytest.mark.parametrize("caller", CALLERS)
def test_the_table_of_access(client, caller):
    refusal, headers = CALLERS[caller]
    for route, methods in METHODS.items():
        if "/tasks" not in route:  # another resource of the tests
            continue
        for method, status in methods.items():
            [task] = make(client, "alice")
            path = "/" + re.sub("<str:.*?id>", str(task["id"]), route.replace("<user_id:user_id>", "alice"))
            answer = client.request(method, path, json={"title": "x", "completed": True}, headers=headers)
            expected, detail, challenge = refusal or (status, None, None)
            assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (expected, challenge), (method, path)
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert answer.headers["X-Request-ID"]
            if detail and method != "HEAD":
                assert answer.json() == {"detail": detail}
            if expected == 405:
                assert answer.headers["Allow"] == ALLOW[route]


def test_public_pages_and_unknown_ones(client):
    for route in set(PUBLIC) & {"health", "health/live"}:
        assert client.get(f"/{route}").status_code == 200
    for path in ("/", "/nope", "/api/alice/tasks/", "/proxy-error", "//health", "/api//tasks"):
        answer = client.get(path, headers=of("alice"))
        assert answer.status_code in {403, 404}, path
        assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize("user", ["a/b", "a%2Fb", "..", "ä ö", "x?y#z", "a//b", "a+b", "日本", "a;b"])
def test_any_user_id_is_passed_on_as_it_came(pooled, user):
    answer = pooled.front.request("POST", f"/api/{quote(user, safe='')}/tasks", {"title": "x"}, user)

    assert (answer.status, answer.json().get("user_id")) == (201, user)


def test_pages_lead_over_both_instances(pooled, client):
    made = [task["id"] for task in make(client, "paula", 25)]
    before, url, found = served(pooled), "/api/paula/tasks?limit=2", []
    while url:
        answer = client.get(url, headers=of("paula"))
        found += [task["id"] for task in answer.json()]
        following = answer.links.get("next", {}).get("url")
        url = following and urljoin(url, following)

    assert found == made
    assert all(now > then for now, then in zip(served(pooled), before, strict=True))


def test_one_key_at_once_on_both_makes_one_task(pooled, client):
    def create(number):
        port = pooled.instances[number % 2].port
        url = f"http://127.0.0.1:{port}/api/ike/tasks"
        return httpx.post(url, json={"title": "Once"}, headers=of("ike", **{"Idempotency-Key": "k"}), timeout=30)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(create, range(40)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(client.get("/api/ike/tasks", headers=of("ike")).json()) == 1


def test_etags_survive_compression(client):
    body = {"title": "x" * 200, "description": "y" * 1000}
    task = client.post("/api/eve/tasks", json=body, headers=of("eve")).json()
    path = f"/api/eve/tasks/{task['id']}"

    got = client.get(path, headers=of("eve", **{"Accept-Encoding": "gzip"}))
    tag = got.headers["ETag"]
    again = client.get(path, headers=of("eve", **{"If-None-Match": tag}))
    edited = client.put(path, json={"title": "z"}, headers=of("eve", **{"If-Match": tag}))
    stale = client.put(path, json={"title": "z"}, headers=of("eve", **{"If-Match": tag}))

    assert got.headers["Content-Encoding"] == "gzip"
    assert tag.startswith('W/"')
    assert "Accept-Encoding" in got.headers["Vary"]
    assert got.json() == task
    assert [again.status_code, edited.status_code, stale.status_code] == [304, 200, 412]


def test_a_body_in_chunks_is_taken_and_its_limit_holds(client):
    small = client.post(
        "/api/carl/tasks",
        content=iter([b'{"title":', b' "x"}']),
        headers=of("carl", **{"Content-Type": "application/json"}),
    )
    large = client.post(
        "/api/carl/tasks", content=iter([b"x" * 1000] * 70), headers=of("carl", **{"Content-Type": "application/json"})
    )

    assert small.status_code == 201
    assert large.status_code == 413
    assert list(large.json()) == ["detail"]


def test_what_a_client_says_of_itself_is_thrown_away(pooled, client):
    client.get(
        "/api/alice/tasks",
        headers={
            "X-Forwarded-For": "203.0.113.9",
            "X_Forwarded_For": "203.0.113.9",
            "X-Request-ID": "told-by-the-client",
        },
    )

    lines = [
        line for each in pooled.instances for line in each.log.read_text().splitlines() if "told-by-the-client" in line
    ]
    assert lines
    assert all("203.0.113.9" not in line for line in lines)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 70000\r\n\r\n", 413),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/7.0\r\nHost: 127.0.0.1\r\n\r\n", 505),
    ],
)
def test_what_the_proxy_refuses_has_the_shape_of_the_api(pooled, data, status):
    answer = pooled.front.raw(data)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert re.fullmatch(rb'\{"detail": "[^"]+"\}', body)
    assert re.search(rb"\r\nX-Request-ID: [0-9a-f]{32}\r\n", head)
    assert re.search(rb"\r\nServer: nginx\r\n", head)


def test_without_an_instance_it_is_a_502_that_a_browser_can_read(pooled, tmp_path):
    nginx = Nginx(tmp_path / "nginx")
    (nginx.folder / "site" / "upstream.conf").write_text("server 127.0.0.1:1 max_fails=0;\n")
    nginx.start()
    try:
        answer = httpx.get(f"http://127.0.0.1:{nginx.port}/api/alice/tasks", headers=of("alice", Origin=ORIGIN))
        foreign = httpx.get(f"http://127.0.0.1:{nginx.port}/", headers={"Origin": "https://evil.example"})
    finally:
        nginx.stop()

    assert (answer.status_code, list(answer.json())) == (502, ["detail"])
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in foreign.headers


@pytest.mark.parametrize("limited", [True, False])
def test_who_asks_too_often_waits_and_others_do_not(pooled, tmp_path, limited):
    nginx = Nginx(tmp_path / "nginx", limited=limited)
    nginx.upstream(*pooled.instances)
    nginx.start()
    try:
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}", timeout=30) as client,
            ThreadPoolExecutor(8) as pool,
        ):
            own = of("greta", Origin=ORIGIN)
            answers = list(pool.map(lambda _: client.get("/api/greta/tasks", headers=own), range(350)))
            other = client.get("/api/henry/tasks", headers=of("henry"))
    finally:
        nginx.stop()

    refused = [answer for answer in answers if answer.status_code == 429]
    assert bool(refused) == limited
    assert {answer.status_code for answer in answers} <= {200, 429}
    assert other.status_code == 200
    for answer in refused:
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert list(answer.json()) == ["detail"]


def test_staff_work_over_both_instances(pooled, client):
    accounts = manage(pooled.environment, "shell", "--command", ACCOUNTS.format(password=PASSWORD))
    assert accounts.returncode == 0, accounts.stderr
    [task] = make(client, "alice")
    page = f"/admin/tasks/task/{task['id']}/change/"

    cookies: dict[str, str] = {}

    def ask(method, url, **more):
        jar = "; ".join(f"{name}={value}" for name, value in cookies.items())  # httpx keeps them from plain HTTP
        headers = {"Cookie": jar, "Origin": f"http://127.0.0.1:{pooled.nginx.port}"}
        answer = client.request(method, url, headers=headers, **more)
        cookies.update(line.partition(";")[0].split("=", 1) for line in answer.headers.get_list("Set-Cookie"))
        return answer

    def submit(url, **fields):
        form = ask("GET", url).text
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', form))
        return ask("POST", url, data=hidden | fields)

    signed_in = submit("/admin/login/", username="agent", password=PASSWORD)
    before = served(pooled)
    changed = [submit(page, title=f"Corrected {number}", description="", _save="Save") for number in range(6)]
    title = client.get(f"/api/alice/tasks/{task['id']}", headers=of("alice")).json()["title"]

    assert signed_in.status_code == 302, signed_in.text
    assert {answer.status_code for answer in changed} == {302}
    assert title == "Corrected 5"
    assert all(now > then for now, then in zip(served(pooled), before, strict=True))


def test_a_secret_changes_by_drains_and_nobody_is_signed_out():
    old, new = "the-old-secret-of-thirty-two-bytes-or-more", "the-new-secret-of-thirty-two-bytes-or-more"
    with stack(BETTER_AUTH_SECRET=old) as running:
        answers: list[int] = []

        def replace(**environment):
            for instance in running.instances:
                running.nginx.upstream(*running.instances, down=instance)
                running.nginx.reload()
                instance.stop()
                instance.environment.update(environment)
                instance.start()
                running.nginx.upstream(*running.instances)
                running.nginx.reload()
                answers.extend(ask(secret) for secret in signed_by for _ in range(4))

        def ask(secret):
            authorization = f"Bearer {token('alice', secret=secret)}"
            return running.front.request("GET", "/api/alice/tasks", Authorization=authorization).status

        signed_by = [old]
        replace(BETTER_AUTH_SECRETS=f"2:{new},1:{old}")
        signed_by = [old, new]
        answers += [ask(secret) for secret in signed_by * 4]
        signed_by = [new]
        replace(BETTER_AUTH_SECRET=new, BETTER_AUTH_SECRETS="")

        assert set(answers) == {200}
        assert ask(old) == 401


def test_every_command_works_through_the_pooler(pooled, client):
    make(client, "quinn", 3)
    commands = [
        ["migrate", "--check"],
        ["check", "--database", "default", "--fail-level", "WARNING"],
        ["mint_token", "quinn", "--force"],
        ["export_user", "quinn"],
        ["erase_user", "quinn", "--yes"],
        ["purge_idempotency_keys"],
        ["clearsessions"],
        ["axes_reset"],
        ["shell", "--command", "print(Task.objects.owned_by('quinn').count())"],
        ["makemigrations", "--check", "--dry-run"],
    ]
    for command in commands:
        done = manage(pooled.environment, *command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    assert done.returncode == 0
    assert client.get("/api/quinn/tasks", headers=of("quinn")).json() == []
    with psycopg.connect(pooled.database.url) as connection:
        prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared == (0,)
