"""`make bench`: compares this project with its peers, in one run on one machine. README.md explains the output."""

import argparse
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import psycopg

from benchmarks import report
from benchmarks.servers import CORES, SYSTEMS, Server, environment, headers
from tests.postgresql import server as postgresql
from tests.server import ROOT

POSTGRESQL: dict[str, str | int] = {  # no background work during a server's turn
    "shared_buffers": "1GB",
    "max_connections": 200,
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "8GB",
}
# By the start of the users' names: how many users, the fewest tasks of one, and how many different numbers of tasks.
SMALL = {"u": (1000, 20, 81), "some": (100, 100, 1), "many": (3, 10_000, 1)}  # 100,000 rows
LARGE = {"some": (18_000, 100, 1), "many": (20, 10_000, 1)}  # 2,000,000
# Everybody's tasks were made in the same hundred days, so those of one user lie far apart in the table.
FILL = """
    INSERT INTO tasks_task (user_id, title, description, completed, created_at, updated_at)
    SELECT user_id, 'Task ' || number || ' of ' || user_id,
        CASE number %% 3 WHEN 0 THEN null ELSE repeat('Some words about it. ', 1 + number %% 6) END,
        number %% 4 = 0, moment, moment
    FROM (
        SELECT user_id, number, timestamptz '2026-01-01 00:00:00.123Z' + interval '100 days' * number / tasks AS moment
        FROM unnest(%s::text[], %s::int[], %s::int[], %s::int[]) AS kinds (name, users, fewest, numbers),
            generate_series(0, users - 1) AS n,
            LATERAL (SELECT name || n AS user_id, fewest + n %% numbers AS tasks) AS users_of_a_kind,
            generate_series(0, tasks - 1) AS number
    ) AS rows ORDER BY moment, user_id
"""
WORKLOADS = {  # parts of lists, details, creations and patches
    "mixed": (70, 10, 10, 10),
    "list": (1, 0, 0, 0),
    "detail": (0, 1, 0, 0),
    "create": (0, 0, 1, 0),
    "patch": (0, 0, 0, 1),
}


def fill(database_url: str, kinds: dict[str, tuple[int, int, int]]) -> None:
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment(database_url), check=True)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(FILL, [list(kinds), *map(list, zip(*kinds.values(), strict=True))])
        connection.execute("VACUUM ANALYZE")


def write_requests(database_url: str, folder: Path) -> None:
    """A file for each workload: 5,000 requests of 1,000 users in random order, the same in every run."""
    dice = random.Random(1)
    with psycopg.connect(database_url) as connection:
        ids: dict[str, list[int]] = dict(
            connection.execute("SELECT user_id, array_agg(id ORDER BY id) FROM tasks_task GROUP BY 1").fetchall()
        )

    def request(kind: str) -> str:
        number = dice.randrange(1000)
        user = f"new{number}" if kind == "create" else f"u{number}"
        path = f"/api/{user}/tasks"
        match kind:
            case "list":
                return http("GET", path, user)
            case "create":
                return http("POST", path, user, '{"title": "A new task", "description": "Some words about it."}')
        path += f"/{dice.choice(ids[user])}"
        if kind == "detail":
            return http("GET", path, user)
        return http("PATCH", path, user, dice.choice(['{"completed": true}', '{"completed": false}']))

    for name, weights in WORKLOADS.items():
        kinds = dice.choices(["list", "detail", "create", "patch"], weights, k=5000)
        (folder / name).write_text("\0".join(map(request, kinds)))
    (folder / "10,000 tasks").write_text(http("GET", "/api/many0/tasks", "many0"))


def http(method: str, path: str, user: str, body: str = "") -> str:
    lines = {"Host": "127.0.0.1", **headers(user), "Content-Length": len(body)}
    return (
        f"{method} {path} HTTP/1.1\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        + "\r\n"
        + body
    )


def at_50(database_url: str, requests: Path, names: list[str], seconds: int, rounds: int) -> report.Loads:
    """All servers are up and take turns, in this order, then in the reverse one."""
    loads: report.Loads = {(workload, name): [] for workload, name in product(names, SYSTEMS)}
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(name, database_url)) for name in SYSTEMS]
        for server in servers:
            server.check()
            server.load(requests / "mixed", 50, 1)
        for turn, workload in product(range(rounds), names):
            for server in servers if turn % 2 == 0 else reversed(servers):
                loads[workload, server.name].append(server.load(requests / workload, 50, seconds))
    return loads


def at_1000(database_url: str, requests: Path, names: list[str], seconds: int) -> report.Loads:
    """Each server runs alone, so that work left over from its turn does not disturb another's."""
    loads: report.Loads = {}
    for workload, name in product(names, SYSTEMS):
        with Server(name, database_url) as server:
            server.load(requests / workload, 50, 1)
            loads[workload, name] = [server.load(requests / workload, 1000, seconds)]
    return loads


def growth(small: Server, large: Server) -> dict[str, float]:
    """How many times longer a page of 50 takes, at worst, than for a user with 100 tasks in 100,000 rows."""
    times: dict[tuple[str, Server, str], list[float]] = {}
    asked = []
    for server, kind, number in product((small, large), ("some", "many"), range(3)):
        user = f"{kind}{number}"
        first = last = f"/api/{user}/tasks?limit=50"
        answer = server.request("GET", first, user)
        tasks = {task["id"] for task in answer.body}
        while answer.next_page:
            last = answer.next_page
            answer = server.request("GET", last, user)
            tasks |= {task["id"] for task in answer.body}
        if len(tasks) != {"some": 100, "many": 10_000}[kind]:
            sys.exit(f"{user}'s pages have {len(tasks)} tasks")
        asked += [(server, kind, user, "first page", first), (server, kind, user, "last page", last)]
    for _ in range(200):
        for server, kind, user, page, path in random.sample(asked, len(asked)):
            started = time.perf_counter()
            server.request("GET", path, user)
            times.setdefault((page, server, kind), []).append(time.perf_counter() - started)
    medians = {key: statistics.median(values) for key, values in times.items()}
    grown = [(small, "many"), (large, "some"), (large, "many")]
    return {
        page: max(medians[page, server, kind] for server, kind in grown) / medians[page, small, "some"]
        for page in ("first page", "last page")
    }


def memory(database_url: str, requests: Path, name: str, seconds: int) -> float:
    """The peak growth, in MiB, of the worker that grows most, while 8 clients read 10,000 tasks each."""
    with Server(name, database_url) as server:
        server.load(requests / "mixed", 8, 1)
        idle = {worker: memory_of(worker, "VmRSS") for worker in server.workers()}
        for worker in idle:
            (worker / "clear_refs").write_text("5")  # resets VmHWM, the peak
        server.load(requests / "10,000 tasks", 8, seconds)
        return max(memory_of(worker, "VmHWM") - before for worker, before in idle.items())


def memory_of(process: Path, field: str) -> float:
    [line] = [line for line in (process / "status").read_text().splitlines() if line.startswith(field)]
    return int(line.split()[1]) / 1024


def machine(database_url: str, load_before: float) -> str:
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    with psycopg.connect(database_url) as connection:
        version = connection.info.server_version
    return (
        f"{model[0].partition(': ')[2] if model else platform.machine()}, {CORES} cores, Python "
        f"{platform.python_version()}, PostgreSQL {version // 10000}.{version % 10000}, {time.strftime('%F')}; "
        f"load average before the run: {load_before:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--seconds", type=int, default=3, help="of a turn (default: 3; at 1,000 connections twice that)"
    )
    parser.add_argument("--rounds", type=int, default=6, help="turns of each at 50 connections (default: 6)")
    parser.add_argument("--only", nargs="+", choices=[*WORKLOADS, "growth", "memory"], help="not all of it")
    arguments = parser.parse_args()
    only = arguments.only or [*WORKLOADS, "growth", "memory"]
    names = [name for name in WORKLOADS if name in only]
    if not shutil.which("wrk"):
        sys.exit("make bench needs wrk, which sends the load: apt-get install wrk, or brew install wrk")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, postgresql(**POSTGRESQL) as database:
        small, requests = database.get_uri(), Path(folder)
        fill(small, SMALL)
        write_requests(small, requests)
        result = report.Result(machine(small, load_before))
        if names:
            result.at_50 = at_50(small, requests, names, arguments.seconds, arguments.rounds)
            result.at_1000 = at_1000(small, requests, names, 2 * arguments.seconds)
        if "growth" in only:
            with psycopg.connect(small, autocommit=True) as connection:
                connection.execute("CREATE DATABASE large")
            large = database.get_uri("large")
            fill(large, LARGE)
            with Server("project", small) as one, Server("project", large) as other:
                result.growth = growth(one, other)
        if "memory" in only:
            result.memory = {
                name: memory(small, requests, name, 2 * arguments.seconds)
                for name in SYSTEMS
                if name.startswith("project")
            }
    print(result)


if __name__ == "__main__":
    main()
