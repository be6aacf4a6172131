"""
Entity tags and the conditions on them (RFC 9110, sections 8.8.3 and 13.1).

A row's tag is its version: its `updated_at`, as every answer shows it. The tag of a list is a hash of its order, its
`Link`, and the ids and versions of its rows (api/pagination.py).
"""

import re
from collections.abc import Sequence
from datetime import datetime

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request

from api.renderers import six_decimals

ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
CONDITION = re.compile(rf"[ \t,]*(?:{ENTITY_TAG}[ \t]*(?:,[ \t,]*|$))+|[ \t]*\*[ \t]*")
EACH = re.compile(rf"\*|{ENTITY_TAG}")


class PreconditionFailed(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "precondition_failed"

    def __init__(self, noun: str) -> None:
        super().__init__(f"The {noun.lower()} has changed since: read it again, and send its new ETag as If-Match")


def row_tag(updated_at: datetime) -> str:
    return f'"{six_decimals(updated_at)}"'


def condition(request: Request, name: str) -> list[str]:
    """
    The tags in If-Match or If-None-Match without their `W/`, or ["*"]; an empty list without such a header.

    ParseError if the header can't be read. Weak tags count in both: proxies that compress make tags weak, and a tag
    names a version, not its bytes.
    """
    header = request.META.get(f"HTTP_{name.upper().replace('-', '_')}")
    if header is None:
        return []
    if not CONDITION.fullmatch(header):
        raise ParseError(f"{name} must be an ETag as you got it, in its double quotes, or a list of them, or *")
    return [tag.removeprefix("W/") for tag in EACH.findall(header)]


def matches(tag: str, tags: Sequence[str]) -> bool:
    return tag in tags or "*" in tags


def as_of(request: Request) -> list[datetime] | None:
    """The times of the versions that If-Match names; None if any version will do."""
    if "HTTP_IF_MATCH" not in request.META:
        return None
    tags = condition(request, "If-Match")
    return None if "*" in tags else [time for tag in tags if (time := version(tag))]


def version(tag: str) -> datetime | None:
    """The time in a row's tag; None for any other tag, such as a list's."""
    try:
        time = datetime.fromisoformat(tag[1:-1])
        return time if row_tag(time) == tag else None
    except ValueError:
        return None
