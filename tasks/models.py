from typing import Self

from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThan, LessThanOrEqual, Range
from django.utils import timezone
from django.utils.text import Truncator

from api.models import USER_ID_MAX_LENGTH, WHITE_SPACE
from api.rows import OwnedRows

TITLE_MAX_LENGTH = 200
DESCRIPTION_MAX_LENGTH = 1000


class TaskQuerySet(models.QuerySet["Task"]):
    """For the shell, the admin and the commands. The API uses `own_tasks`."""

    def owned_by(self, user_id: str) -> Self:
        return self.filter(user_id=user_id)

    def with_status(self, *, completed: bool) -> Self:
        return self.filter(completed__in=[completed])  # SQLite has no index for Django's bare `WHERE completed`

    def in_creation_order(self, *, descending: bool = False) -> Self:
        return self.order_by("-created_at", "-id") if descending else self.order_by("created_at", "id")


class Task(models.Model):
    """One thing that one user has to do. `user_id` is the `sub` of the user's tokens: there is no table of users."""

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


# What the API shows, in this order.
ROW_FIELDS = ["id", "user_id", "title", "description", "completed", "created_at", "updated_at"]

own_tasks = OwnedRows(Task, ROW_FIELDS)
