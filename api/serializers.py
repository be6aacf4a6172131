from typing import Any

from rest_framework import serializers


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


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer. DRF's own takes "7" and 7.0 as well."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:  # True is an int too
            self.fail("invalid")
        return super().to_internal_value(data)
