"""Pages by keyset: page 1,000 costs what page 1 costs; a row made or deleted meanwhile repeats or hides no other."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from itertools import chain
from tempfile import TemporaryFile
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core import signing
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.text import get_text_list
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from api.renderers import rendered
from api.rows import PAGE, Place, UserRows, versions_of
from api.statements import Row

MAX_LIMIT = 500
Filters = Mapping[str, Mapping[str, Any]]
"""By field: the allowed values of its query parameter, each with the value of the field that it stands for."""


class Cursor(NamedTuple):
    """The place of one row in a list, and the direction to read from there."""

    relation: str  # "next" or "prev"
    value: Any  # as JSON has it
    id: int


class ListQuery:
    """
    The query parameters of a list: filters, `ordering`, `limit`, and the `cursor` of a Link (RFC 8288).

    Without them the list is whole. A cursor is signed for the resource, the user, the order and the filters that it
    was made for, and valid for nothing else. ParseError for an invalid parameter.
    """

    def __init__(self, request: Request, rows: UserRows, filters: Filters, orderings: Sequence[str]) -> None:
        self.request, query = request, request.query_params
        self.where = {name: chosen(query, name, values) for name, values in filters.items() if name in query}
        self.ordering = orderings[0]
        if "ordering" in query:
            self.ordering = chosen(query, "ordering", {name: name for name in orderings})
        self.order, self.descending = self.ordering.removeprefix("-"), self.ordering[0] == "-"
        self.rows = rows
        self.limit = limit(query["limit"]) if "limit" in query else None
        self.cursor = self.unsigned(query["cursor"]) if "cursor" in query else None
        if self.cursor and self.limit is None:
            raise ParseError("cursor goes with limit: follow the Link headers")

    def tag(self) -> str:
        """The list's ETag. The database sums up a whole list for it, so a poll costs a fraction of the list."""
        if self.limit is None:
            return self.tag_of([self.rows.versions(where=self.where)])
        found, link = self.page(self.rows.only("id", "updated_at", self.order), self.limit)
        return self.tag_of([versions_of(found)], link)

    def tag_of(self, versions: Iterable[tuple[int, ...]], link: str = "") -> str:
        sums = [sum(column) for column in zip((0, 0, 0), *versions, strict=True)]
        return f'"{blake2b(f"{self.ordering} {link} {sums}".encode(), digest_size=16).hexdigest()}"'

    def answer(self) -> HttpResponseBase:
        """The list with its ETag and Link. PAGE rows or more wait in a file until they are sent: memory is bounded."""
        if self.limit is not None:
            found, link = self.page(self.rows, self.limit)
            headers = {"ETag": self.tag_of([versions_of(found)], link)} | ({"Link": link} if link else {})
            return HttpResponse(rendered(found), content_type="application/json", headers=headers)
        pages = self.rows.pages(where=self.where, order=self.order, descending=self.descending)
        found = next(pages, [])
        if len(found) < PAGE:
            headers = {"ETag": self.tag_of([versions_of(found)])}
            return HttpResponse(rendered(found), content_type="application/json", headers=headers)
        return self.answer_from_file(chain([found], pages))

    def answer_from_file(self, pages: Iterable[list[Row]]) -> HttpResponseBase:
        versions, before = [], b"["
        with ExitStack() as stack:
            body = stack.enter_context(TemporaryFile())
            for found in pages:
                versions.append(versions_of(found))
                body.write(before + rendered(found)[1:-1])
                before = b","
            body.write(b"]")
            headers = {"ETag": self.tag_of(versions), "Content-Length": str(body.tell())}
            if self.request.method == "HEAD":
                return HttpResponse(content_type="application/json", headers=headers)
            body.seek(0)
            stack.pop_all()  # the response closes the file
            return FileResponse(body, content_type="application/json", headers=headers)

    def page(self, rows: UserRows, limit: int) -> tuple[list[Row], str]:
        """At most `limit` rows from the cursor on, and the value of the Link header ("" for none)."""
        cursor = self.cursor
        backwards = cursor is not None and cursor.relation == "prev"
        after = Place(rows.owned.field(self.order).to_python(cursor.value), cursor.id) if cursor else None
        descending = self.descending != backwards
        found = rows.page(where=self.where, order=self.order, descending=descending, after=after, limit=limit + 1)
        more, found = len(found) > limit, found[:limit]
        if backwards:
            found.reverse()
        links = []
        if found and (more or backwards):
            links.append(self.link("next", found[-1]))
        if found and (more if backwards else cursor):
            links.append(self.link("prev", found[0]))
        return found, ", ".join(links)

    def link(self, relation: str, row: Row) -> str:
        """Only a query, relative to the URL of the request: it is right behind any prefix or proxy."""
        place = Cursor(relation, json.loads(rendered(row[self.order])), row["id"])
        query = self.request.query_params.dict() | {"cursor": self.signer().sign_object(place)}
        return f'<?{urlencode(query)}>; rel="{relation}"'

    def unsigned(self, text: str) -> Cursor:
        try:
            return Cursor(*self.signer().unsign_object(text))
        except signing.BadSignature:
            raise ParseError("cursor is not valid for this list: follow the Link headers as they are") from None

    def signer(self) -> signing.Signer:
        made_for = [self.rows.owned.label, self.rows.user_id, self.ordering, self.where]
        return signing.Signer(salt=json.dumps(made_for, default=str))


def limit(text: str) -> int:
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise ParseError(f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def chosen(query: Mapping[str, str], name: str, values: Mapping[str, Any]) -> Any:
    """The value that the parameter stands for; ParseError names the allowed ones."""
    if query[name] not in values:
        raise ParseError(f"{name} must be {get_text_list([*values], 'or')}")
    return values[query[name]]
