"""What must not be deployed, or only knowingly. settings.py refuses what is plainly wrong; this is the rest."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connection, connections

MINIMUM_POSTGRESQL = 16


@checks.register(checks.Tags.security, deploy=True)
def check_deployment(**kwargs: Any) -> list[checks.CheckMessage]:
    messages: list[checks.CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        messages.append(
            checks.Warning(
                "ALLOWED_HOSTS accepts every host name.", hint="List this API's own names.", id="config.W001"
            )
        )
    if not settings.CORS_ALLOWED_ORIGINS:
        messages.append(
            checks.Info(
                "CORS_ORIGINS is empty: no browser on another origin can call this API.",
                hint="List the frontend's origin.",
                id="config.I002",
            )
        )
    if settings.SECURE_SSL_REDIRECT and not settings.TRUSTED_PROXIES:
        messages.append(
            checks.Info(
                "TRUSTED_PROXIES is empty: behind a proxy that ends TLS, every request is redirected for ever.",
                hint="List the proxy's addresses, or set SECURE_SSL_REDIRECT=false.",
                id="config.I003",
            )
        )
    if connection.vendor == "sqlite":
        messages.append(
            checks.Info(
                "SQLite serves one machine and one writer at a time.",
                hint="Set DATABASE_URL to a PostgreSQL server.",
                id="config.I004",
            )
        )
    return messages


@checks.register(checks.Tags.database)
def check_database(databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    messages: list[checks.CheckMessage] = []
    for alias in databases or []:
        if connections[alias].vendor != "postgresql":
            continue
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version_num')::int / 10000, current_setting('statement_timeout')"
            )
            version, statement_timeout = cursor.fetchone()
        if version < MINIMUM_POSTGRESQL:
            messages.append(
                checks.Warning(
                    f"PostgreSQL {version} is older than {MINIMUM_POSTGRESQL}.", hint="Upgrade.", id="config.W005"
                )
            )
        if statement_timeout == "0":
            messages.append(
                checks.Warning(
                    "The database sets no statement_timeout: one slow statement can hold a connection for ever.",
                    hint="ALTER ROLE … SET statement_timeout = '15s': see “Pooled connections” in README.md.",
                    id="config.W006",
                )
            )
    return messages
