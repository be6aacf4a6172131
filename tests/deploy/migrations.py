"""
`python -m tests.deploy.migrations` runs every migration on an empty PostgreSQL, and has squawk look at what those of
this project's own applications really execute: whether a busy table would have to wait. .squawk.toml has the rules.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ("SELECT", "INSERT")  # of content types and the like


def refused(statements: list[str], name: str = "migration") -> str:
    """What squawk has against them; empty if nothing."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / f"{name}.sql"
        script.write_text(";\n".join([*statements, ""]))
        command = [str(Path(sys.executable).parent / "squawk"), "--config", str(ROOT / ".squawk.toml"), str(script)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False, env={"NO_COLOR": "1"})
    return checked.stdout + checked.stderr if checked.returncode else ""


def main() -> int:
    """The exit code: 1 if something is refused."""
    django.setup()
    executor, problems = MigrationExecutor(connection), ""
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes()):
        with CaptureQueriesContext(connection) as queries:
            call_command("migrate", migration.app_label, migration.name, verbosity=0)
        statements = [query["sql"].rstrip("; \n") for query in queries if not query["sql"].startswith(DATA)]
        home = Path(apps.get_app_config(migration.app_label).path)
        if home.is_relative_to(ROOT) and "site-packages" not in home.parts:
            problems += refused(statements, f"{migration.app_label}.{migration.name}")
    sys.stderr.write(problems)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
