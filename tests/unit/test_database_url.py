"""DATABASE_URL: every spelling that works elsewhere works, or is refused at the start by a text that has no secret."""

import pytest

from config.database import for_pooler, parse

DIRECT = "postgresql://user:hunter2@db.example.com/tasks"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u:p@h/db", {"USER": "u", "PASSWORD": "p", "HOST": "h", "PORT": "", "NAME": "db"}),
        ("POSTGRESQL://u:p@h:5433/db?", {"HOST": "h", "PORT": "5433", "NAME": "db"}),
        ("postgresql://u:p%40%2F%25%3A@h/db", {"PASSWORD": "p@/%:", "HOST": "h"}),
        ("postgresql://u%40org:p@ss@h/db", {"USER": "u@org", "PASSWORD": "p@ss", "HOST": "h"}),
        ("postgresql://u@[2001:db8::7]:5433/db", {"HOST": "2001:db8::7", "PORT": "5433", "PASSWORD": ""}),
        ("postgresql:///db?host=/run/postgresql", {"HOST": "/run/postgresql", "NAME": "db", "USER": ""}),
        ("postgresql://u@%2Frun%2Fpostgresql/db", {"HOST": "/run/postgresql", "NAME": "db"}),
        ("postgresql://u:p@h1:1,h2:2/db?target_session_attrs=read-write", {"HOST": "h1,h2", "PORT": "1,2"}),
        ("postgresql://u:p@/db?host=h1,h2&port=1,2", {"HOST": "h1,h2", "PORT": "1,2"}),
        ("postgresql://u:p@h1,h2/db", {"HOST": "h1,h2", "PORT": ","}),
        ("postgresql://h/a%20b", {"NAME": "a b"}),
    ],
)
def test_postgresql_by_any_spelling(url, expected):
    database = parse(url)

    assert database["ENGINE"] == "config.postgresql"
    assert expected.items() <= database.items()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("sslmode=require&channel_binding=require", {"sslmode": "require", "channel_binding": "require"}),
        ("ssl=true", {"sslmode": "require"}),
        ("target_session_attrs=read-write&connect_timeout=9", {"target_session_attrs": "read-write"}),
        ("application_name=tasks", {"application_name": "tasks"}),
    ],
)
def test_the_parameters_of_libpq_are_taken(parameters, expected):
    assert expected.items() <= parse(f"{DIRECT}?{parameters}")["OPTIONS"].items()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{DIRECT}?pgbouncer=true", "'pgbouncer': set DATABASE_POOLED=true instead."),
        (f"{DIRECT}?sslmode=require&schema=public", "'schema': write options=-csearch_path%3DNAME instead."),
        (f"{DIRECT}?connection_limit=5", "'connection_limit': set WEB_CONCURRENCY and WEB_THREADS instead."),
        (f"{DIRECT}?sslaccept=strict", "'sslaccept': write sslmode=require or sslmode=verify-full instead."),
        (f"{DIRECT}?pool_timeout=10", "'pool_timeout': remove it."),
        (f"{DIRECT}?statement_cache_size=", "'statement_cache_size': remove it."),
        (f"{DIRECT}?sslmode=no-verify", "invalid sslmode value"),
        (f"{DIRECT}?target_session_attrs=writer", "invalid target_session_attrs value"),
        (f"{DIRECT}?connect_timeout=soon", "DATABASE_URL can't be read: set it to postgresql://"),
        ("postgresql://user:hunter2@h1,h2,h3/tasks?port=1,2", "could not match 2 port numbers to 3 hosts"),
        ("postgresql://user:hunter2@h:port/tasks", "%40 for an @"),
        ("postgresql://user:hunter2@h:99999/tasks", "invalid port number"),
        ("postgresql://user:word/hunter2@h/tasks", "%40 for an @"),
        ("postgresql://user:word?hunter2@h/tasks", "%40 for an @"),
        ("postgresql://user:%hunter2@h/tasks", "%40 for an @"),
        ("postgresql://user:hunter2@h", "names no database"),
        ("postgresql://user:hunter2@h/", "names no database"),
        ("postgresql+psycopg://user:hunter2@h/tasks", "names another database"),
        ("mysql://user:hunter2@h/tasks", "names another database"),
        ('"postgresql://user:hunter2@h/tasks"', "without quotes"),
        ("host=h password=hunter2 dbname=tasks", "can't be read"),
        ("db.example.com/tasks?password=hunter2", "can't be read"),
        ("sqlite:////data/hunter2?mode=ro", "'mode': remove it."),
    ],
)
def test_what_can_not_work_is_refused_by_name(url, said):
    with pytest.raises(ValueError, match=r"^DATABASE_URL ") as error:
        parse(url)

    assert said in str(error.value)
    assert "hunter2" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_connections_persist_are_checked_before_use_and_have_limits():
    database = parse(f"{DIRECT}?sslmode=require")
    for_pooler(database, pooled=False)

    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (600, True)
    assert database["DISABLE_SERVER_SIDE_CURSORS"] is False
    assert database["OPTIONS"] == {
        "sslmode": "require",
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15000,
        "server_side_binding": True,
        "prepare_threshold": 5,
        "options": "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=15s",
    }


def test_a_pooler_gets_no_options_no_cursors_and_no_prepared_statements():
    database = parse(DIRECT)
    for_pooler(database, pooled=True)

    assert not {"options", "server_side_binding", "prepare_threshold"} & database["OPTIONS"].keys()
    assert database["DISABLE_SERVER_SIDE_CURSORS"] is True


def test_the_urls_own_options_win_and_remove_no_other():
    database = parse(f"{DIRECT}?options=-c%20statement_timeout%3D0&connect_timeout=9")
    for_pooler(database, pooled=False)

    assert database["OPTIONS"]["options"].endswith(" -c statement_timeout=0")
    assert "-c lock_timeout=5s" in database["OPTIONS"]["options"]
    assert database["OPTIONS"]["connect_timeout"] == 9


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////data/tasks.sqlite3", "/data/tasks.sqlite3"),
        ("sqlite:///my%20tasks.sqlite3", "my tasks.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_sqlite_waits_and_does_not_lose_writes(url, name):
    database = parse(url)

    assert database["NAME"] == name
    assert database["OPTIONS"] == {
        "timeout": 5,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
