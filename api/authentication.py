"""
Layer 1: a bearer token, and nothing else, becomes the user it names.

On simplejwt's extension points (AUTH_TOKEN_CLASSES, TOKEN_USER_CLASS, a TokenBackend). PyJWT checks the signature, the
issuer and the audience; the rest of RFC 7519 and RFC 8725 is checked here.
"""

import re
import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from jwt.types import Options
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.tokens import Token

from api.keys import PUBLIC_KEY_ALGORITHMS, key_set
from api.models import USER_ID_MAX_LENGTH

# PyJWT takes strings for times, and answers "expired" before it has seen the rest
OPTIONS: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_sub": False,
    "verify_jti": False,
}
TOKEN_TYPES = ("JWT", "at+jwt")
LAST_SECOND = 253_402_300_799  # of the year 9999; what lies beyond are milliseconds taken for seconds
UNFIT_FOR_A_USER_ID = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, lone surrogates


class InvalidToken(AuthenticationFailed):
    """One text for every cause. The cause is the code, which goes to the log and not to the caller."""

    default_detail = "Invalid token"

    def __init__(self, reason: str) -> None:
        super().__init__(code=reason)


class ExpiredToken(InvalidToken):
    """A token that was good in every other respect, so that its user is proved."""

    default_detail = "Token expired"

    def __init__(self, user: str) -> None:
        super().__init__("expired")
        self.user = user


class BetterAuthTokenBackend(TokenBackend):
    """HS256 with a secret that Better Auth shares, or one of Better Auth's own key pairs."""

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The claims of a token whose header, signature, issuer and audience are right; else InvalidToken."""
        try:
            header = unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise InvalidToken("malformed") from error
        if "crit" in header or header.get("typ", "JWT") not in TOKEN_TYPES:
            raise InvalidToken("header")
        issuer, audience = settings.BETTER_AUTH_ISSUER, settings.BETTER_AUTH_AUDIENCE
        if header.get("alg") in PUBLIC_KEY_ALGORITHMS:
            issuer, audience = issuer or settings.BETTER_AUTH_ORIGIN, audience or settings.BETTER_AUTH_ORIGIN
        for key in keys_for(header):
            try:
                return verified(token, key, header["alg"], issuer, audience).copy()
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidAudienceError, jwt.InvalidIssuerError, jwt.MissingRequiredClaimError) as error:
                raise InvalidToken("audience") from error
            except jwt.InvalidTokenError as error:
                raise InvalidToken("malformed") from error
        raise InvalidToken("signature")


# A client sends the same token until it expires: to verify it anew takes 100 µs, and more for public keys. Both of
# these depend on nothing but their arguments, not on the time either, and forget failures.

unverified_header = lru_cache(maxsize=512)(jwt.get_unverified_header)


@lru_cache(maxsize=1024)
def verified(
    token: bytes, key: str | jwt.PyJWK, algorithm: str, issuer: str | None, audience: str | None
) -> dict[str, Any]:
    options = OPTIONS | {"verify_aud": audience is not None}
    return jwt.decode(token, key, algorithms=[algorithm], issuer=issuer, audience=audience, options=options)


def keys_for(header: dict[str, Any]) -> list[str] | list[jwt.PyJWK]:
    """
    What may have signed: any of the secrets, or the one public key that `kid` names.

    The algorithm must be configured before a key is looked for, and be the key's own: a public key is never a secret.
    """
    algorithm = header.get("alg")
    if algorithm == "HS256" and settings.BETTER_AUTH_SECRETS:
        secrets: list[str] = settings.BETTER_AUTH_SECRETS
        return secrets
    if algorithm not in PUBLIC_KEY_ALGORITHMS or not settings.BETTER_AUTH_JWKS_URL:
        raise InvalidToken("algorithm")
    key = key_set(settings.BETTER_AUTH_JWKS_URL).get(header["kid"]) if "kid" in header else None
    if key is None:
        raise InvalidToken("unknown_key")
    if key.algorithm_name != algorithm:
        raise InvalidToken("algorithm")
    return [key]


class BetterAuthToken(Token):
    """The claims of one token. Raises InvalidToken, or ExpiredToken where only its time is over."""

    token_type = "access"  # noqa: S105 - simplejwt wants one; the claim itself is switched off
    lifetime = timedelta(minutes=15)

    def get_token_backend(self) -> TokenBackend:
        return BetterAuthTokenBackend("HS256")

    def verify(self) -> None:
        now, leeway = time.time(), settings.JWT_LEEWAY_SECONDS
        user, expires = self.get("sub"), self.get("exp")
        if not is_user_id(user) or not is_time(expires):
            raise InvalidToken("claims")
        if "nbf" in self and not (is_time(self["nbf"]) and self["nbf"] <= now + leeway):
            raise InvalidToken("claims")
        if expires <= now - leeway:
            raise ExpiredToken(user)


def is_user_id(claim: object) -> bool:
    return isinstance(claim, str) and 1 <= len(claim) <= USER_ID_MAX_LENGTH and not UNFIT_FOR_A_USER_ID.search(claim)


def is_time(claim: object) -> bool:
    """A number of seconds since 1970: no string, no boolean, no milliseconds, no NaN."""
    return isinstance(claim, int | float) and not isinstance(claim, bool) and abs(claim) <= LAST_SECOND


class ApiUser:
    """Nothing but a user id: no claim grants a right, and no row stands behind it."""

    is_authenticated = True

    def __init__(self, token: Token) -> None:
        self.id: str = token["sub"]


class BearerAuthentication(JWTStatelessUserAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, Token]:
        credentials = super().authenticate(request)
        if credentials is None:
            raise NotAuthenticated("Missing authentication token", "missing")
        return credentials

    def get_raw_token(self, header: bytes) -> bytes | None:
        """What follows "Bearer", in any case (RFC 7235); None where there is no such thing."""
        scheme, _, token = header.strip().partition(b" ")
        return token.strip() or None if scheme.lower() == b"bearer" else None

    def authenticate_header(self, request: Request) -> str:
        """RFC 6750: where no token was sent, there is no error to speak of."""
        header = self.get_header(request)
        token_was_sent = header is not None and self.get_raw_token(header) is not None
        return 'Bearer realm="api"' + (', error="invalid_token"' if token_was_sent else "")
