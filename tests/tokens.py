"""Tokens, really signed."""

import time
from typing import Any

import jwt
from django.conf import settings

ABSENT = object()


def token(
    sub: Any = "alice", *, secret: str | None = None, headers: dict[str, Any] | None = None, **claims: Any
) -> str:
    """An HS256 token as Better Auth's `jwt` plugin sends it: no jti, no token_type. ABSENT leaves a claim out."""
    now = int(time.time())
    payload = {"sub": sub, "iat": now, "exp": now + 900, **claims}
    payload = {name: value for name, value in payload.items() if value is not ABSENT}
    return jwt.encode(payload, secret or settings.BETTER_AUTH_SECRETS[0], algorithm="HS256", headers=headers)


def bearer(*args: Any, **kwargs: Any) -> dict[str, str]:
    """The Authorization header with such a token, as Django's test client takes it."""
    return {"Authorization": f"Bearer {token(*args, **kwargs)}"}
