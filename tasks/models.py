from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Func, Value
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

    def in_creation_order(self) -> Self:
        return self.order_by("created_at", "id")

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
