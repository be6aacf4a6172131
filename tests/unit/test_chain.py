"""What others make comes in by digest or hash, and is kept up to date."""

import json
import re
import subprocess
import sys

import yaml

from tests.server import BIN, ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
UPDATES = {
    update["package-ecosystem"]: update["directories"]
    for update in yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
}


def test_images_of_others_are_pinned_by_digest():
    texts = [path.read_text() for path in (ROOT / "Dockerfile", ROOT / "docker-compose.yml", *WORKFLOWS)]
    images = re.findall(r"^\s*(?:FROM|image:|container:) (\S+)", "\n".join(texts), re.MULTILINE)

    pinned = [image for image in images if image != "base"]
    assert len(pinned) == 5
    assert all(re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in pinned)


def test_actions_are_pinned_by_commit_with_their_version_beside():
    lines = re.findall(r"uses: (.*)", "".join(path.read_text() for path in WORKFLOWS))

    assert lines
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v[\d.]+", line) for line in lines)


def test_every_lock_file_is_kept_up_to_date():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    def folders(pattern):
        return {"/" + path.rpartition("/")[0] for path in tracked if re.search(pattern, path)}

    def covered(ecosystem):
        return {
            "/" + found.relative_to(ROOT).as_posix().removeprefix(".")
            for place in UPDATES[ecosystem]
            for found in (ROOT.glob(place[1:]) if place != "/" else [ROOT])
        }

    assert folders(r"(^|/)package-lock\.json$") <= covered("npm")
    assert folders(r"(^|/)requirements\S*\.txt$") <= covered("pip")
    assert folders(r"(^|/)Dockerfile$") <= covered("docker")
    assert {"docker-compose", "github-actions"} < set(UPDATES)


def test_the_bill_of_materials_has_every_locked_package_and_is_the_same_each_time():
    [recipe] = re.findall(r"\$\(BIN\)/(cyclonedx-py .*)", (ROOT / "Makefile").read_text())
    command = recipe.split()
    command[command.index("sbom.json")] = "-"

    made = subprocess.run([sys.executable, BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, check=True)

    document = json.loads(made.stdout)
    locked = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    components = {(each["name"], each["version"]): each for each in document["components"]}
    assert list(components) == sorted(components)
    assert "serialNumber" not in document
    assert "timestamp" not in document["metadata"]
    assert set(components) == set(locked)
    assert all(each["externalReferences"][0]["hashes"] for each in components.values())
