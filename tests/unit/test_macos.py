"""Without what only Linux has: both servers, as they are configured for production and as they run in development."""

import re
import subprocess
import sys

import pytest

from tests.server import COMMANDS, ROOT, production, running

MACOS = {"PYTHONPATH": str(ROOT / "tests" / "macos")}


def test_production_needs_nothing_of_linux():
    code = """
import os, select
assert not hasattr(os, "sched_getaffinity") and not hasattr(select, "epoll") and not os.path.isdir("/dev/shm")
import config.granian  # which sets DJANGO_SETTINGS_MODULE
from gunicorn.app.wsgiapp import WSGIApplication
config.granian.server()
print(WSGIApplication("%(prog)s").cfg.workers)
"""
    environment = production("sqlite://:memory:", METRICS_PORT="9100", **MACOS)
    del environment["WEB_CONCURRENCY"]

    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert re.fullmatch(r"[1-9][0-9]*\n", shown.stdout), shown.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_the_server_of_development_needs_nothing_of_linux(tmp_path, name):
    with running(tmp_path, name=name, ENVIRONMENT="development", **MACOS) as server:
        assert server.request("GET", "/api/alice/tasks", user="alice").status == 200
