"""The version stands in pyproject.toml, and everything else reads it there."""

import re
import tomllib

from django.conf import settings

from tests.server import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_code_has_no_version_of_its_own():
    sources = [path for package in ("config", "api", "tasks") for path in (ROOT / package).rglob("*.py")]

    assert [path for path in sources if f'"{PROJECT["version"]}"' in path.read_text()] == []
    assert settings.SPECTACULAR_SETTINGS["VERSION"] == PROJECT["version"]
    assert f"{PROJECT['name']}/{PROJECT['version']}" == settings.USER_AGENT


def test_the_changelog_begins_with_it():
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert next(version for version in versions if version != "Unreleased") == PROJECT["version"]


def test_manifests_name_the_image_of_this_version():
    manifests = "".join(path.read_text() for path in (ROOT / "deploy").rglob("*.yaml"))
    tags = re.findall(r"image: \S+/task-api:(\S+)", manifests)

    assert tags
    assert set(tags) == {PROJECT["version"]}
