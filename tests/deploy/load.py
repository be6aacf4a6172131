"""A dozen clients that keep books: what was acknowledged, what failed and how, and what of it the database has."""

import http.client
import json
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.deploy.stack import wait_until
from tests.tokens import token

REUSED_AND_CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass
class Outcome:
    """What one request came to. `status` 0 is no answer."""

    method: str
    status: int
    started: float
    ended: float
    title: str = ""
    task: int = 0
    completed: bool = False
    request_id: str = ""


@dataclass
class Client:
    """One user at one connection. A task whose write failed is left alone from then on, to be looked at in the end."""

    port: int
    user: str
    pause: float
    stop: threading.Event
    outcomes: list[Outcome] = field(default_factory=list)
    tasks: dict[int, tuple[str, bool]] = field(default_factory=dict)  # what was acknowledged: title and completed
    deleted: set[int] = field(default_factory=set)
    reconnected: int = 0
    wrong: list[str] = field(default_factory=list)  # answers of 4xx, or that were not what was sent
    connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        choose = random.Random(self.user)  # noqa: S311 - the same mix each time
        self.authorization = f"Bearer {token(self.user)}"
        while not self.stop.is_set():
            kind = choose.choices(["list", "detail", "create", "put", "patch", "delete"], [20, 20, 25, 15, 15, 5])[0]
            task = choose.choice(list(self.tasks)) if self.tasks else 0
            if kind in {"create", "list"} or not task:
                self.create() if kind == "create" else self.ask("GET", "?limit=50")
            elif kind == "detail":
                self.ask("GET", f"/{task}", task=task)
            else:
                self.write(kind, task)
            self.stop.wait(self.pause)
        self.close()

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None

    def create(self) -> None:
        title = uuid.uuid4().hex
        made = self.ask("POST", "", {"title": title}, title=title)
        if made:
            self.tasks[made["id"]] = title, False

    def write(self, kind: str, task: int) -> None:
        """Always a change, so that it shows whether it was carried out."""
        title, completed = self.tasks.pop(task)
        if kind == "put":
            title = uuid.uuid4().hex
            done = self.ask("PUT", f"/{task}", {"title": title}, title=title, task=task)
        elif kind == "patch":
            completed = not completed
            done = self.ask("PATCH", f"/{task}", {"completed": completed}, task=task, completed=completed)
        elif done := self.ask("DELETE", f"/{task}", task=task):
            self.deleted.add(task)
            return
        if done:
            self.tasks[task] = title, completed

    def ask(
        self, method: str, path: str, body: Any = None, *, title: str = "", task: int = 0, completed: bool = False
    ) -> Any:
        """The answer of 2xx, or None. A kept connection that was closed meanwhile is renewed, as browsers do."""
        started, headers = time.monotonic(), {"Authorization": self.authorization}
        content = None if body is None else json.dumps(body)
        if content:
            headers["Content-Type"] = "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = title
        status, answer, request_id = 0, b"", ""
        for again in (False, True):
            reused = self.connection is not None
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=45)
                self.connection.request(method, f"/api/{self.user}/tasks{path}", content, headers)
                response = self.connection.getresponse()
                status, answer = response.status, response.read()
                request_id = response.headers["X-Request-ID"]
                break
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if again or not reused or not isinstance(error, REUSED_AND_CLOSED):
                    break
                self.reconnected += 1
        self.outcomes.append(Outcome(method, status, started, time.monotonic(), title, task, completed, request_id))
        if 400 <= status < 500 or status == 500:
            self.wrong.append(f"{method} {path} {status} {answer[:200]!r}")
        if not 200 <= status < 300:
            return None
        return json.loads(answer) if answer else True


class Load:
    """`with Load(port) as load:` runs the clients; after it, `books(url)` compares them with the database."""

    def __init__(self, port: int, clients: int = 12, pause: float = 0.02) -> None:
        self.stop = threading.Event()
        run = uuid.uuid4().hex[:6]
        self.clients = [Client(port, f"user-{run}-{number}", pause, self.stop) for number in range(clients)]
        self.threads = [threading.Thread(target=client.run) for client in self.clients]

    def __enter__(self) -> "Load":
        self.started = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(100)

    def outcomes(self) -> list[Outcome]:
        return sorted((each for client in self.clients for each in list(client.outcomes)), key=lambda each: each.ended)

    def all_answered(self, seconds: float = 40) -> float:
        """Waits until every client has had a good answer to a request of now on: how long that took, in seconds."""
        moment = time.monotonic()
        clients = len(self.clients)
        return wait_until(lambda: self.acknowledged_since(moment) == clients, seconds, "a good answer for everybody")

    def recovered(self) -> float:
        """Seconds from now to the last failure of a request that began after now, or until all are answered."""
        moment = time.monotonic()
        answered = self.all_answered()
        time.sleep(2)
        failures = [each for each in self.outcomes() if each.started > moment and not 200 <= each.status < 300]
        return max([answered, *(each.ended - moment for each in failures)])

    def acknowledged_since(self, moment: float) -> int:
        """How many clients have had a good answer to a request that began after this moment."""
        return sum(
            any(each.started > moment and 200 <= each.status < 300 for each in reversed(client.outcomes))
            for client in self.clients
        )

    def send_again(self) -> int:
        """As docs/api.md has it: each failed POST once more, with its key. Returns how many, all answered."""
        for client in self.clients:
            failed = [each for each in client.outcomes if each.method == "POST" and not 200 <= each.status < 300]
            client.outcomes.clear()
            answers = [client.ask("POST", "", {"title": each.title}, title=each.title) for each in failed]
            client.close()
            assert all(answers)
        return len(self.outcomes())

    def books(self, url: str) -> "Books":
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT user_id, id, title, completed FROM tasks_task WHERE user_id = ANY(%s)",
                [[client.user for client in self.clients]],
            ).fetchall()
        return Books(self, rows)


class Books:
    """What the clients know, beside what the database has."""

    def __init__(self, load: Load, rows: list[Any]) -> None:
        self.outcomes = load.outcomes()
        self.requests = len(self.outcomes)
        self.statuses = Counter(each.status for each in self.outcomes if not 200 <= each.status < 300)
        self.reconnected = sum(client.reconnected for client in load.clients)
        self.wrong = [line for client in load.clients for line in client.wrong]
        self.slowest = max((each.ended - each.started for each in self.outcomes), default=0)
        self.writes = sum(each.method != "GET" and 200 <= each.status < 300 for each in self.outcomes)
        stored = {number: (title, completed) for _, number, title, completed in rows}
        titles = Counter(title for _, _, title, _ in rows)
        acknowledged = {number: known for client in load.clients for number, known in client.tasks.items()}
        self.lost = [number for number, known in acknowledged.items() if stored.get(number) != known]
        self.lost += [number for client in load.clients for number in client.deleted if number in stored]
        self.doubled = [title for title, count in titles.items() if count > 1]
        # Of what was not acknowledged: was it carried out?
        self.unacknowledged: list[Outcome] = []
        for each in self.outcomes:
            if each.method == "GET" or 200 <= each.status < 300:
                continue
            done = {
                "POST": each.title in titles,
                "PUT": each.title in titles,
                "PATCH": each.task in stored and stored[each.task][1] == each.completed,
                "DELETE": each.task not in stored,
            }[each.method]
            if done:
                self.unacknowledged.append(each)
        # A 503 promises that nothing was written
        self.untrue = [each for each in self.unacknowledged if each.status == 503]

    def summary(self) -> str:
        failed = ", ".join(f"{count} times {status or 'no answer'}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.requests:,} requests, {self.writes:,} writes acknowledged, failed: {failed or 'none'}; "
            f"carried out without an acknowledgement: {len(self.unacknowledged)}; lost {len(self.lost)}, "
            f"doubled {len(self.doubled)}; slowest {self.slowest:.1f} s; connections renewed: {self.reconnected}"
        )
