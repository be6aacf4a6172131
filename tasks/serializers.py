from typing import Any

from rest_framework import serializers

from tasks.models import DESCRIPTION_MAX_LENGTH, ROW_FIELDS, TITLE_MAX_LENGTH, Task


class StrictCharField(serializers.CharField):
    """A JSON string. DRF's own turns numbers into strings."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """JSON true or false. DRF's own takes 1, "yes" and "on" as well."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


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
