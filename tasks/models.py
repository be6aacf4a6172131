from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Self

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Greatest, Length
from django.db.models.lookups import GreaterThan, LessThanOrEqual, Range
from django.utils import timezone
from django.utils.text import Truncator

from api import statements
from api.models import USER_ID_MAX_LENGTH, WHITE_SPACE
from api.statements import Parameter, Row, Statement

ROW_FIELDS = ["id", "user_id", "title", "description", "completed", "created_at", "updated_at"]  # what the API shows

TITLE_MAX_LENGTH = 200
DESCRIPTION_MAX_LENGTH = 1000


class TaskQuerySet(models.QuerySet["Task"]):
    """
    Phrases for any query, and for one user's tasks (`owned_by`) the five statements of the API.

    Those take and return rows: dictionaries of ROW_FIELDS. None of them can reach another user's task, whatever its id,
    and without an owner they find nothing.
    """

    owner: str | None = None

    def owned_by(self, user_id: str) -> Self:
        tasks: Any = self.all()
        tasks._defer_next_filter = True  # the statements below need no filter, which would take 60 µs
        owned: Self = tasks.filter(user_id=user_id)
        owned.owner = user_id
        return owned

    def with_status(self, *, completed: bool) -> Self:
        return self.filter(completed__in=[completed])  # SQLite has no index for Django's bare `WHERE completed`

    def in_creation_order(self, *, descending: bool = False) -> Self:
        return self.order_by("-created_at", "-id") if descending else self.order_by("created_at", "id")

    def beyond(self, created_at: Any, id: Any, *, descending: bool = False) -> Self:  # noqa: A002 - the column's name
        """Those that come after this place in the order; the plain bound on `created_at` is for the index."""
        if descending:
            return self.filter(Q(created_at__lt=created_at) | Q(id__lt=id), created_at__lte=created_at)
        return self.filter(Q(created_at__gt=created_at) | Q(id__gt=id), created_at__gte=created_at)

    def page(
        self,
        *,
        completed: bool | None = None,
        descending: bool = False,
        place: tuple[datetime, int] | None = None,
        limit: int | None = None,
    ) -> list[Row]:
        created_at, id_ = place or (None, None)
        statement = page_statement(completed, descending, place is not None, limit)
        return statement.rows(user_id=self.owner, created_at=created_at, id=id_)

    def row(self, id: int) -> Row | None:  # noqa: A002 - the column's name
        return row_statement().row(user_id=self.owner, id=id)

    def make(self, *, title: str, description: str | None = None) -> Row:
        return make_statement().rows(user_id=self.owner, title=title, description=description, now=timezone.now())[0]

    def revise(self, id: int, *, as_of: datetime | None = None, **changes: Any) -> Row | None:  # noqa: A002 - likewise
        """
        Write `changes` and no other column; `updated_at` moves forward, even where a clock has gone backwards.

        None where there is no such task, or none that was last updated at `as_of`: nothing comes between the
        comparison and the write.
        """
        statement = revise_statement(tuple(changes), as_of is not None)
        return statement.row(user_id=self.owner, id=id, as_of=as_of, now=timezone.now(), **changes)

    def remove(self, id: int, *, as_of: datetime | None = None) -> Row | None:  # noqa: A002 - likewise
        return remove_statement(as_of is not None).row(user_id=self.owner, id=id, as_of=as_of)


class Task(models.Model):
    """One thing to do, of one user. The user is whoever the token's `sub` names: there is no table of them."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.CharField("user ID", max_length=USER_ID_MAX_LENGTH)
    title = models.CharField(max_length=TITLE_MAX_LENGTH)
    description = models.CharField(  # noqa: DJ001 - null and "" are two values to the API's clients
        max_length=DESCRIPTION_MAX_LENGTH, null=True, blank=True
    )
    completed = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = TaskQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user_id", "created_at", "id"], name="task_user_created"),
            models.Index(fields=["user_id", "completed", "created_at", "id"], name="task_user_completed_created"),
        ]
        constraints = [
            models.CheckConstraint(
                name="task_user_id_length", condition=Range(Length("user_id"), (1, USER_ID_MAX_LENGTH))
            ),
            models.CheckConstraint(name="task_title_length", condition=Range(Length("title"), (1, TITLE_MAX_LENGTH))),
            models.CheckConstraint(
                name="task_title_not_blank",
                condition=GreaterThan(Length(Func("title", Value(WHITE_SPACE), function="TRIM")), 0),
            ),
            models.CheckConstraint(
                name="task_description_length", condition=LessThanOrEqual(Length("description"), DESCRIPTION_MAX_LENGTH)
            ),
        ]

    def __str__(self) -> str:
        return Truncator(self.title).chars(60)


# The statements of TaskQuerySet, each compiled at its first use


def parameter(name: str, field: str | None = None) -> Parameter:
    return Parameter(name, Task._meta.get_field(field or name))


def row_fields() -> list[Any]:
    return [Task._meta.get_field(name) for name in ROW_FIELDS]


def one(*, as_of: bool = False) -> TaskQuerySet:
    task = Task.objects.filter(user_id=parameter("user_id"), id=parameter("id"))
    return task.filter(updated_at=parameter("as_of", "updated_at")) if as_of else task


@lru_cache(maxsize=256)
def page_statement(completed: bool | None, descending: bool, beyond: bool, limit: int | None) -> Statement:
    page = Task.objects.filter(user_id=parameter("user_id")).in_creation_order(descending=descending)
    if completed is not None:
        page = page.with_status(completed=completed)
    if beyond:
        page = page.beyond(parameter("created_at"), parameter("id"), descending=descending)
    return statements.select(page[:limit], row_fields())


@cache
def row_statement() -> Statement:
    return statements.select(one(), row_fields())


@cache
def make_statement() -> Statement:
    now = {"created_at": parameter("now", "created_at"), "updated_at": parameter("now", "updated_at")}
    fields = {name: parameter(name) for name in ("user_id", "title", "description")}
    return statements.insert(Task(**fields, **now), row_fields())


@cache
def revise_statement(names: tuple[str, ...], as_of: bool) -> Statement:
    now, after_the_last = parameter("now", "updated_at"), F("updated_at") + timedelta(microseconds=1)
    changes = {name: parameter(name) for name in names} | {"updated_at": Greatest(now, after_the_last)}
    return statements.update(one(as_of=as_of), changes, row_fields())


@cache
def remove_statement(as_of: bool) -> Statement:
    return statements.delete(one(as_of=as_of), row_fields())
