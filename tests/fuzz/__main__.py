"""`python -m tests.fuzz SECONDS [SEED]`: schemathesis against the real server for that long."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

from tests.server import BIN, ROOT, running
from tests.tokens import token

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


def fuzz(seconds: str, *seed: str) -> int:
    bearer = token("alice", exp=int(time.time()) + int(seconds) + 600)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), API_DOCS="true", LOG_LEVEL="ERROR") as server:
        schema = f"http://127.0.0.1:{server.port}/api/schema"
        command: list[str | Path] = [
            BIN / "schemathesis",
            "--config-file",
            CONFIGURATION,
            "run",
            "--max-time",
            seconds,
            *(["--seed", *seed] if seed else []),
            schema,
        ]
        environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "FUZZ_TOKEN": bearer}
        found = subprocess.call(command, cwd=ROOT, env=environment)
        lines = server.log.read_text().splitlines(keepends=True)
        errors = [line for line in lines if json.loads(line)["level"] == "ERROR"]
        sys.stdout.writelines(errors)
        return found or int(bool(errors))


if __name__ == "__main__":
    import django

    django.setup()
    sys.exit(fuzz(*sys.argv[1:]))
