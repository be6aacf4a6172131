"""Erase everything about one user, for good: for `erase_user`, and for DELETE /api/{user_id}."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.text import get_text_list

from api.models import IdempotencyKey
from api.rows import OwnedRows, registry

BATCH = 1000  # rows in one statement, which is a transaction of its own
ERASED = "(erased)"
KEYS, ENTRIES = ("idempotency key", "idempotency keys"), ("history entry", "history entries")

Counts = Counter[tuple[str, str]]
"""How many of what, by its singular and plural."""


def summary(counts: Counts) -> str:
    """In words: `3 tasks, 1 idempotency key and 0 history entries`."""
    return get_text_list([f"{number} {one if number == 1 else many}" for (one, many), number in counts.items()], "and")


def erase(user_id: str) -> Iterator[Counts]:
    """
    Erase in batches, beside a busy API, and yield what each batch has erased.

    The admin's texts about rows go first, because the rows tell whose they are. The keys go last, so that no retry
    creates a row again; keys of rows that were created meanwhile stay. A run that is stopped half-way is finished by
    the next one.
    """
    meanwhile = Q()
    for owned in reversed(registry.values()):  # rows that refer to others were registered after them
        yield Counts({ENTRIES: history(owned, user_id).update(object_repr=ERASED, change_message="")})
        yield from delete((owned.noun, owned.nouns), rows(owned, user_id).order_by("id"))
        meanwhile |= Q(resource=owned.label, row_id__in=rows(owned, user_id).values("id"))
    yield from delete(KEYS, keys(user_id).exclude(meanwhile).order_by("id"))


def delete(what: tuple[str, str], queryset: QuerySet[Any]) -> Iterator[Counts]:
    while ids := list(queryset.values_list("id", flat=True)[:BATCH]):
        yield Counts({what: queryset.filter(id__in=ids).delete()[0]})


def count(user_id: str) -> Counts:
    found = Counts({(owned.noun, owned.nouns): rows(owned, user_id).count() for owned in registry.values()})
    entries = sum(history(owned, user_id).count() for owned in registry.values())
    found.update({KEYS: keys(user_id).count(), ENTRIES: entries})
    return found


def rows(owned: OwnedRows, user_id: str) -> QuerySet[Any]:
    return owned.model._base_manager.filter(user_id=user_id)


def keys(user_id: str) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(user_id=user_id)


def history(owned: OwnedRows, user_id: str) -> QuerySet[LogEntry]:
    """The admin's entries about this user's rows: by the rows' ids, and for deleted rows by the user in the message."""
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(owned.model))
    numbers = rows(owned, user_id).values_list(Cast("id", TextField()))
    member = re.escape(json.dumps({"user_id": user_id})[1:-1])  # `contains` would ignore case on SQLite
    of_user = Q(object_id__in=numbers) | Q(change_message__regex=member)
    return entries.filter(of_user).exclude(object_repr=ERASED, change_message="")
