from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db.backends.signals import connection_created

from config.apps import log_statements
from tests.server import manage, production


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"ENVIRONMENT": "development", "LOG_LEVEL": "DEBUG"}, True),
        ({"ENVIRONMENT": "development", "LOG_LEVEL": "INFO"}, False),
        ({"ENVIRONMENT": "production", "LOG_LEVEL": "DEBUG"}, False),
    ],
)
def test_debug_shows_every_statement_in_development(tmp_path, more, shown):
    environment = production(f"sqlite:///{tmp_path / 'x.sqlite3'}") | more

    ran = manage(environment, "migrate", "sessions")

    assert ran.returncode == 0
    # not CREATE TABLE: Django's schema editor logs that by itself; and JSON escapes the quotes
    assert ('INSERT INTO "django_migrations"' in ran.stderr.replace('\\"', '"')) is shown


@pytest.mark.parametrize("wanted", [True, False])
def test_the_log_of_statements_begins_with_the_connection(settings, wanted):
    settings.LOG_SQL = wanted
    apps.get_app_config("config").ready()
    connection = SimpleNamespace(force_debug_cursor=False)

    connection_created.send(SimpleNamespace, connection=connection)

    connection_created.disconnect(log_statements)
    assert connection.force_debug_cursor is wanted
