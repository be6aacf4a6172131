"""
The indexes by which the admin finds words in titles, and the tasks of a day. They are for PostgreSQL only, and not in
the model, because SQLite has nothing like them.

They are built beside a busy API (CONCURRENTLY), which may take longer than statement_timeout: some ten seconds for two
million tasks. What a failed attempt has left is removed first.
"""

from typing import Any

from django.db import migrations

INDEXES = {
    # as SearchVector("title", config="simple") writes it
    "task_title_words": "USING gin (to_tsvector('simple'::regconfig, COALESCE(title, '')))",
    "task_created": "USING brin (created_at)",  # 24 kB for two million: the rows lie in the order of time, nearly
}


def make_indexes(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        remove_indexes(apps, schema_editor)
        for name, definition in INDEXES.items():
            schema_editor.execute(f"CREATE INDEX CONCURRENTLY {name} ON tasks_task {definition}")
        schema_editor.execute("RESET statement_timeout; RESET lock_timeout")


def remove_indexes(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("tasks", "0002_support_group")]

    operations = [migrations.RunPython(make_indexes, remove_indexes)]
