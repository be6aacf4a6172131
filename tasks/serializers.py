from rest_framework import serializers

from api.serializers import StrictBooleanField, StrictCharField
from tasks.models import DESCRIPTION_MAX_LENGTH, ROW_FIELDS, TITLE_MAX_LENGTH, Task


class TaskSerializer(serializers.ModelSerializer[Task]):
    """The task as every answer shows it. The views read rows of its fields; ORJSONRenderer writes those the same."""

    class Meta:
        model = Task
        fields = ROW_FIELDS
        read_only_fields = ["id", "user_id", "completed", "created_at", "updated_at"]


class TaskBodySerializer(serializers.Serializer[Task]):
    """What POST and PUT take: an absent description is null."""

    title = StrictCharField(max_length=TITLE_MAX_LENGTH)
    description = StrictCharField(
        max_length=DESCRIPTION_MAX_LENGTH, allow_null=True, allow_blank=True, trim_whitespace=False, default=None
    )


class TaskPatchSerializer(serializers.Serializer[Task]):
    """What PATCH takes."""

    completed = StrictBooleanField()
