import sys
from typing import Any

from django.core.management.commands import shell


class Command(shell.Command):
    """Django's own imports every model, and prints that even with `-c`. This one imports what is useful, quietly."""

    def get_auto_imports(self) -> list[str]:
        return [
            "tasks.models.Task",
            "tasks.models.own_tasks",
            "api.models.IdempotencyKey",
            "django.contrib.auth.models.User",
            "django.contrib.admin.models.LogEntry",
            "datetime.timedelta",
            "django.db.models.Count",
            "django.utils.timezone",
        ]

    def get_namespace(self, **options: Any) -> dict[str, Any]:
        namespace: dict[str, Any] = super().get_namespace(**options | {"verbosity": 0})
        if namespace and not options["command"] and sys.stdin.isatty():
            self.stdout.write(f"At hand: {', '.join(namespace)}")
        return namespace
