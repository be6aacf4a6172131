"""The one shape of every error, {"detail": "…"}, whether DRF or Django raises it; and which of them go to the log."""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as drf_exception_handler

from config.signals import authentication_failed, database_failed

logger = logging.getLogger(__name__)


class ServiceUnavailable(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The service is unavailable at the moment: try again in a few seconds"
    default_code = "service_unavailable"
    wait = 5  # seconds; DRF makes it the Retry-After header


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. It returns None for a bug: Django logs the traceback, `server_error` answers."""
    request = context["request"]
    if isinstance(exc, OperationalError | InterfaceError | InternalError):
        logger.error("Database error", exc_info=exc, extra=about(request))
        database_failed.send(None, error=exc)
        exc = ServiceUnavailable()
    elif isinstance(exc, exceptions.APIException) and request.user is None and exc.status_code in {401, 503}:
        reason, proved_user = str(exc.get_codes()), getattr(exc, "user", None)
        authentication_failed.send(None, reason=reason)
        logger.warning("Authentication failed", extra=about(request) | {"user": proved_user, "reason": reason})
    elif isinstance(exc, exceptions.PermissionDenied):
        logger.warning("Permission denied", extra=about(request) | {"reason": exc.get_codes()})
    elif isinstance(exc, exceptions.MethodNotAllowed):
        allowed = ", ".join(context["view"].allowed_methods)
        exc = exceptions.MethodNotAllowed(request.method, f"Method not allowed: use {allowed}")

    response = drf_exception_handler(exc, context)
    if isinstance(exc, exceptions.ValidationError):
        errors = list(error_rows(exc.get_full_details()))
        detail = " ".join(f"{error['field']}: {error['message']}" for error in errors)
        response = Response({"detail": detail, "errors": errors}, status.HTTP_422_UNPROCESSABLE_ENTITY)
    return response


def about(request: Request) -> dict[str, Any]:
    return {
        "client": request.META.get("REMOTE_ADDR"),
        "method": request.method,
        "path": request.path,
        "user": getattr(request.user, "id", None),
    }


def error_rows(details: Any) -> Iterator[dict[str, str]]:
    """DRF's {"title": [{"message": …, "code": …}]} as rows of field, code and message; a list is about the body."""
    if isinstance(details, list):
        details = {api_settings.NON_FIELD_ERRORS_KEY: details}
    for field, problems in details.items():
        for problem in problems:
            yield {"field": field, "code": problem["code"], "message": problem["message"]}


# Django's handler400 to handler500, for what never reaches a view. Staff get Django's pages.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    about_it = {"client": request.META.get("REMOTE_ADDR"), "method": request.method, "path": request.path}
    logger.warning("Bad request", extra=about_it | {"reason": type(exception).__name__})
    if for_staff(request):
        return defaults.bad_request(request, exception)
    return JsonResponse({"detail": "Bad request: check the Host header and the URL"}, status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if for_staff(request):
        return staff_page(request, HTTPStatus.FORBIDDEN, "Your account may not do that: ask a superuser.")
    return JsonResponse({"detail": "Forbidden"}, status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if for_staff(request):
        return staff_page(request, HTTPStatus.NOT_FOUND, "There is no such page.")
    return JsonResponse({"detail": "Not found"}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    if for_staff(request):
        return defaults.server_error(request)
    return JsonResponse({"detail": "Internal server error"}, status=500)


def for_staff(request: HttpRequest) -> bool:
    return settings.ADMIN_ENABLED and (request.path_info == "/admin" or request.path_info.startswith("/admin/"))


def too_many_attempts(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """django-axes' AXES_LOCKOUT_CALLABLE: what somebody gets who has guessed passwords."""
    wait = int(settings.AXES_COOLOFF_TIME.total_seconds())
    message = f"Signing in has failed too often from here. Try again in {wait // 60} minutes, or ask a superuser."
    page = staff_page(request, HTTPStatus.TOO_MANY_REQUESTS, message)
    page["Retry-After"] = str(wait)
    return page


def staff_page(request: HttpRequest, status: HTTPStatus, message: str) -> HttpResponse:
    context = admin.site.each_context(request) | {"title": status.phrase, "message": message}
    return render(request, "admin/message.html", context, status=status)
