"""The image can't be built here; what its files say of each other can be compared."""

import re

from tests.server import ROOT


def test_what_the_image_copies_is_there_and_not_ignored():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    names = {name for line in copied for name in line.split()}
    assert names == set(kept)
    assert all((ROOT / name).exists() for name in names)
