"""FastAPI with SQLModel as its tutorial has it: sync handlers, a session for each request, response models."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import DateTime
from sqlmodel import Field, Session, SQLModel, create_engine, select

engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"),
    pool_pre_ping=True,
    pool_size=10,
    max_overflow=20,
)
app = FastAPI()


def now() -> datetime:
    return datetime.now(UTC)


class NewTask(SQLModel):
    title: str = Field(min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=1000)


class Status(SQLModel):
    completed: bool


class PublicTask(NewTask):
    id: int
    user_id: str
    completed: bool
    created_at: datetime
    updated_at: datetime


class Task(NewTask, table=True):
    __tablename__ = "tasks_task"
    id: int | None = Field(default=None, primary_key=True)
    user_id: str
    completed: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


def session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def path_user(user_id: str, bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    try:
        claims = jwt.decode(bearer.credentials, os.environ["BETTER_AUTH_SECRET"], algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Invalid token") from None
    if claims.get("sub") != user_id:
        raise HTTPException(403, "User ID mismatch")
    return user_id


User = Annotated[str, Depends(path_user)]
Database = Annotated[Session, Depends(session)]


def found(task_id: int, user: User, database: Database) -> Task:
    task = database.exec(select(Task).where(Task.id == task_id, Task.user_id == user)).first()
    if task is None:
        raise HTTPException(404, "Task not found")
    return task


Found = Annotated[Task, Depends(found)]


def saved(database: Session, task: Task) -> Task:
    database.add(task)
    database.commit()
    database.refresh(task)
    return task


@app.get("/api/{user_id}/tasks", response_model=list[PublicTask])
def list_tasks(user: User, database: Database):
    return database.exec(select(Task).where(Task.user_id == user).order_by(Task.created_at, Task.id)).all()


@app.post("/api/{user_id}/tasks", response_model=PublicTask, status_code=201)
def create_task(user: User, database: Database, task: NewTask):
    return saved(database, Task(user_id=user, **task.model_dump()))


@app.get("/api/{user_id}/tasks/{task_id}", response_model=PublicTask)
def read_task(task: Found):
    return task


@app.patch("/api/{user_id}/tasks/{task_id}", response_model=PublicTask)
def patch_task(database: Database, task: Found, status: Status):
    task.completed, task.updated_at = status.completed, now()
    return saved(database, task)
