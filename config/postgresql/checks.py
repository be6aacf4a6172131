"""Problems of a PostgreSQL server, a role or a pooler, for `check --database default` and doctor."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core import checks
from django.db import connections

from api.health import POSTGRESQL_PROBLEM, READ_ONLY
from config.database import LIMITS

MINIMUM_VERSION = 16
QUESTION = f"""SELECT current_setting('server_version_num')::int / 10000, pg_backend_pid(), {POSTGRESQL_PROBLEM},
    {", ".join(f"current_setting('{name}')" for name in LIMITS)}
"""


@checks.register(checks.Tags.database)
def check_database(databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    found = [connections[alias] for alias in databases or []]
    return [message for one in found if one.vendor == "postgresql" for message in problems(one)]


def problems(connection: Any) -> Iterator[checks.CheckMessage]:
    with connection.cursor() as cursor:
        cursor.execute(QUESTION)
        version, pid, problem, *limits = cursor.fetchone()
        # A pooler makes up a process id for its clients; the real one differs, and changes each time.
        pooled = pid != connection.connection.info.backend_pid
    declared = connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
    if version < MINIMUM_VERSION:
        yield checks.Warning(
            f"PostgreSQL {version} is older than {MINIMUM_VERSION}.", hint="Upgrade.", id="config.W005"
        )
    for (name, value), limit in zip(LIMITS.items(), limits, strict=True):
        if limit == "0":
            yield checks.Warning(
                f"The database sets no {name}: one statement or transaction can hold others up for ever.",
                hint=f"ALTER ROLE … SET {name} = '{value}': see docs/configuration.md, Pooled connections.",
                id="config.W006",
            )
    if problem and problem.startswith(READ_ONLY):
        yield checks.Error(
            f"{problem}.",
            hint="Name the primary in DATABASE_URL, or all hosts and target_session_attrs=read-write. "
            "Some providers also stop writes when the disk is full.",
            id="config.E013",
        )
    elif problem:
        yield checks.Error(
            f"{problem}, although each connection sets it.",
            hint="A pooler keeps that from its servers: ALTER ROLE … SET datestyle = 'ISO', and timezone = 'UTC'.",
            id="config.E014",
        )
    if pooled and not declared:
        yield checks.Warning(
            "A pooler is between this and the database, and is not declared.",
            hint="Set DATABASE_POOLED=true, if it pools transactions: see docs/configuration.md, Pooled connections.",
            id="config.W015",
        )
