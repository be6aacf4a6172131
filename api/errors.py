"""Gives every error of a view its one shape, {"detail": "…"}, and logs those that matter."""

import logging
from collections.abc import Iterator
from typing import Any

from django.db import DataError, Error, IntegrityError, InterfaceError, InternalError, OperationalError
from django.http import HttpRequest
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as drf_exception_handler

from api.signals import OutcomeUnknownError, authentication_failed, database_failed

logger = logging.getLogger(__name__)


class ServiceUnavailable(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The service is unavailable at the moment: try again in a few seconds"
    default_code = "service_unavailable"
    wait = 5  # seconds; DRF makes it the Retry-After header


class OutcomeUnknown(exceptions.APIException):
    """A write was sent and may have been carried out: the answer must not deny it."""

    status_code = status.HTTP_504_GATEWAY_TIMEOUT
    default_detail = "It is unknown whether this was carried out: read, or send the same Idempotency-Key again"
    default_code = "outcome_unknown"


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. None for a bug: then Django logs the traceback, and `server_error` answers."""
    request = context["request"]
    about_it = about(request) | {"user": getattr(request.user, "id", None)}
    if isinstance(exc, OperationalError | InterfaceError | InternalError):
        exc = database_error(exc, about_it)
    elif isinstance(exc, IntegrityError | DataError) and request.method in {"POST", "PUT", "PATCH"}:
        exc = refusal(exc, about_it) or exc
    elif isinstance(exc, OutcomeUnknown):
        logger.error("Outcome unknown", exc_info=exc, extra=about_it)
    elif isinstance(exc, exceptions.APIException) and request.user is None and exc.status_code in {401, 503}:
        reason, proved_user = str(exc.get_codes()), getattr(exc, "user", None)
        authentication_failed.send(None, reason=reason)
        logger.warning("Authentication failed", extra=about_it | {"user": proved_user, "reason": reason})
    elif isinstance(exc, exceptions.PermissionDenied):
        logger.warning("Permission denied", extra=about_it | {"reason": exc.get_codes()})
    elif isinstance(exc, exceptions.MethodNotAllowed):
        allowed = ", ".join(context["view"].allowed_methods)
        exc = exceptions.MethodNotAllowed(request.method, f"Method not allowed: use {allowed}")

    response = drf_exception_handler(exc, context)
    if isinstance(exc, exceptions.ValidationError):
        errors = list(error_rows(exc.get_full_details()))
        detail = " ".join(f"{error['field']}: {error['message']}" for error in errors)
        response = Response({"detail": detail, "errors": errors}, status.HTTP_422_UNPROCESSABLE_ENTITY)
    return response


def database_error(error: Error, about_it: dict[str, Any]) -> exceptions.APIException:
    """Log and count the error, and return the answer: 503 promises that nothing was written, 504 does not."""
    unknown = is_unknown(error)
    logger.error("Outcome unknown" if unknown else "Database error", exc_info=error, extra=about_it)
    database_failed.send(None, error=error)
    return OutcomeUnknown() if unknown else ServiceUnavailable()


def refusal(error: Error, about_it: dict[str, Any]) -> exceptions.ValidationError | None:
    """The answer to values that a serializer lets through and the database does not; None if it gave no reason."""
    cause = error.__cause__
    reason = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    if reason in {"23505", "SQLITE_CONSTRAINT_UNIQUE"}:
        return exceptions.ValidationError("Another row has these values, and they must be unique.", "unique")
    if reason is None:
        return None
    logger.error("Refused by the database", exc_info=error, extra=about_it)
    return exceptions.ValidationError("The database refuses one of these values.", "refused")


def is_unknown(error: BaseException | None) -> bool:
    """Whether OutcomeUnknownError caused it: a failed reconnect at the end of a transaction hides the first error."""
    if error is None or isinstance(error, OutcomeUnknownError):
        return error is not None
    return is_unknown(error.__cause__ or error.__context__)


def about(request: HttpRequest | Request) -> dict[str, Any]:
    """What a log line says of a request, as `extra`."""
    return {"client": request.META.get("REMOTE_ADDR"), "method": request.method, "path": request.path}


def error_rows(details: Any, field: str = "") -> Iterator[dict[str, str]]:
    """
    DRF's {"title": [{"message": …, "code": …}]} as rows of field, code and message.

    A nested field is `tags.0`. The field of a list at the top is the body.
    """
    if is_problem(details):
        field = field or api_settings.NON_FIELD_ERRORS_KEY
        yield {"field": field, "code": details["code"], "message": details["message"]}
        return
    parts = details.items() if isinstance(details, dict) else enumerate(details)
    for name, part in parts:
        is_own = isinstance(details, list) and is_problem(part)
        yield from error_rows(part, field if is_own else f"{field}.{name}" if field else str(name))


def is_problem(details: Any) -> bool:
    return isinstance(details, dict) and isinstance(details.get("message"), str)
