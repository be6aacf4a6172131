"""One GET, with a limit on everything that the other side can choose."""

import io
import socket
import time
from collections.abc import Callable
from email.message import Message
from functools import partial
from http.client import HTTPResponse
from typing import Any
from urllib import request

from django.conf import settings


def fetch(url: str, seconds: float, max_bytes: int) -> tuple[Message, bytes]:
    """
    The headers and the body of a 2xx. Raises OSError, HTTPException or ValueError for anything else.

    Connecting, the TLS handshake and the rest may each take `seconds`, and all together little more. Looking up the
    address has only the system's limit: call this in a thread if you can't wait for that.

    It uses http and https only, and the proxies of the environment (HTTPS_PROXY, NO_PROXY). It follows no redirect,
    because the operator has named the one server to trust. It neither asks for compressed answers nor unpacks them.
    """
    deadline = time.monotonic() + seconds
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(request.getproxies_environment()),  # macOS's own settings can't be read after a fork
        request.UnknownHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        Handler(deadline),
    ):
        opener.add_handler(handler)
    headers = {"Accept": "application/json", "User-Agent": settings.USER_AGENT}  # firewalls refuse Python-urllib
    with opener.open(request.Request(url, headers=headers), timeout=seconds) as response:  # noqa: S310 - see above
        body = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise ValueError(f"the answer is longer than {max_bytes} bytes")
    return response.headers, body


class Handler(request.HTTPSHandler, request.HTTPHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline

    def do_open(self, http_class: Callable[..., Any], req: request.Request, **arguments: Any) -> HTTPResponse:
        def connection(*args: Any, **more: Any) -> Any:
            made = http_class(*args, **more)
            made.response_class = partial(Response, deadline=self.deadline)
            return made

        return super().do_open(connection, req, **arguments)


class Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp = io.BufferedReader(Received(self.fp.detach(), sock, deadline))


class Received(io.RawIOBase):
    """Reads from a socket until the deadline. The socket's own timeout would start again with every byte."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self.raw, self.sock, self.deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self.sock.settimeout(left)
        return self.raw.readinto(buffer)

    def close(self) -> None:
        self.raw.close()
        super().close()
