import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, NamedTuple

import django
from django.conf import settings
from django.core import checks
from django.core.management.base import CommandError
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.template.defaultfilters import pluralize
from django.utils import timezone

from api.fetch import fetch
from api.keys import MAX_BYTES, usable_keys
from api.management.command import DocumentedCommand
from api.models import IdempotencyKey

CLOCKS_MAY_DIFFER = 5  # seconds
KEYS_ARE_OLD = timedelta(hours=48)
TIMEOUT = 5  # seconds

OK, NOTE, WARNING, PROBLEM = "ok", "note", "warning", "problem"


class Finding(NamedTuple):
    level: str
    text: str
    fix: str = ""


class Command(DocumentedCommand):
    help = """\
Look at everything this deployment needs, and say what is wrong and how to fix it: the settings (with
`check`), the database, the migrations, the keys that verify tokens, and the clocks.

  manage.py doctor

Each line is `ok`, a `note`, a `warning` or a `problem`. It changes nothing and shows no secret. The exit
code is 1 if there is a problem, else 0. Settings that prevent a start are named, and are 1 as well."""

    requires_system_checks = ()  # it runs them itself, and prints all of them

    def handle(self, **options: Any) -> None:
        problems = 0
        for level, text, fix in findings():
            problems += level == PROBLEM
            self.stdout.write(f"{level:8} {text}", self.style.ERROR if level == PROBLEM else str)
            if fix:
                self.stdout.write(f"         {fix}")
        if problems:
            raise CommandError(f"{problems} problem{pluralize(problems)} found.")


def findings() -> Iterator[Finding]:
    yield Finding(OK, f"Python {platform.python_version()}, Django {django.get_version()}, {settings.ENVIRONMENT}")
    reachable = yield from database()
    yield from system_checks(reachable)
    if reachable:
        try:
            yield from migrations()
        except Error as error:
            fix = "Is it the role that migrated? Else GRANT it the owner's role: docs/operations.md, Rotate a secret."
            yield Finding(PROBLEM, f"The tables can't be read: {first_line(error)}", fix)
    yield from keys()


def database() -> Any:
    """Yields its findings, and returns whether it can be reached."""
    try:
        connection.ensure_connection()
        yield from postgresql() if connection.vendor == "postgresql" else [Finding(OK, "SQLite")]
    except Error as error:
        refused = "startup parameter" in str(error)  # a pooler's words for the options of a connection
        fix = "Set DATABASE_POOLED=true." if refused else "Look at DATABASE_URL, and the server."
        yield Finding(PROBLEM, f"The database does not answer: {first_line(error)}", fix)
        return False
    return True


def postgresql() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), current_setting('server_version')")
        now, version = cursor.fetchone()
    yield from clock("database", now)
    way = "by a transaction pooler" if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] else "directly"
    yield Finding(OK, f"PostgreSQL {version}, {way}")


def clock(whose: str, now: datetime) -> Iterator[Finding]:
    seconds = (now - datetime.now(UTC)).total_seconds()
    if abs(seconds) > CLOCKS_MAY_DIFFER:
        text = f"The {whose}'s clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
        yield Finding(PROBLEM, text, "Synchronise both by NTP: the times in tokens are compared with them.")
    else:
        yield Finding(OK, f"The {whose}'s clock and this one agree")


def system_checks(reachable: bool) -> Iterator[Finding]:
    databases = ["default"] if reachable else None
    found = checks.run_checks(include_deployment_checks=settings.PRODUCTION, databases=databases)
    found = [message for message in found if not message.is_silenced()]
    for message in found:
        level = PROBLEM if message.level >= checks.ERROR else WARNING if message.level >= checks.WARNING else NOTE
        yield Finding(level, f"{message.msg} ({message.id})", message.hint or "")
    if not found:
        yield Finding(OK, "The settings, by `manage.py check`")


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        missing = ", ".join(str(migration) for migration, _ in plan)
        yield Finding(PROBLEM, f"Not migrated: {missing}", "Run `manage.py migrate`.")
        return
    yield Finding(OK, "All migrations are applied")
    if IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEYS_ARE_OLD).exists():
        fix = "Run `manage.py purge_idempotency_keys` once a day."
        yield Finding(WARNING, "Idempotency keys are not purged: some are older than two days", fix)


def keys() -> Iterator[Finding]:
    secrets, url = len(settings.BETTER_AUTH_SECRETS), settings.BETTER_AUTH_JWKS_URL
    if not (os.environ.get("BETTER_AUTH_SECRET") or os.environ.get("BETTER_AUTH_SECRETS") or url):
        yield Finding(
            NOTE, "Each process has a random secret: no token is valid", "Set BETTER_AUTH_SECRET; `make .env` does."
        )
    elif secrets:
        yield Finding(OK, f"Tokens by a shared secret (HS256) are accepted; secrets: {secrets}")
    if not url:
        return
    try:
        headers, jwk_set = fetch(url, TIMEOUT, MAX_BYTES)
        now = parsedate_to_datetime(headers["Date"]) if headers["Date"] else None
        usable = len(usable_keys(jwk_set))
    except (OSError, HTTPException, ValueError, LookupError, TypeError, RecursionError) as error:  # or no key set
        yield Finding(PROBLEM, f"No keys at {url}: {first_line(error)}", "Look at BETTER_AUTH_URL, and the server.")
        return
    yield Finding(OK, f"Tokens by the keys at {url} are accepted; keys: {usable}")
    if now:
        yield from clock("key server", now)


def first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
