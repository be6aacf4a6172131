"""
The index by which the admin finds words in titles. PostgreSQL only, and not in the model: SQLite has nothing like it.

It is built beside a busy API (CONCURRENTLY), which takes longer than a statement may take otherwise: some ten seconds for two million
tasks. What an attempt that failed has left is removed first.
"""

from typing import Any

from django.db import migrations

EXPRESSION = (
    "to_tsvector('simple'::regconfig, COALESCE(title, ''))"  # as SearchVector("title", config="simple") writes it
)


def make_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS task_title_words")
        schema_editor.execute(f"CREATE INDEX CONCURRENTLY task_title_words ON tasks_task USING gin ({EXPRESSION})")
        schema_editor.execute("RESET statement_timeout; RESET lock_timeout")


def remove_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS task_title_words")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("tasks", "0003_support_group")]

    operations = [migrations.RunPython(make_index, remove_index)]
