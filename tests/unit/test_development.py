"""What the server of development says when it is ready."""

import os
import sys
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

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

    written = (tmp_path / ".env").stat().st_mtime_ns
    assert development.modified() == before | {".env": written}
    assert {"settings.py", "database.py"} <= {*before} < {*before, ".env"}


@pytest.mark.parametrize(("error", "trace"), [(ImproperlyConfigured("PORT is wrong"), False), (NameError("x"), True)])
def test_settings_with_an_error_are_logged_and_those_of_before_stay(monkeypatch, caplog, error, trace):
    import config.settings
    from config import logs

    def setup():
        assert "config.settings" not in sys.modules
        assert sys.modules["config.logs"] is logs
        raise error

    monkeypatch.setattr(development, "settings", SimpleNamespace(_setup=setup))

    development.read_settings_again()

    assert sys.modules["config.settings"] is config.settings
    [record] = caplog.records
    assert (record.message, bool(record.exc_info)) == (str(error), trace)


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
