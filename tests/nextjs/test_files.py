"""What somebody copies from the example is what docs/connect.md shows, and is short."""

import re

import pytest

from tests.e2e.connect import quoted
from tests.nextjs.conftest import APPLICATION

OWN = {"lib/auth.ts", "lib/first-request.ts"}  # it deletes accounts too, and has more than a first request


@pytest.mark.parametrize("path", sorted(quoted()["eddsa"].keys() - OWN))
def test_a_file_of_the_page(path):
    assert (APPLICATION / path).read_text() == quoted()["eddsa"][path]


def test_the_client_can_be_read_in_a_minute():
    assert len((APPLICATION / "lib" / "tasks.ts").read_text().splitlines()) <= 120


def test_the_lock_file_names_no_place():
    assert not re.search('"resolved"', (APPLICATION / "package-lock.json").read_text())
