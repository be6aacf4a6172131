"""
The WSGI entry: Django's, which never raises.

An environ that is no valid request is a 400, and a bug before, around or after the views is a 500. Both have the one
shape of errors and the usual headers, are counted, and are logged without the query string, which may have a token.
"""

import logging
import math
import os
import re
import sys
import uuid
from collections.abc import Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest
from django.utils.module_loading import import_string

from config.logs import request_id

logger = logging.getLogger(__name__)

CONTENT_TYPE_LENGTH = 256  # characters; this server needs less than half
LENGTH = re.compile("[0-9]{0,100}")
BOUNDARY = re.compile(r"boundary=(\"?)[\w'()+,./:=?-]{1,70}\1", re.ASCII | re.IGNORECASE)
# They would refuse the request of an error, or need more of it than there is.
NOT_FOR_ERRORS = {"config.middleware.HostMiddleware", "config.middleware.AdminMiddleware"}
FOR_ERRORS = ("REMOTE_ADDR", "HTTP_ORIGIN", "HTTP_X_REQUEST_ID", "HTTP_X_FORWARDED_FOR")

StartResponse = Callable[..., Any]


class Body:
    """wsgi.input, with the number of bytes left: `math.inf` while chunks may come. Raises what the server raises."""

    def __init__(self, stream: Any, left: float) -> None:
        self.stream, self.left = stream, left

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.stream.read(size)
        self.left = 0 if size < 0 or len(data) < size else self.left - len(data)
        return data

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self.stream.readline(size)
        self.left -= len(line)
        return line


class Request(WSGIRequest):
    """Reads a body in chunks too. Django reads no more than Content-Length, which such a body does not have."""

    def __init__(self, environ: dict[str, Any]) -> None:
        length, chunked = environ.get("CONTENT_LENGTH") or "0", "HTTP_TRANSFER_ENCODING" in environ
        environ["wsgi.input"] = Body(environ["wsgi.input"], math.inf if chunked else int(length))
        if chunked:
            environ["CONTENT_LENGTH"] = str(sys.maxsize)
        super().__init__(environ)
        if chunked:
            del environ["CONTENT_LENGTH"]


def put_into_plain_form(environ: dict[str, Any]) -> None:
    """BadRequest if the environ is no valid request."""
    environ["CONTENT_TYPE"] = plain(environ.get("CONTENT_TYPE", ""))
    if not LENGTH.fullmatch(environ.get("CONTENT_LENGTH", "")):
        raise BadRequest("Content-Length")
    try:
        for name in ("PATH_INFO", "QUERY_STRING", "HTTP_COOKIE"):
            environ.get(name, "").encode("iso-8859-1")
        environ.get("SCRIPT_NAME", "").encode("iso-8859-1").decode()
    except UnicodeError as error:
        raise BadRequest("URL") from error


def plain(content_type: str) -> str:
    """
    The media type, and the boundary of a form. Django takes quadratic time for the whole header, and would use its
    charset for the query string, which is always UTF-8 here.
    """
    if len(content_type) > CONTENT_TYPE_LENGTH:
        return ""
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if media_type == "multipart/form-data" and (boundary := BOUNDARY.search(parameters)):
        return f"{media_type}; {boundary[0]}"
    return media_type


class Application(WSGIHandler):
    request_class = Request

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            """If some of the body is unread, close the connection: granian by a header, gunicorn by a call."""
            body = environ.get("wsgi.input")
            if isinstance(body, Body) and body.left > 0:
                getattr(body.stream, "force_close", int)()
                headers = [*headers, ("Connection", "close")]
            return start_response(status, headers, *exc_info)

        try:
            put_into_plain_form(environ)
            return super().__call__(environ, start)
        except Exception as error:
            response = sealed(failure(environ, error))
            start(f"{response.status_code} {response.reason_phrase}", list(response.items()), sys.exc_info())
            return response

    def get_response(self, request: HttpRequest) -> Any:
        return sealed(super().get_response(request))


def sealed(response: Any) -> Any:
    """Give it a request id even if the middleware failed, and log an error of `close`: it is too late to answer."""
    if "X-Request-ID" not in response.headers:
        response.headers["X-Request-ID"] = request_id.get() or uuid.uuid4().hex
    close = response.close

    def close_quietly() -> None:
        try:
            close()
        except Exception:
            logger.exception("Response not closed")

    response.close = close_quietly
    return response


def failure(environ: dict[str, Any], error: Exception) -> Any:
    """The answer if no view was reached. It goes through the middleware, with as little of the request as possible."""
    request = HttpRequest()
    request.method = str(environ.get("REQUEST_METHOD"))
    request.path, request.path_info = str(environ.get("PATH_INFO")), "/api/"  # so that it is JSON, and has CORS
    request.META = {name: environ[name] for name in FOR_ERRORS if name in environ}
    request.META["HTTP_X_REQUEST_ID"] = request_id.get() or environ.get("HTTP_X_REQUEST_ID", "")

    def handler(request: HttpRequest) -> Any:
        if isinstance(error, BadRequest):
            return bad_request(request, error)
        logger.error("Error outside the views", exc_info=error, extra=about(request))
        return server_error(request)

    marked: Any = handler
    try:
        for name in reversed(settings.MIDDLEWARE):
            if name not in NOT_FOR_ERRORS:
                marked = import_string(name)(marked)
                marked.redirect = False  # SecurityMiddleware must not redirect an error to https
        return marked(request)
    except Exception:
        logger.exception("Error of the middleware")
        return handler(request)


django.setup(set_prefix=False)

from api.errors import about  # noqa: E402 - it needs the applications
from config.errors import bad_request, server_error  # noqa: E402 - likewise

application = Application()
