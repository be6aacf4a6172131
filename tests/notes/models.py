from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import Range
from django.utils import timezone

from api.models import USER_ID_MAX_LENGTH
from api.rows import OwnedRows


class Note(models.Model):
    user_id = models.CharField("user ID", max_length=USER_ID_MAX_LENGTH)
    text = models.CharField(max_length=500)
    pinned = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["user_id", "created_at", "id"])]
        constraints = [models.CheckConstraint(name="note_text_length", condition=Range(Length("text"), (1, 500)))]

    def __str__(self) -> str:
        return self.text


own_notes = OwnedRows(Note, ["id", "user_id", "text", "pinned", "created_at", "updated_at"])
