"""The servers that are compared: how to start them, check them and put them under load."""

import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

import jwt

from tests.server import BIN, ROOT, free_port

CORES = len(os.sched_getaffinity(0))  # type: ignore[attr-defined, unused-ignore] # they need Linux, lint does not
UVICORN = [".venv-bench/bin/uvicorn", "--workers", CORES, "--no-access-log", "--log-level", "warning"]
BARE = "benchmarks.peers.bare:application"
SYSTEMS: dict[str, list[Any]] = {
    "seed": [*UVICORN, "benchmarks.peers.seed:app"],
    "tuned": [*UVICORN, "benchmarks.peers.tuned:app"],
    "bare": [BIN / "gunicorn", BARE],
    "project": [BIN / "gunicorn"],
    "bare on granian": [BIN / "granian", "--interface=wsgi", f"--workers={CORES}", "--blocking-threads=2", BARE],
    "project on granian": [sys.executable, "-m", "config.granian"],
}
SECRET = secrets.token_urlsafe(48)
FIELDS = {"id", "user_id", "title", "description", "completed", "created_at", "updated_at"}


class Answer(NamedTuple):
    status: int
    body: Any
    next_page: str | None


class Load(NamedTuple):
    """What wrk saw."""

    rate: float  # successful answers a second
    p95: float  # seconds
    errors: int
    starved: bool  # so many requests got no answer that p95, of the answered ones, is too low

    @property
    def latency(self) -> str:
        return "starved" if self.starved else f"{1000 * self.p95:,.0f} ms"


class Server:
    def __init__(self, name: str, database_url: str) -> None:
        self.name, self.database_url, self.port = name, database_url, free_port()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def __enter__(self) -> "Server":
        self.log = tempfile.TemporaryFile()
        more = {"PORT": str(self.port), "UVICORN_PORT": str(self.port), "GRANIAN_PORT": str(self.port)}
        self.process = subprocess.Popen(
            [str(argument) for argument in SYSTEMS[self.name]],
            cwd=ROOT,
            env=environment(self.database_url) | more,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        for _ in range(300):
            try:
                self.request("GET", "/api/u0/tasks", "u0")
            except OSError:
                self.connection.close()
                time.sleep(0.1)
            else:
                return self
            if self.process.poll() is not None:
                break
        self.__exit__()
        self.log.seek(0)
        sys.exit(f"{self.name} did not start:\n{self.log.read().decode()}")

    def __exit__(self, *exception: object) -> None:
        self.connection.close()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:  # the seed, for one, waits for what it can't finish
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def workers(self) -> list[Path]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [Path("/proc") / child for child in children]

    def request(self, method: str, path: str, user: str, body: Any = None, **token: Any) -> Answer:
        self.connection.request(method, path, body and json.dumps(body), headers(user, **token))
        response = self.connection.getresponse()
        next_page = re.search(r'<([^>]+)>; rel="next"', response.headers.get("Link", ""))
        return Answer(response.status, json.loads(response.read()), next_page and urljoin(path, next_page[1]))

    def check(self) -> None:
        """Check that it does its work; otherwise the run ends here."""
        tasks = self.request("GET", "/api/u1/tasks", "u1")
        new = self.request("POST", "/api/new1/tasks", "new1", {"title": "A title"})
        path, completed = f"/api/u1/tasks/{tasks.body[7]['id']}", not tasks.body[7]["completed"]
        patched = self.request("PATCH", path, "u1", {"completed": completed})
        for right, what in [
            (tasks.status == 200 and len(tasks.body) == 21 and tasks.body[7].keys() == FIELDS, "list"),
            (tasks.body == sorted(tasks.body, key=lambda task: (task["created_at"], task["id"])), "order of creation"),
            ((new.status, new.body["title"], new.body["user_id"]) == (201, "A title", "new1"), "create"),
            ((patched.status, patched.body["completed"]) == (200, completed), "patch"),
            (self.request("GET", path, "u1")[:2] == patched[:2], "detail"),
            (self.request("GET", path, "u1", secret="x" * 64).status == 401, "a forged token"),
            (self.request("GET", path, "u2").status == 403, "another user's path"),
        ]:
            if not right:
                sys.exit(f"{self.name} gets it wrong: {what}")

    def load(self, requests: Path, connections: int, seconds: int) -> Load:
        """What `connections` clients measure, each of which sends these requests one after the other."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", f"-s{ROOT}/benchmarks/load.lua"]
        command += [f"http://127.0.0.1:{self.port}", "--", str(requests)]
        wrk = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        rate = (wrk["answers"] - wrk["refused"]) / wrk["seconds"]
        # Little's law: the mean wait is the number of waiting clients divided by the rate.
        starved = connections > 2 * rate * wrk["mean"]
        load = Load(rate, wrk["p95"], wrk["refused"] + wrk["broken"], starved)
        what = f"{self.name}, {requests.name}, {connections} connections"
        print(f"{time.strftime('%X')} {what}: {rate:,.0f}/s, {load.latency}, {load.errors} errors", file=sys.stderr)
        return load


def environment(database_url: str) -> dict[str, str]:
    """The environment of a production server, without any variable from outside."""
    return {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "production",
        "DATABASE_URL": database_url,
        "SECRET_KEY": SECRET[::-1],
        "BETTER_AUTH_SECRET": SECRET,
        "ALLOWED_HOSTS": "127.0.0.1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "LOG_LEVEL": "WARNING",  # no access log, as for the others
    }


def headers(user: str, secret: str = SECRET) -> dict[str, str]:
    """The headers of a request over https, with a token for a day."""
    token = jwt.encode({"sub": user, "exp": int(time.time()) + 24 * 60 * 60}, secret, algorithm="HS256")
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "X-Forwarded-Proto": "https"}
