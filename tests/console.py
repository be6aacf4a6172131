"""A `console` session of a document, played against the real server."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.server import ROOT, running


def played(session: str, folder: Path, *, after_each: str = "") -> str:
    """The session as a terminal shows it: its commands, each followed by what it really prints."""
    commands = [line.removeprefix("$ ") for line in session.splitlines() if line.startswith("$ ")]
    script = "\n".join(f"cat <<'SHOWN'\n$ {command}\nSHOWN\n{command}\n{after_each}" for command in commands)
    with running(folder, ENVIRONMENT="development") as server:
        python, origin = shlex.quote(sys.executable), f"http://127.0.0.1:{server.port}"
        real = {".venv/bin/python": python, "http://127.0.0.1:8000": origin}
        for written, meant in real.items():
            script = script.replace(written, meant)
        shown = subprocess.run(
            ["bash", "-euc", script],
            cwd=ROOT,
            env=server.environment | {"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    for written, meant in real.items():
        shown = shown.replace(meant, written)
    return shown
