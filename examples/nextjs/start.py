"""
`make nextjs`: a PostgreSQL, the task API and this application, until Ctrl-C. Nothing is left of them then.

The ports are 3000, or PORT, and 8000, or API_PORT.
"""

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg

from tests.postgresql import server

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PORT, API_PORT = os.environ.get("PORT", "3000"), os.environ.get("API_PORT", "8000")
SITE = f"http://localhost:{PORT}"


def start(stack: ExitStack, command: list[str], folder: Path, **variables: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, cwd=folder, env=os.environ | variables)

    def stop() -> None:
        process.terminate()
        process.wait()

    stack.callback(stop)
    return process


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url):
        return True
    return False


def main() -> None:
    with ExitStack() as stack:
        postgresql = stack.enter_context(server())
        with psycopg.connect(postgresql.get_uri(), autocommit=True) as connection:
            for name in ("auth", "tasks"):
                connection.execute(f"CREATE DATABASE {name}")
        api = {
            "ENVIRONMENT": "development",
            "DATABASE_URL": postgresql.get_uri("tasks"),
            "BETTER_AUTH_URL": SITE,
            "BETTER_AUTH_SECRET": "",
            "CORS_ORIGINS": SITE,
            "PORT": API_PORT,
        }
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=os.environ | api, check=True
        )
        application = {
            "DATABASE_URL": postgresql.get_uri("auth"),
            "BETTER_AUTH_URL": SITE,
            "BETTER_AUTH_SECRET": secrets.token_urlsafe(48),
            "API_URL": f"http://127.0.0.1:{API_PORT}",
            "NEXT_TELEMETRY_DISABLED": "1",
            "PORT": PORT,
        }
        subprocess.run(["npm", "run", "--silent", "types"], cwd=HERE, check=True)
        running = [
            start(stack, [str(Path(sys.executable).parent / "gunicorn")], ROOT, **api),
            start(stack, ["node_modules/.bin/next", "dev", "--hostname", "127.0.0.1"], HERE, **application),
        ]
        while not answers(f"http://127.0.0.1:{PORT}/sign-up") and all(process.poll() is None for process in running):
            time.sleep(0.2)
        print(f"\n  Open {SITE}, sign up, and add a task. Ctrl-C ends it.\n", flush=True)
        while all(process.poll() is None for process in running):
            time.sleep(0.2)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
