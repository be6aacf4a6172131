"""Django's handler400 to handler500, for errors outside the API's views: JSON, or a page for staff."""

import logging
import sys
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import Error, InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults

from api.errors import about
from api.signals import OutcomeUnknownError
from config.staff import HasherBusyError

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    logger.warning("Bad request", extra=about(request) | {"reason": type(exception).__name__})
    if for_staff(request):
        return defaults.bad_request(request, exception)
    return JsonResponse({"detail": "Bad request: check the Host header and the URL"}, status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, HasherBusyError):
        return too_busy(request)
    if for_staff(request):
        return staff_page(request, HTTPStatus.FORBIDDEN, "Your account may not do that: ask a superuser.")
    return JsonResponse({"detail": "Forbidden"}, status=403)


def forged_form(request: HttpRequest, reason: str) -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW. Django's own page has an inline style, which the Content-Security-Policy forbids."""
    message = "This form can't be accepted (CSRF): go back, load its page again, and send it once more."
    return staff_page(request, HTTPStatus.FORBIDDEN, message)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if for_staff(request):
        return staff_page(request, HTTPStatus.NOT_FOUND, "There is no such page.")
    return JsonResponse({"detail": "Not found"}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while Django handles the exception, so sys.exc_info() has it."""
    error = sys.exc_info()[1]
    if for_staff(request):
        if isinstance(error, OperationalError | InterfaceError | InternalError):
            return without_database(request, error)
        return defaults.server_error(request)
    return JsonResponse({"detail": "Internal server error"}, status=500)


def for_staff(request: HttpRequest) -> bool:
    return settings.ADMIN_ENABLED and (request.path_info == "/admin" or request.path_info.startswith("/admin/"))


def too_many_attempts(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """django-axes' AXES_LOCKOUT_CALLABLE: the answer to an address that is locked out."""
    if hasattr(request, "hasher_is_busy"):
        return too_busy(request)
    wait = int(settings.AXES_COOLOFF_TIME.total_seconds())
    message = f"Signing in has failed too often from here. Try again in {wait // 60} minutes, or ask a superuser."
    return staff_page(request, HTTPStatus.TOO_MANY_REQUESTS, message, retry_after=wait)


def too_busy(request: HttpRequest) -> HttpResponse:
    message = "Somebody else's password is being checked. Go back, and try again in a second."
    return staff_page(request, HTTPStatus.SERVICE_UNAVAILABLE, message, retry_after=1)


def without_database(request: HttpRequest, error: Error) -> HttpResponse:
    """A page that needs nothing from the database, not even the user's session."""
    unknown = isinstance(error, OutcomeUnknownError)
    logger.error("Outcome unknown" if unknown else "Database error", exc_info=error, extra=about(request))
    status = HTTPStatus.GATEWAY_TIMEOUT if unknown else HTTPStatus.SERVICE_UNAVAILABLE
    message = (
        "The database does not answer at the moment. Go back in a few seconds, and look whether your change is there "
        "before you make it again."
    )
    context = {"title": status.phrase, "message": message, "site_header": admin.site.site_header}
    return HttpResponse(render_to_string("admin/message.html", context), status=status, headers={"Retry-After": "5"})


def staff_page(request: HttpRequest, status: HTTPStatus, message: str, retry_after: int | None = None) -> HttpResponse:
    context = admin.site.each_context(request) | {"title": status.phrase, "message": message}
    page = render(request, "admin/message.html", context, status=status)
    if retry_after is not None:
        page["Retry-After"] = str(retry_after)  # seconds
    return page
