"""What the README shows is what happens."""

import os
import re
import subprocess
import sys

from django.urls import get_resolver

from tests.server import ROOT, running

README = (ROOT / "README.md").read_text()


def normalized(text):
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "TIME", text)


def test_the_curl_session_is_true(tmp_path):
    [session] = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    commands = [line.removeprefix("$ ") for line in session.splitlines() if line.startswith("$ ")]
    with running(tmp_path, ENVIRONMENT="development") as server:
        # each command is shown before what it prints, as a terminal would
        script = "\n".join(f"cat <<'SHOWN'\n$ {command}\nSHOWN\n{command}\necho" for command in commands)
        script = script.replace(".venv/bin/python", sys.executable)
        server_address = f"http://127.0.0.1:{server.port}"

        ran = subprocess.run(
            ["bash", "-euc", script.replace("http://127.0.0.1:8000", server_address)],
            cwd=ROOT,
            env=server.environment | {"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    shown = ran.stdout.replace(sys.executable, ".venv/bin/python").replace(server_address, "http://127.0.0.1:8000")
    assert [line for line in normalized(shown).splitlines() if line] == normalized(session).splitlines()


def test_every_variable_is_explained():
    settings = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(r'(?:text|one_of|whole_number|boolean|listed)\(\s*"([A-Z_]+)"', settings))
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))
    example = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert len(read) > 10
    assert read == explained == example


def test_every_endpoint_is_listed():
    listed = set(re.findall(r"^\| `[A-Z]+ (/[^`]*)` \|", README, re.MULTILINE))

    assert listed == {
        "/api/{user_id}/tasks",
        "/api/{user_id}/tasks/{id}",
        "/health",
        "/health/live",
        "/api/schema",
        "/api/docs",
    }
    assert len(get_resolver().url_patterns) == 6
