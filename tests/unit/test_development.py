"""What the server of development says when it is ready."""

import os
from unittest.mock import patch

import pytest

from config import development
from config.environment import read_file


@pytest.mark.parametrize(
    ("secrets", "jwks_url", "docs", "expected"),
    [
        (["s" * 32], "", True, ["API", "Documentation", "Admin", "Browsers", "A token"]),
        ([], "https://app.example.com/api/auth/jwks", False, ["API", "Browsers", "Tokens"]),
    ],
)
def test_the_welcome_names_what_there_is(settings, secrets, jwks_url, docs, expected):
    settings.BETTER_AUTH_SECRETS, settings.BETTER_AUTH_JWKS_URL = secrets, jwks_url
    settings.API_DOCS = settings.ADMIN_ENABLED = docs

    names = [line.strip().partition(":")[0] for line in development.welcome().splitlines()]

    assert names == expected


def test_a_change_of_env_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(development, "ENV_FILE", tmp_path / ".env")
    before = development.modified()

    (tmp_path / ".env").write_text("PORT=8001\n")

    assert before is None
    assert development.modified() == (tmp_path / ".env").stat().st_mtime_ns


def test_a_file_that_is_read_again_takes_along_what_it_said_before(tmp_path, monkeypatch):
    monkeypatch.setattr("config.environment.from_file", set())
    path = tmp_path / ".env"

    with patch.dict(os.environ, {"WEB_THREADS": "3"}, clear=True):
        path.write_text("PORT=8001\nWEB_THREADS=2\nMETRICS_PORT=9100\n")
        read_file(path)
        path.write_text("METRICS_PORT=9200\n")
        read_file(path)
        environment = dict(os.environ)

    assert environment == {"WEB_THREADS": "3", "METRICS_PORT": "9200"}
