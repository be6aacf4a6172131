import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NoReturn

from django.db import Error
from django.http import HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.encoding import escape_uri_path
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    ValidationError,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from api.authentication import ApiUser, BearerAuthentication
from api.erasure import erase
from api.errors import OutcomeUnknown
from api.etags import PreconditionFailed, as_of, condition, matches, row_tag
from api.idempotency import create_once, fingerprint_of, idempotency_key
from api.pagination import Filters, ListQuery
from api.parsers import json_body
from api.permissions import PathNamesTokenUser
from api.renderers import rendered
from api.rows import UserRows
from api.statements import Row

ROW_ID = re.compile("(-?)0*([0-9]{1,19})")


class PublicView(APIView):
    """A read-only view that needs no token."""

    authentication_classes = []
    permission_classes = []
    http_method_names = ["get", "head"]


class OwnedViewSet(ViewSet):
    """
    One user's rows, guarded three times: BearerAuthentication verifies the token, PathNamesTokenUser and `get_queryset`
    each compare its user with the path, and UserRows names that user in every statement.

    A resource sets the attributes below and defines `get_queryset`, which every action calls.
    """

    authentication_classes = [BearerAuthentication]
    permission_classes = [PathNamesTokenUser]
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    noun: ClassVar[str]
    """What errors call one row: `Task`."""
    bodies: ClassVar[Mapping[str, type[Serializer[Any]]]] = {}
    """The serializers of `create`, `update` and `partial_update`. An action without one is a 405."""
    filters: ClassVar[Filters] = {}
    orderings: ClassVar[Sequence[str]] = ("created_at", "-created_at")
    """The allowed values of `?ordering=`, the default first. Their fields are never null and should have an index."""

    # Shared by all requests: run_validation keeps no state in them, and making one takes 30 µs, 8 % of a POST.
    serializers: ClassVar[Mapping[str, Serializer[Any]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.serializers = {action: body() for action, body in cls.bodies.items()}

    @classmethod
    def allows(cls, action: str) -> bool:
        return action in cls.bodies or action in {"list", "retrieve", "destroy"}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As DRF does it, but without negotiating a format and a version: there is one of each."""
        self.perform_authentication(request)
        self.check_permissions(request)
        self.check_throttles(request)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """`Allow`, with a 405. DRF works it out for each answer."""
        return {} if self.allows(self.action) else super().default_response_headers

    def get_queryset(self) -> UserRows:
        raise NotImplementedError

    def user_of_path_and_token(self) -> str:
        """The user's id if path and token agree on it; otherwise PermissionDenied."""
        user: Any = self.request.user
        if not isinstance(user, ApiUser) or user.id != self.kwargs["user_id"]:
            raise PermissionDenied("User ID mismatch", "user_mismatch")
        return user.id

    def list(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        query = ListQuery(request, self.get_queryset(), self.filters, self.orderings)
        known = condition(request, "If-None-Match")
        if known:  # a poll reads ids and times only: rendering the list would cost many times as much
            tag = query.tag()
            if matches(tag, known):
                return HttpResponseNotModified(headers={"ETag": tag})
        return query.answer()

    def create(self, request: Request, **kwargs: Any) -> HttpResponse:
        body, key, rows = json_body(request), idempotency_key(request), self.get_queryset()
        serializer = self.serializers["create"]
        values = serializer.run_validation(body)
        if key is None:
            row, replayed = rows.make(**values), False
        else:
            row, replayed = create_once(rows, key, values, fingerprint_of(body, serializer, values))
        with after_a_write():
            headers = {"Location": f"{escape_uri_path(request.path)}/{row['id']}"}
            if replayed:
                headers["Idempotency-Replayed"] = "true"
            return answer(row, status.HTTP_201_CREATED, headers)

    def retrieve(self, request: Request, **kwargs: Any) -> HttpResponse:
        row = self.get_object()
        known = condition(request, "If-None-Match")
        if known and matches(row_tag(row["updated_at"]), known):
            return HttpResponseNotModified(headers={"ETag": row_tag(row["updated_at"])})
        return answer(row)

    def update(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Write only the columns that the body names, so that of two writes at once both survive."""
        with self.refusals_in_order():
            body, times = json_body(request), as_of(request)
            values = self.serializers[self.action].run_validation(body)
        row = self.get_queryset().revise(self.row_id(), as_of=times, **values)
        if row is None:
            self.missed()
        with after_a_write():
            return answer(row)

    partial_update = update

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        with self.refusals_in_order():
            times = as_of(request)
        if not self.get_queryset().remove(self.row_id(), as_of=times):
            self.missed()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_object(self) -> Row:
        row = self.get_queryset().row(self.row_id())
        if row is None:
            raise NotFound(f"{self.noun} not found")
        return row

    def missed(self) -> NoReturn:
        """Raise NotFound if the row does not exist, PreconditionFailed if it is in none of the versions named."""
        self.get_object()
        raise PreconditionFailed(self.noun)

    @contextmanager
    def refusals_in_order(self) -> Iterator[None]:
        """Report a missing row before any error of the request, and a stale version before an invalid body."""
        try:
            yield
        except APIException as error:
            row = self.get_object()
            if isinstance(error, ValidationError):
                times = as_of(self.request)
                if times is not None and row["updated_at"] not in times:
                    raise PreconditionFailed(self.noun) from error
            raise

    def row_id(self) -> int:
        """The id in the path; NotFound if it is no decimal integer of 64 bits, as for an unknown URL."""
        match = ROW_ID.fullmatch(self.kwargs["id"])
        number = int(match[1] + match[2]) if match else 2**63
        if not -(2**63) <= number < 2**63:
            raise NotFound("Not found")
        return number


def answer(row: Row, status: int = status.HTTP_200_OK, headers: Mapping[str, str] | None = None) -> HttpResponse:
    headers = {"ETag": row_tag(row["updated_at"]), **(headers or {})}
    return HttpResponse(rendered(row), status=status, content_type="application/json", headers=headers)


@contextmanager
def after_a_write() -> Iterator[None]:
    """Turn any error into OutcomeUnknown: the write has been done, and the answer must not deny it."""
    try:
        yield
    except Exception as error:
        raise OutcomeUnknown from error


NOT_USERS = {"schema", "docs"}  # reserved for api/docs.py, even where API_DOCS is off


class EraseView(APIView):
    """Erases everything that is stored of the token's user, in every resource."""

    authentication_classes = [BearerAuthentication]
    permission_classes = [PathNamesTokenUser]
    http_method_names = ["delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """The route matches every path. One that looks like another URL, and is not the user's own, is a 404."""
        try:
            super().initial(request, *args, **kwargs)
        except (NotAuthenticated, AuthenticationFailed, PermissionDenied) as error:
            is_own = getattr(error, "user", None) == kwargs["user_id"]  # if the owner's token has expired
            if not is_own and ("/" in kwargs["user_id"] or kwargs["user_id"] in NOT_USERS):
                raise NotFound("Not found") from None
            raise

    def delete(self, request: Request, **kwargs: Any) -> Response:
        user: Any = request.user
        erased = 0
        try:
            for batch in erase(user.id):
                erased += batch.total()
        except Error as error:
            if erased:  # a 503 would deny that
                raise OutcomeUnknown from error
            raise
        return Response(status=status.HTTP_204_NO_CONTENT)
