from rest_framework import serializers

from api.serializers import StrictBooleanField, StrictCharField
from tasks.models import DESCRIPTION_MAX_LENGTH, ROW_FIELDS, TITLE_MAX_LENGTH, Task


class TaskSerializer(serializers.ModelSerializer[Task]):
    """A task as every answer shows it. Only PUT and PATCH move `updated_at`."""

    example = {
        "id": 1,
        "user_id": "alice",
        "title": "Buy milk",
        "description": "Two litres",
        "completed": False,
        "created_at": "2026-11-23T12:00:00.000000Z",
        "updated_at": "2026-11-23T12:00:00.000000Z",
    }

    class Meta:
        model = Task
        fields = ROW_FIELDS
        read_only_fields = ["id", "user_id", "completed", "created_at", "updated_at"]


class TaskBodySerializer(serializers.Serializer[Task]):
    """The body of POST and PUT. An absent description is null."""

    example = {"title": "Buy milk", "description": "Two litres"}

    title = StrictCharField(max_length=TITLE_MAX_LENGTH)
    description = StrictCharField(
        max_length=DESCRIPTION_MAX_LENGTH, allow_null=True, allow_blank=True, trim_whitespace=False, default=None
    )


class TaskPatchSerializer(serializers.Serializer[Task]):
    """The body of PATCH: JSON `true` or `false` only."""

    example = {"completed": True}

    completed = StrictBooleanField()
