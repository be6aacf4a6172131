"""
`make profile`: where the time of a request goes inside the application, on PostgreSQL, without server and network.

The requests are timed first as they are. Then cProfile runs the same ones, and its time for each function, without what
that calls, goes to the layer that the function's file belongs to (a C function's to whoever called it). cProfile makes
small Python functions look dearer than they are: the shares are estimates, the totals are not. What one layer waits
for, such as the database, is in its time.
"""

import cProfile
import itertools
import os
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

from django.core.management import call_command

from benchmarks.report import table
from tests.wsgi import call, environ

LAYERS = {  # by what a file's path has in it, the first that fits
    "the database and the way there (psycopg)": ["/psycopg/", "/psycopg_binary/", "psycopg_c", "selectors.py"],
    "this project: middleware, logs": ["/config/middleware.py", "/config/logs.py", "/config/wsgi.py"],
    "this project: token": ["/api/authentication.py", "/api/keys.py", "/rest_framework_simplejwt/", "/jwt/"],
    "this project: statements and rows": ["/api/statements.py", "/api/rows.py", "/config/postgresql/"],
    "this project: view, body, JSON, ETag": ["/api/", "/tasks/"],
    "Django: database": ["/django/db/"],
    "Django: URLs": ["/django/urls/"],
    "Django: middleware": ["/middleware/", "/corsheaders/", "/whitenoise/", "deprecation.py", "csrf.py"],
    "Django: request and response": ["/django/http/", "/django/core/handlers/", "/django/template/response.py"],
    "Django: the rest": ["/django/"],
    "REST framework": ["/rest_framework/"],
    "Python": [""],
}
WARM_UP, TIMED, PROFILED = 200, 2000, 500


def layer_of(file: str) -> str:
    return next(layer for layer, parts in LAYERS.items() if any(part in file for part in parts))


def microseconds(requests: list[dict[str, Any]]) -> float:
    started = time.perf_counter()
    for request in requests:
        call(request)
    return (time.perf_counter() - started) / len(requests) * 1e6


def shares(requests: list[dict[str, Any]]) -> dict[str, float]:
    with cProfile.Profile() as profile:
        for request in requests:
            call(request)
    found: dict[str, float] = defaultdict(float)
    stats: Any = pstats.Stats(profile)
    for (file, _, _), (_, _, own, _, callers) in stats.stats.items():
        if file == "~" and callers:
            for (caller, _, _), (_, _, part, _) in callers.items():
                found[layer_of(caller)] += part
        else:
            found[layer_of(file)] += own
    total = sum(found.values())
    return {layer: part / total for layer, part in found.items()}


def main() -> None:
    call_command("migrate", verbosity=0)
    for _ in range(100):
        call(environ("POST", "/api/bob/tasks", {"title": "Buy milk", "description": "Two litres"}, "bob"))
    path = "/api/bob/tasks/50"
    status = itertools.cycle([True, False])
    kinds: dict[str, Callable[[], dict[str, Any]]] = {
        "list of 100": lambda: environ("GET", "/api/bob/tasks", user="bob"),
        "detail": lambda: environ("GET", path, user="bob"),
        "create": lambda: environ("POST", "/api/dora/tasks", {"title": "Buy bread", "description": "Rye"}, "dora"),
        "patch": lambda: environ("PATCH", path, {"completed": next(status)}, "bob"),
    }
    totals, parts = {}, {}
    for kind, make in kinds.items():
        microseconds([make() for _ in range(WARM_UP)])
        totals[kind] = microseconds([make() for _ in range(TIMED)])
        parts[kind] = shares([make() for _ in range(PROFILED)])
    rows = [[layer, *(f"{totals[kind] * parts[kind].get(layer, 0):.0f}" for kind in kinds)] for layer in LAYERS]
    rows.append(["**together**", *(f"**{totals[kind]:.0f}**" for kind in kinds)])
    sys.stdout.write(table(["µs", *kinds], rows) + "\n")


if __name__ == "__main__":
    main()
