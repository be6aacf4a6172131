"""Pages by keyset: page 1,000 costs what page 1 costs, and whatever comes or goes repeats or hides no task."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core import signing
from rest_framework.exceptions import ParseError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from api.statements import Row
from tasks.models import TaskQuerySet

MAX_LIMIT = 500
COMPLETED = {"true": True, "false": False}
DESCENDING = {"created_at": False, "-created_at": True}


class Cursor(NamedTuple):
    """The place of one task in a list, and the direction to read from there."""

    relation: str  # "next" or "prev"
    created_at: str  # ISO 8601
    id: int


class KeysetPagination(BasePagination):
    """
    `?completed=`, `?ordering=`, `?limit=` and the `?cursor=` of a Link header (RFC 8288); the list is whole without.

    A cursor is signed for the user, the order and the filter that it was made for, and good for nothing else.
    """

    links: dict[str, Cursor]

    def paginate_queryset(self, queryset: TaskQuerySet, request: Request, view: Any = None) -> list[Row]:  # type: ignore[override] # DRF's takes any queryset, ours needs its methods
        query = request.query_params
        completed = chosen(query, "completed", COMPLETED)
        descending = bool(chosen(query, "ordering", DESCENDING))
        self.request, self.links = request, {}
        self.salt = json.dumps(["tasks.cursor", request.user.id, completed, descending])
        limit, cursor = self.limit(query.get("limit")), self.cursor(query.get("cursor"))
        if limit is None:
            if cursor:
                raise ParseError("cursor goes with limit: follow the Link headers")
            return queryset.page(completed=completed, descending=descending)

        backwards = cursor is not None and cursor.relation == "prev"
        place = (datetime.fromisoformat(cursor.created_at), cursor.id) if cursor else None
        rows = queryset.page(completed=completed, descending=descending != backwards, place=place, limit=limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        if backwards:
            rows.reverse()
        if rows and (more or backwards):
            self.links["next"] = Cursor("next", rows[-1]["created_at"].isoformat(), rows[-1]["id"])
        if rows and (more if backwards else cursor):
            self.links["prev"] = Cursor("prev", rows[0]["created_at"].isoformat(), rows[0]["id"])
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        links = [f'<{self.url(cursor)}>; rel="{relation}"' for relation, cursor in self.links.items()]
        return Response(data, headers={"Link": ", ".join(links)} if links else None)

    def url(self, cursor: Cursor) -> str:
        query = self.request.query_params.dict() | {"cursor": signing.Signer(salt=self.salt).sign_object(cursor)}
        return f"{self.request.get_full_path().partition('?')[0]}?{urlencode(query)}"

    def cursor(self, text: str | None) -> Cursor | None:
        if text is None:
            return None
        try:
            return Cursor(*signing.Signer(salt=self.salt).unsign_object(text))
        except signing.BadSignature:
            raise ParseError("cursor is not good for this list: follow the Link headers as they are") from None

    def limit(self, text: str | None) -> int | None:
        if text is None:
            return None
        if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
            raise ParseError(f"limit must be a whole number from 1 to {MAX_LIMIT}")
        return int(text)


def chosen(query: Mapping[str, str], name: str, values: Mapping[str, bool]) -> bool | None:
    """What the parameter stands for; None where it is absent."""
    text = query.get(name)
    if text is None:
        return None
    if text not in values:
        raise ParseError(f"{name} must be {' or '.join(values)}")
    return values[text]
