from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThan, LessThanOrEqual, Range
from django.utils import timezone

USER_ID_MAX_LENGTH = 255
TITLE_MAX_LENGTH = 200
DESCRIPTION_MAX_LENGTH = 1000

# What str.strip() takes away: the serializer's idea of a blank title is the database's too.
WHITE_SPACE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())


class TaskQuerySet(models.QuerySet["Task"]):
    def owned_by(self, user_id: str) -> Self:
        return self.filter(user_id=user_id)

    def with_status(self, *, completed: bool) -> Self:
        return self.filter(completed__in=[completed])  # SQLite has no index for Django's bare `WHERE completed`

    def in_creation_order(self, *, descending: bool = False) -> Self:
        return self.order_by("-created_at", "-id") if descending else self.order_by("created_at", "id")

    def beyond(self, created_at: datetime, id: int, *, descending: bool = False) -> Self:  # noqa: A002 - the column's name
        """Those that come after this place in the order; the plain bound on `created_at` is for the index."""
        if descending:
            return self.filter(Q(created_at__lt=created_at) | Q(id__lt=id), created_at__lte=created_at)
        return self.filter(Q(created_at__gt=created_at) | Q(id__gt=id), created_at__gte=created_at)

    def make(self, user_id: str, **fields: Any) -> "Task":
        now = timezone.now()
        return self.create(user_id=user_id, created_at=now, updated_at=now, **fields)

    def revise(self, task: "Task", **changes: Any) -> bool:
        """
        Write `changes`, and no other column, if the row is still as `task` was read; then `task` has them as well.

        False where somebody else has written or deleted it since: read again. One statement, so nothing comes
        between the comparison and the write.
        """
        changes["updated_at"] = task.next_update()
        if not self.filter(pk=task.pk, updated_at=task.updated_at).update(**changes):
            return False
        for name, value in changes.items():
            setattr(task, name, value)
        return True


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
        return self.title

    def next_update(self) -> datetime:
        """The time of a write that comes now: after the last one, even where a clock has gone backwards."""
        return max(timezone.now(), self.updated_at + timedelta(microseconds=1))


class IdempotencyKey(models.Model):
    """That a POST with this key was answered, and by which task. No foreign key: it outlives the task."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.CharField("user ID", max_length=USER_ID_MAX_LENGTH)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    task_id = models.BigIntegerField("task ID")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_created")]
        constraints = [models.UniqueConstraint(fields=["user_id", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return self.key
