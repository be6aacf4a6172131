"""Turns DATABASE_URL into Django's settings, and refuses at the start a URL that can never connect."""

import re
import sqlite3
from typing import Any
from urllib.parse import parse_qsl

import dj_database_url
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn

SPELLING = (
    "set it to postgresql://user:password@host/name without quotes, and with %40 for an @ in the password and the like."
)
# Parameters of other drivers (mostly Prisma's), and what to write instead.
INSTEAD = {
    "pgbouncer": "set DATABASE_POOLED=true instead",
    "schema": "write options=-csearch_path%3DNAME instead",
    "currentSchema": "write options=-csearch_path%3DNAME instead",
    "connection_limit": "set WEB_CONCURRENCY and WEB_THREADS instead",
    "sslaccept": "write sslmode=require or sslmode=verify-full instead",
}
# They notice a server that has vanished. In seconds, the last in milliseconds; connect_timeout is for each host.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
LIMITS = {"statement_timeout": "15s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "15s"}
MINIMUM_SQLITE = (3, 35)  # the first with RETURNING, without which every write fails
KEPT = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}  # seconds that a connection is kept
SQLITE = {
    "timeout": 5,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def parse(url: str) -> dict[str, Any]:
    """An entry of DATABASES. ValueError says what to do, and shows nothing of the URL but names of parameters."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    if not found:
        raise ValueError(f"DATABASE_URL can't be read: {SPELLING}")
    scheme, rest = found[1].lower(), url[found.end() :]
    if scheme == "sqlite":
        if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
            version = f"SQLite {sqlite3.sqlite_version} of this Python is too old"
            raise ValueError(f"DATABASE_URL: {version}: use a Python with SQLite 3.35 or later, or PostgreSQL.")
        refuse_unknown(rest.partition("?")[2], set())
        return dj_database_url.parse(url) | KEPT | {"OPTIONS": dict(SQLITE)}
    if scheme not in {"postgresql", "postgres", "pgsql"}:
        raise ValueError("DATABASE_URL names another database: set it to a postgresql:// or a sqlite:// one.")
    given = libpq(rest)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    database: dict[str, Any] = {name: given.pop(keyword, "") for name, keyword in names.items()}
    if not database["NAME"] and "service" not in given:
        raise ValueError("DATABASE_URL names no database: write it at the end, postgresql://user:password@host/name.")
    return (
        dj_database_url.parse("postgresql://")
        | KEPT
        | database
        | {"ENGINE": "config.postgresql", "OPTIONS": PATIENCE | given}
    )


def for_pooler(database: dict[str, Any], *, pooled: bool) -> None:
    """Set the options that a transaction pooler refuses: behind one, the role has them (docs/configuration.md)."""
    database["DISABLE_SERVER_SIDE_CURSORS"] = pooled
    if not pooled:
        options = database["OPTIONS"]
        limits = " ".join(f"-c {name}={value}" for name, value in LIMITS.items())
        options["options"] = f"{limits} {options.get('options', '')}".strip()  # the last of two counts
        # Each connection plans a statement once. That is impossible where a pooler shares connections among clients.
        options |= {"server_side_binding": True, "prepare_threshold": 5}


def libpq(rest: str) -> dict[str, Any]:
    """
    The parameters of a URL, read and checked by libpq itself: dj-database-url knows only one host, and passes what it
    does not know to the driver.
    """
    place, _, parameters = rest.partition("?")
    if "@" in parameters and "@" not in place:  # the password has a question mark
        raise ValueError(f"DATABASE_URL can't be read: {SPELLING}")
    refuse_unknown(parameters, {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"})
    # To libpq the password ends at the first @, to all others at the last
    place = re.sub(r"^[^/]*(?=@)", lambda user: user[0].replace("@", "%40"), place)
    try:
        given = conninfo_to_dict(f"postgresql://{place}?{parameters}")
        for name in PATIENCE.keys() & given.keys():
            given[name] = int(given[name])  # type: ignore[arg-type] # libpq's are strings
    except (ProgrammingError, ValueError):
        raise ValueError(f"DATABASE_URL can't be read: {SPELLING}") from None
    # libpq checks the values before it connects; this folder has no sockets, so it never connects.
    nowhere = {"host": ",".join("/nonexistent" for _ in str(given.get("host", "")).split(",")), "hostaddr": None}
    refused = PGconn.connect_start(make_conninfo("", **given | nowhere | {"gssencmode": None}).encode()).error_message
    if not refused.startswith(b"connection to server"):
        problem = re.sub(r'"[^"]*" ?', "", refused.decode()).partition("\n")[0].rstrip(" :")
        raise ValueError(f"DATABASE_URL can't be used: {problem}. {SPELLING[0].upper()}{SPELLING[1:]}")
    return given


def refuse_unknown(parameters: str, known: set[str]) -> None:
    for name, _ in parse_qsl(parameters, keep_blank_values=True):
        if name not in known:
            instead = INSTEAD.get(name, "remove it")
            raise ValueError(f"DATABASE_URL has a parameter that the driver does not know, {name!r}: {instead}.")
