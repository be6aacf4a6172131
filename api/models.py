from django.db import models
from django.utils import timezone

USER_ID_MAX_LENGTH = 255

# What str.strip() removes: the serializers and the database agree on what is blank.
WHITE_SPACE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())


class IdempotencyKey(models.Model):
    """The row that a POST with this key made. It has no foreign key, because it outlives the row."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.CharField("user ID", max_length=USER_ID_MAX_LENGTH)
    resource = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    row_id = models.BigIntegerField("row ID")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_created")]
        constraints = [models.UniqueConstraint(fields=["user_id", "resource", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return self.key
