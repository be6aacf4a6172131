"""POST, sent again: the same user and Idempotency-Key create one task, however often and however concurrently."""

import hashlib
import json
import re
from typing import Any

from django.db import IntegrityError, transaction
from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, ParseError, ValidationError
from rest_framework.request import Request

from api.models import IdempotencyKey
from api.statements import Row
from tasks.models import Task


class TaskGone(APIException):
    status_code = status.HTTP_410_GONE
    default_detail = "The task that this Idempotency-Key made has been deleted: use a new key to make another"
    default_code = "gone"


def idempotency_key(request: Request) -> str | None:
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        raise ParseError("Idempotency-Key must be 1 to 255 visible ASCII characters")
    return key


def create_once(key: str, user_id: str, fields: dict[str, Any]) -> tuple[Row, bool]:
    """
    The task that this key has made, and whether that was an earlier request.

    The key is written in the transaction that makes the task: who comes second, even in the same instant, fails on the
    unique constraint, and finds the first one's. ValidationError if another body made it, TaskGone if it is deleted.
    """
    fingerprint = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    owned = Task.objects.owned_by(user_id)
    used = IdempotencyKey.objects.filter(user_id=user_id, key=key)
    record = used.first()
    if record is None:
        try:
            with transaction.atomic():
                task = owned.make(**fields)
                used.create(user_id=user_id, key=key, fingerprint=fingerprint, task_id=task["id"])
        except IntegrityError:
            record = used.first()
            if record is None:  # it was another constraint
                raise
        else:
            return task, False
    if record.fingerprint != fingerprint:
        message = "This key was sent with another body before: use a new key for a new task."
        raise ValidationError({"Idempotency-Key": [ErrorDetail(message, "idempotency_key_reused")]})
    made = owned.row(record.task_id)
    if made is None:
        raise TaskGone
    return made, True
