"""Requests to the WSGI application itself, as a server makes them."""

import io
import json
from functools import cache
from typing import Any
from wsgiref.util import setup_testing_defaults

from config.wsgi import application
from tests.tokens import token

authorization = cache(lambda user: f"Bearer {token(user)}")  # a client sends the same one for minutes


def environ(method: str, path: str, body: Any = None, user: str = "alice", **headers: str) -> dict[str, Any]:
    content = b"" if body is None else json.dumps(body).encode()
    made = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.partition("?")[0],
        "QUERY_STRING": path.partition("?")[2],
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": authorization(user),
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    setup_testing_defaults(made)
    return made


def call(environ: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body, after all that a server does with a response."""
    response: Any = application(environ, lambda *arguments: lambda data: None)
    body = b"".join(response)
    response.close()
    return response.status_code, body
