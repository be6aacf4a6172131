"""One WSGI callable without a framework: the best that this server, driver and database allow."""

import os
import threading
from typing import Any

import jwt
import orjson
import psycopg
from psycopg.rows import dict_row

COLUMNS = "id, user_id, title, description, completed, created_at, updated_at"
LIST = f"SELECT {COLUMNS} FROM tasks_task WHERE user_id = %s ORDER BY created_at, id"
DETAIL = f"SELECT {COLUMNS} FROM tasks_task WHERE user_id = %s AND id = %s"
CREATE = f"""INSERT INTO tasks_task (user_id, title, description, completed, created_at, updated_at)
    VALUES (%s, %s, %s, false, now(), now()) RETURNING {COLUMNS}"""
PATCH = f"UPDATE tasks_task SET completed = %s, updated_at = now() WHERE user_id = %s AND id = %s RETURNING {COLUMNS}"

thread = threading.local()


def rows(sql: str, *values: Any) -> list[dict[str, Any]]:
    if not hasattr(thread, "connection"):
        thread.connection = psycopg.connect(
            os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0, row_factory=dict_row
        )
    found: list[dict[str, Any]] = thread.connection.execute(sql, values).fetchall()
    return found


def respond(environ: dict[str, Any]) -> tuple[str, Any]:
    try:
        token = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        user = jwt.decode(token, os.environ["BETTER_AUTH_SECRET"], algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError:
        return "401 Unauthorized", {"detail": "Invalid token"}
    _, _, owner, _, *task = environ["PATH_INFO"].split("/")
    if owner != user:
        return "403 Forbidden", {"detail": "User ID mismatch"}
    match environ["REQUEST_METHOD"], task:
        case "GET", []:
            return "200 OK", rows(LIST, user)
        case "GET", [id_]:
            found = rows(DETAIL, user, int(id_))
        case "POST", []:
            body = orjson.loads(environ["wsgi.input"].read())
            return "201 Created", rows(CREATE, user, body["title"], body.get("description"))[0]
        case "PATCH", [id_]:
            found = rows(PATCH, orjson.loads(environ["wsgi.input"].read())["completed"], user, int(id_))
        case _:
            return "405 Method Not Allowed", {"detail": "Method not allowed"}
    return ("200 OK", found[0]) if found else ("404 Not Found", {"detail": "Task not found"})


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    status, answer = respond(environ)
    body = orjson.dumps(answer, option=orjson.OPT_UTC_Z)
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
