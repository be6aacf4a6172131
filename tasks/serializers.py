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


class BodySerializer(serializers.Serializer[Task]):
    """What requests take: `run_validation(body)`. That keeps nothing in the serializer: one serves all requests."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """For DRF null is a value that a nested object may have; a body that is null is wrong like any other scalar."""
        return False, data


class TaskBodySerializer(BodySerializer):
    """What POST and PUT take: an absent description is null."""

    title = StrictCharField(max_length=TITLE_MAX_LENGTH)
    description = StrictCharField(
        max_length=DESCRIPTION_MAX_LENGTH, allow_null=True, allow_blank=True, trim_whitespace=False, default=None
    )


class TaskPatchSerializer(BodySerializer):
    """What PATCH takes."""

    completed = StrictBooleanField()
