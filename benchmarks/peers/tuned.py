"""FastAPI for speed: asyncpg, hand-written SQL, orjson, and no model between a row and the answer."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import jwt
import orjson
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, Field

COLUMNS = "id, user_id, title, description, completed, created_at, updated_at"
LIST = f"SELECT {COLUMNS} FROM tasks_task WHERE user_id = $1 ORDER BY created_at, id"
DETAIL = f"SELECT {COLUMNS} FROM tasks_task WHERE user_id = $1 AND id = $2"
CREATE = f"""INSERT INTO tasks_task (user_id, title, description, completed, created_at, updated_at)
    VALUES ($1, $2, $3, false, now(), now()) RETURNING {COLUMNS}"""
PATCH = f"UPDATE tasks_task SET completed = $3, updated_at = now() WHERE user_id = $1 AND id = $2 RETURNING {COLUMNS}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


class NewTask(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str | None, Field(max_length=1000)] = None


class Status(BaseModel):
    completed: bool


async def path_user(user_id: str, authorization: Annotated[str, Header()] = "") -> str:
    try:
        token = authorization.removeprefix("Bearer ")
        claims = jwt.decode(token, os.environ["BETTER_AUTH_SECRET"], algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Invalid token") from None
    if claims.get("sub") != user_id:
        raise HTTPException(403, "User ID mismatch")
    return user_id


User = Annotated[str, Depends(path_user)]


def json_response(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_UTC_Z), status, media_type="application/json")


async def one(sql: str, *values: Any, status: int = 200) -> Response:
    row = await app.state.pool.fetchrow(sql, *values)
    if row is None:
        raise HTTPException(404, "Task not found")
    return json_response(dict(row), status)


@app.get("/api/{user_id}/tasks")
async def list_tasks(user: User) -> Response:
    return json_response([dict(row) for row in await app.state.pool.fetch(LIST, user)])


@app.post("/api/{user_id}/tasks")
async def create_task(user: User, task: NewTask) -> Response:
    return await one(CREATE, user, task.title, task.description, status=201)


@app.get("/api/{user_id}/tasks/{task_id}")
async def read_task(user: User, task_id: int) -> Response:
    return await one(DETAIL, user, task_id)


@app.patch("/api/{user_id}/tasks/{task_id}")
async def patch_task(user: User, task_id: int, status: Status) -> Response:
    return await one(PATCH, user, task_id, status.completed)
