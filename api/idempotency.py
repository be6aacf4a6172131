"""Retries of a POST: the same user and Idempotency-Key create one row, however often and however concurrently."""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from api import statements
from api.models import IdempotencyKey
from api.rows import UserRows
from api.statements import Parameter, Row, Statement

TRIES = 3  # an erasure may delete the key that caused the violation


class Gone(APIException):
    status_code = status.HTTP_410_GONE
    default_code = "gone"

    def __init__(self, noun: str) -> None:
        super().__init__(f"The {noun} that this Idempotency-Key made has been deleted: use a new key to make another")


def idempotency_key(request: Request) -> str | None:
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        raise ParseError("Idempotency-Key must be 1 to 255 visible ASCII characters")
    return key


def create_once(rows: UserRows, key: str, values: dict[str, Any], fingerprint: str) -> tuple[Row, bool]:
    """
    The row that this key made, and whether an earlier request made it.

    One transaction writes the key and the row. Of two requests, even in the same instant, the second fails on the
    unique constraint and finds the row of the first, unless an erasure has deleted both meanwhile.
    ValidationError if the key was sent with another body, Gone if the row has been deleted since.
    """
    noun = rows.owned.noun
    named = {"user_id": rows.user_id, "resource": rows.owned.label, "key": key}
    violations = 0
    while (record := look().row(named)) is None:
        try:
            with transaction.atomic():
                row = rows.make(**values)
                note().rows(named | {"fingerprint": fingerprint, "row_id": row["id"], "created_at": timezone.now()})
        except IntegrityError:
            violations += 1
            if violations == TRIES:  # of some other constraint
                raise
        else:
            return row, False
    if record["fingerprint"] != fingerprint:
        message = f"This key was sent with another body before: use a new key for a new {noun}."
        raise ValidationError({"Idempotency-Key": [ErrorDetail(message, "idempotency_key_reused")]})
    made = rows.row(record["row_id"])
    if made is None:
        raise Gone(noun)
    return made, True


@cache
def look() -> Statement:
    used = IdempotencyKey.objects.filter(**parameters("user_id", "resource", "key"))
    return statements.select(used, fields("fingerprint", "row_id"))


@cache
def note() -> Statement:
    values = parameters("user_id", "resource", "key", "fingerprint", "row_id", "created_at")
    return statements.insert(IdempotencyKey, values, fields("id"))


def parameters(*names: str) -> dict[str, Parameter]:
    return {field.name: Parameter(field.name, field) for field in fields(*names)}


def fields(*names: str) -> list[Any]:
    return [IdempotencyKey._meta.get_field(name) for name in names]


def fingerprint_of(body: Mapping[str, Any], serializer: Serializer[Any], values: Mapping[Any, Any]) -> str:
    """
    A hash of the values of a valid body. Values that equal their field's default are left out, so that a release that
    adds an optional field does not change the fingerprint of a body.
    """
    said = {
        field.source: values[field.source]
        for name, field in serializer.fields.items()
        if name in body and field.source in values and values[field.source] != field.default
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
