"""The image can't be built here; what its files say of each other can be compared."""

import re
from pathlib import Path

from django.apps import apps

from tests.server import ROOT

IGNORED = (ROOT / ".dockerignore").read_text()
KEPT = set(re.findall(r"^!(.+)$", IGNORED, re.MULTILINE))


def test_only_what_is_listed_gets_into_the_image():
    assert re.search(r"^\*\n!", IGNORED, re.MULTILINE)
    assert {"manage.py", "gunicorn.conf.py", "pyproject.toml", "requirements-granian.txt"} <= KEPT
    assert all((ROOT / name).exists() for name in KEPT)
    assert re.search(r"^COPY \. \.$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_every_application_of_this_project_is_in_the_image():
    folders = [Path(config.path) for config in apps.get_app_configs() if config.name != "tests.notes"]
    own = [folder for folder in folders if ROOT in folder.parents and "site-packages" not in folder.parts]

    missing = {folder.relative_to(ROOT).parts[0] for folder in own} - KEPT
    assert not missing, f"add to .dockerignore: {', '.join(f'!{name}' for name in sorted(missing))}"
