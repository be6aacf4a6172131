import os
import re
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

import jwt
from django.conf import settings
from django.core.management.base import CommandError

from api.management.command import DocumentedCommand, add_user

SECONDS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def duration(text: str) -> int:
    """Seconds in "90s", "15m", "1h" or "7d"."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not match:
        raise ArgumentTypeError(f"{text!r} is not a duration: write 90s, 15m, 1h or 7d")
    return int(match[1]) * SECONDS[match[2]]


class Command(DocumentedCommand):
    help = """\
Print a token for USER, signed as Better Auth would with the shared secret (HS256), to try the API with.

  TOKEN=$(manage.py mint_token alice --expires 15m)
  curl http://127.0.0.1:8000/api/alice/tasks -H "Authorization: Bearer $TOKEN"

It gives access to all of the user's data until it expires, and can't be revoked: production needs --force.
If Better Auth signs with its own keys and there is no shared secret, only Better Auth can make a token."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_user(parser)
        parser.add_argument(
            "--expires", type=duration, default="1h", metavar="TIME", help="90s, 15m, 1h, 7d (default: %(default)s)"
        )
        parser.add_argument("--force", action="store_true", help="also in production")

    def handle(self, *, user: str, expires: int, force: bool, **options: Any) -> None:
        if settings.PRODUCTION and not force:
            raise CommandError("A token opens all of the user's data, and this is production: add --force to mean it.")
        if not (os.environ.get("BETTER_AUTH_SECRET") or os.environ.get("BETTER_AUTH_SECRETS")):
            if settings.BETTER_AUTH_JWKS_URL:
                raise CommandError(
                    f"BETTER_AUTH_SECRET is not set: only {settings.BETTER_AUTH_ORIGIN} can make a token."
                )
            raise CommandError(
                "BETTER_AUTH_SECRET is not set: no server would accept this token. `make .env` writes a .env with one; "
                "where there is a .env already, add a line BETTER_AUTH_SECRET=… of 32 random characters or more."
            )
        now = int(time.time())
        claims = {
            "iat": now,
            "exp": now + expires,
            "sub": user,
            "iss": settings.BETTER_AUTH_ISSUER,
            "aud": settings.BETTER_AUTH_AUDIENCE,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        self.stdout.write(jwt.encode(claims, settings.BETTER_AUTH_SECRETS[0], algorithm="HS256"))
