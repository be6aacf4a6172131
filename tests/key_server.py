"""A key server as Better Auth is one, that can be told to misbehave."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

MAKERS: dict[str, Callable[[], Any]] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
}


class KeyPair:
    def __init__(self, kid: str, algorithm: str = "EdDSA") -> None:
        self.kid, self.algorithm, self.private = kid, algorithm, MAKERS[algorithm]()

    def public(self, **more: Any) -> dict[str, Any]:
        jwk = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        return jwk | {"kid": self.kid, "alg": self.algorithm} | more

    def token(self, server: "KeyServer", sub: str = "alice", *, headers: Any = None, **claims: Any) -> str:
        """As Better Auth issues it: no typ, no jti, the whole user in it."""
        now = int(time.time())
        payload = {
            "iat": now,
            "name": "Alice",
            "email": "alice@example.com",
            "emailVerified": False,
            "id": sub,
            "sub": sub,
            "exp": now + 900,
            "iss": server.origin,
            "aud": server.origin,
            **claims,
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        headers = {"typ": None, "kid": self.kid} | (headers or {})
        return jwt.encode(payload, self.private, headers.pop("alg", self.algorithm), headers)


class KeyServer:
    def __init__(self) -> None:
        self.published: list[Any] = []
        self.misbehave: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.requests = 0
        self.agents: set[str] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests += 1
                server.agents.add(self.headers["User-Agent"])
                if server.misbehave:
                    server.misbehave(self)
                else:
                    answer(self, json.dumps({"keys": server.published}))

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_port
        self.origin = f"http://127.0.0.1:{self.port}"

    def publish(self, *pairs: KeyPair) -> None:
        self.published = [pair.public() for pair in pairs]


def answer(
    handler: BaseHTTPRequestHandler, body: str, status: int = 200, content_type: str = "application/json"
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body.encode())))
    handler.end_headers()
    handler.wfile.write(body.encode())


@contextmanager
def running() -> Iterator[KeyServer]:
    server = KeyServer()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def encode(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
