"""The middleware of every request. The admin's own runs only for the admin."""

import ipaddress
import logging
import os
import re
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.module_loading import import_string

from config.logs import request_id

logger = logging.getLogger(__name__)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
GetResponse = Callable[[HttpRequest], HttpResponse]
WITHOUT_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
VARY = ["Authorization", "Origin"]  # of the API: no browser cache shows one user's answer to another
HOP = re.compile(r'"?(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?"?')
strangers: list[str] = []  # at most one: the first untrusted peer that sent X-Forwarded-For
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestMiddleware:
    """
    Finds the client of a request, and sets the headers of its response. Only the metrics are outside of it.

    Behind one of `TRUSTED_PROXIES` the client is the first untrusted address of X-Forwarded-For from the right, and
    X-Forwarded-Proto tells the scheme. From other peers both are ignored. REMOTE_ADDR is the client from here on.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent_id = request.META.get("HTTP_X_REQUEST_ID", "")
        sane_id = sent_id if SANE_REQUEST_ID.fullmatch(sent_id) else os.urandom(16).hex()
        request_id.set(sane_id)
        resolve_client(request)

        response = self.get_response(request)

        response.headers["X-Request-ID"] = sane_id
        if request.path_info.startswith("/api/"):
            response.headers["Cache-Control"] = "private, no-cache"
            response.headers.setdefault("Vary", "Authorization, Origin")
        if not response.streaming and response.status_code not in WITHOUT_BODY:
            response.headers.setdefault("Content-Length", str(len(response.content)))
            if request.method == "HEAD":
                response.content = b""
        return response


def resolve_client(request: HttpRequest) -> None:
    scheme = request.META.pop("HTTP_X_FORWARDED_PROTO", "")
    if not is_trusted(request.META.get("REMOTE_ADDR", "")):
        if "HTTP_X_FORWARDED_FOR" in request.META and not strangers:  # once: clients must not fill the log with it
            strangers.append(request.META.get("REMOTE_ADDR", ""))
            logger.warning("X-Forwarded-For from outside TRUSTED_PROXIES", extra={"client": strangers[0]})
        return
    # Django reads the first of several values, which the caller may have sent: only the last is the proxy's
    request.META["HTTP_X_FORWARDED_PROTO"] = scheme.rpartition(",")[2].strip().lower()
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        client = address(hop.strip()[:64])
        if not client:
            break  # hops to the left of one that can't be read can't be trusted
        request.META["REMOTE_ADDR"] = str(client)
        if not is_trusted(str(client)):
            break


@lru_cache(maxsize=1024)
def address(text: str) -> Address | None:
    """The address without the port that gateways such as Azure's append; None if it is not an IP address."""
    hop = HOP.fullmatch(text)
    try:
        found = ipaddress.ip_address((hop[1] or hop[2]) if hop else text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found


def is_trusted(text: str) -> bool:
    if not text:  # a client of a unix socket has no address
        return settings.TRUST_UNIX_SOCKET
    networks = settings.TRUSTED_PROXIES
    client = address(text) if networks else None
    return client is not None and any(client in network for network in networks)


def network_of_client(request: HttpRequest) -> str | None:
    """For django-axes: an IPv4 address, or the /64 of an IPv6 address, which belongs to one client."""
    client = address(request.META.get("REMOTE_ADDR", ""))
    if isinstance(client, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((client, 64), strict=False).network_address)
    return str(client) if client else None


class ExactCorsMiddleware(CorsMiddleware):
    """Compares origins exactly: django-cors-headers would accept one with a path, or in capitals."""

    def is_enabled(self, request: HttpRequest) -> bool:
        """Everywhere except in the admin. The parent would match a regular expression twice for each request."""
        return request.path_info != "/admin" and not request.path_info.startswith("/admin/")

    def origin_found_in_white_lists(self, origin: str, url: SplitResult) -> bool:
        return origin in settings.CORS_ALLOWED_ORIGINS or any(
            pattern.fullmatch(origin) for pattern in settings.CORS_ALLOWED_ORIGIN_REGEXES
        )

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """As the parent does it, but without request.headers, which take as long as all the rest."""
        origin, of_the_api = request.META.get("HTTP_ORIGIN"), request.path_info.startswith("/api/")
        if of_the_api and not origin:
            return response  # RequestMiddleware sets its Vary
        if not self.is_enabled(request):
            return response
        patch_vary_headers(response, VARY if of_the_api else ["Origin"])
        if not origin:
            return response
        super().add_response_headers(request, response)
        if not (settings.PRODUCTION or "Access-Control-Allow-Origin" in response or is_own(origin, request)):
            logger.warning("Not in CORS_ORIGINS, whose pages may call this API: %s", origin)
        return response


def is_own(origin: str, request: HttpRequest) -> bool:
    """Whether the page is this server's own, such as /api/docs, and needs no CORS."""
    return origin == f"{request.scheme}://{request.META.get('HTTP_HOST')}"


class HostMiddleware:
    """Answers 400 for a host outside ALLOWED_HOSTS, except on the health pages, whose probes know no host name."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Django's own check takes as long as the routing, so it is only for hosts that are not literally listed."""
        known = request.META.get("HTTP_HOST") in settings.ALLOWED_HOSTS
        if not known and not request.path_info.startswith("/health"):
            request.get_host()
        return self.get_response(request)


class AdminMiddleware:
    """
    Runs ADMIN_MIDDLEWARE for the admin's paths only: the API has no session, no user by cookie and no messages.

    It calls no `process_view` and the like, and these middleware have none. The admin's views are themselves protected
    against CSRF (`csrf_protect`).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.admin_response: Callable[[HttpRequest], Any] = get_response
        for name in reversed(settings.ADMIN_MIDDLEWARE):
            self.admin_response = convert_exception_to_response(import_string(name)(self.admin_response))

    def __call__(self, request: HttpRequest) -> Any:
        if not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig  # Django has no limit for files in a form, which anybody can send
        return self.admin_response(request)
