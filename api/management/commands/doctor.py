import os
import platform
import time
from collections.abc import Callable, Iterator
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
SLOW = 50  # milliseconds
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
`check`), the database, its version and timeouts, the migrations, the keys that verify tokens, and the
clocks.

  manage.py doctor

Each line is `ok`, a `note`, a `warning` or a `problem`. It changes nothing and shows no secret. The exit
code is 1 if there is a problem, else 0. Settings that prevent a start are named, and are 1 as well."""

    requires_system_checks = ()  # it runs them itself, and prints all of them

    def handle(self, **options: Any) -> None:
        styles: dict[str, Callable[[str], str]] = {
            OK: self.style.SUCCESS,
            NOTE: str,
            WARNING: self.style.WARNING,
            PROBLEM: self.style.ERROR,
        }
        problems = 0
        for level, text, fix in findings():
            problems += level == PROBLEM
            self.stdout.write(f"{styles[level](f'{level:8}')} {text}")
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
    """Yields its findings; returns whether it can be reached."""
    try:
        connection.ensure_connection()
        start = time.time()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            milliseconds = (time.time() - start) * 1000
            lines = list(postgresql(cursor)) if connection.vendor == "postgresql" else [Finding(OK, "SQLite")]
    except Error as error:
        refused = "startup parameter" in str(error)  # a pooler's words for the options of a connection
        fix = "Set DATABASE_POOLED=true." if refused else "Look at DATABASE_URL, and the server."
        yield Finding(PROBLEM, f"The database does not answer: {first_line(error)}", fix)
        return False
    yield from lines
    if milliseconds > SLOW:
        fix = "Every request waits for it once or twice: run this closer to the database."
        yield Finding(WARNING, f"A round trip to the database takes {milliseconds:.0f} ms", fix)
    else:
        yield Finding(OK, f"A round trip to the database takes {milliseconds:.1f} ms")
    return True


def postgresql(cursor: Any) -> Iterator[Finding]:
    """What is in order; `check --database` reports the rest."""
    timeouts = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
    names = ["server_version", *timeouts]
    cursor.execute(f"SELECT clock_timestamp(), {', '.join(f'current_setting({name!r})' for name in names)}")
    now, version, *values = cursor.fetchone()
    yield from clock("database", now)
    way = "by a transaction pooler" if settings.DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] else "directly"
    yield Finding(OK, f"PostgreSQL {version}, {way}")
    for name, value in zip(timeouts, values, strict=True):
        if value != "0":
            yield Finding(OK, f"{name} is {value}")


def clock(whose: str, now: datetime) -> Iterator[Finding]:
    seconds = (now - datetime.now(UTC)).total_seconds()
    if abs(seconds) > CLOCKS_MAY_DIFFER:
        text = f"The {whose}'s clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
        yield Finding(PROBLEM, text, "Synchronise both by NTP: the times in tokens are compared with them.")
    else:
        yield Finding(OK, f"The {whose}'s clock and this one agree")


def system_checks(reachable: bool) -> Iterator[Finding]:
    databases = ["default"] if reachable else None
    found = [
        message
        for message in checks.run_checks(include_deployment_checks=settings.PRODUCTION, databases=databases)
        if not message.is_silenced()
    ]
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
    oldest = IdempotencyKey.objects.order_by("created_at").first()
    if oldest and timezone.now() - oldest.created_at > KEYS_ARE_OLD:
        fix = "Run `manage.py purge_idempotency_keys` once a day."
        yield Finding(WARNING, f"There are idempotency keys of {oldest.created_at:%Y-%m-%d}", fix)


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
