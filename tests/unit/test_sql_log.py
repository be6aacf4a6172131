import pytest
from django.apps import apps
from django.db import connection
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

    ran = manage(environment, "migrate")

    assert ran.returncode == 0
    assert ('CREATE TABLE "tasks_task"' in ran.stderr) is shown


def test_it_begins_with_the_connection(settings, monkeypatch):
    settings.LOG_SQL = True
    monkeypatch.setattr(connection, "force_debug_cursor", False)
    apps.get_app_config("config").ready()

    connection_created.send(type(connection), connection=connection)
    connection_created.disconnect(log_statements)

    assert connection.force_debug_cursor is True
