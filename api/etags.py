"""
Entity tags and the conditions on them (RFC 9110, sections 8.8.3 and 13.1).

A tag is a hash over the representation itself: whatever changes a task, an edit by SQL or a new release, changes its
tag, and a write answers with the very tag of the next GET.
"""

import hashlib
import re
from collections.abc import Sequence

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request

ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
CONDITION = re.compile(rf"\s*(?:\*|{ENTITY_TAG}(?:\s*,\s*{ENTITY_TAG})*)\s*")


class PreconditionFailed(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The task has changed since: read it again, and send its new ETag as If-Match"
    default_code = "precondition_failed"


def entity_tag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def condition(request: Request, name: str) -> list[str]:
    """The tags in If-Match or If-None-Match, or ["*"]; none without such a header, a 400 where it makes no sense."""
    header = request.META.get(f"HTTP_{name.upper().replace('-', '_')}")
    if header is None:
        return []
    if not CONDITION.fullmatch(header):
        raise ParseError(f"{name} must be an ETag as you got it, in its double quotes, or a list of them, or *")
    return re.findall(rf"\*|{ENTITY_TAG}", header)


def matches_strongly(tag: str, tags: Sequence[str]) -> bool:
    """For If-Match: a weak tag never matches."""
    return tag in tags or "*" in tags


def matches_weakly(tag: str, tags: Sequence[str]) -> bool:
    """For If-None-Match: W/ makes no difference."""
    return "*" in tags or tag in (candidate.removeprefix("W/") for candidate in tags)
