"""The API as it is deployed: a server with its own configuration, a database of its own, real sockets."""

import atexit
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil
import psycopg
from django.conf import settings

from tests.tokens import token

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COMMANDS = {"gunicorn": [str(BIN / "gunicorn")], "granian": [sys.executable, "-m", "config.granian"]}


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    folder = ROOT

    def __init__(self, environment: dict[str, str], log: Path, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.environment = environment | {"PORT": str(self.port)}
        self.log = log

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                COMMANDS[self.name], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                self.request("GET", "/health/live")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(self.log.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)  # after 30 granian kills a worker that missed the signal, because it was starting

    def workers(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def request(self, method: str, path: str, body: Any = None, user: str | None = None, **headers: str) -> Answer:
        """One request on a connection of its own, with a token of `user`, and `body` as JSON unless it is bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        if user:
            headers["Authorization"] = f"Bearer {token(user)}"
        if body is not None and not isinstance(body, bytes):
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body).encode()
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """All that the server sends until it closes, or says nothing more for half a second."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(data)
            connection.settimeout(0.5)
            try:
                while chunk := connection.recv(65536):
                    answer += chunk
            except TimeoutError:
                pass
        return answer


def free_port() -> int:
    """A port below those that the system gives to connections: no other test can be given it meanwhile."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)  # not `random`: pytest-randomly seeds all processes alike
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def new_database(folder: Path, *, migrated: bool = False) -> Iterator[str]:
    """The URL of a database of the kind that the tests run on: without tables, or with all of them, empty."""
    original = once_migrated() if migrated else None
    url = os.environ["DATABASE_URL"]
    if url.startswith("sqlite"):
        path = folder / "server.sqlite3"
        if original:
            shutil.copy(original, path)
        yield f"sqlite:///{path}"
        return
    name = f"server_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original or "template1"}"')
        yield url.replace("/postgres?", f"/{name}?")
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def once_migrated() -> str:
    """The file, or the name on PostgreSQL, of a migrated database to copy: a copy takes a tenth of the time."""
    kept = ExitStack()
    atexit.register(kept.close)
    folder = Path(kept.enter_context(TemporaryDirectory()))
    url = kept.enter_context(new_database(folder))
    migrated = manage(production(url), "migrate")
    if migrated.returncode:
        raise RuntimeError(migrated.stderr)
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else urlsplit(url).path[1:]


def production(database_url: str, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "production",
        "DATABASE_URL": database_url,
        "SECRET_KEY": settings.SECRET_KEY,
        "BETTER_AUTH_SECRET": settings.BETTER_AUTH_SECRETS[0],
        "ALLOWED_HOSTS": "127.0.0.1",
        "CORS_ORIGINS": "https://app.example.com",
        "SECURE_SSL_REDIRECT": "false",
        "WEB_CONCURRENCY": "2",
        "LOG_LEVEL": "INFO",
        **more,
    }


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(folder: Path, database_url: str | None = None, name: str = "gunicorn", **more: str) -> Iterator[Server]:
    """A server on `database_url`, which is migrated, or on a new database; `more` are environment variables."""
    with nullcontext(database_url) if database_url else new_database(folder, migrated=True) as url:
        environment = production(url, HOME=str(folder), **more)
        if database_url and (migrated := manage(environment, "migrate")).returncode:
            raise RuntimeError(migrated.stderr)
        server = Server(environment, folder / "server.log", name)
        server.start()
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.stop()
