"""
Layer 1: a bearer token, and nothing else, becomes the user it names.

It uses simplejwt's extension points (AUTH_TOKEN_CLASSES, TOKEN_USER_CLASS, a TokenBackend). PyJWT checks the signature,
the issuer and the audience; this module checks the rest of RFC 7519 and RFC 8725.
"""

import re
import time
from datetime import timedelta
from hashlib import sha256
from threading import Lock
from typing import Any, NamedTuple

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

# PyJWT accepts strings as times, and reports "expired" before it has checked the rest
OPTIONS: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_sub": False,
    "verify_jti": False,
}
TOKEN_TYPES = ("jwt", "at+jwt")
LAST_SECOND = 253_402_300_799  # of the year 9999; larger numbers are milliseconds by mistake
UNFIT_FOR_A_USER_ID = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, lone surrogates


class InvalidToken(AuthenticationFailed):
    """One text for every cause. The cause is the code, which goes to the log and not to the caller."""

    default_detail = "Invalid token"

    def __init__(self, reason: str) -> None:
        super().__init__(code=reason)


class ExpiredToken(InvalidToken):
    """A token that is valid in every other respect, so its user is proved."""

    default_detail = "Token expired"

    def __init__(self, user: str) -> None:
        super().__init__("expired")
        self.user = user


class Proof(NamedTuple):
    """How a token was verified, and its claims; valid as long as the key, the issuer and the audience are the same."""

    header: dict[str, Any]
    key: str | jwt.PyJWK
    issuer: str | None
    audience: str | None
    claims: dict[str, Any]


class BetterAuthTokenBackend(TokenBackend):
    """HS256 with a secret that Better Auth shares, or one of Better Auth's own key pairs."""

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """`sub`, `exp` and `nbf` of a token that is valid except perhaps for its time; else InvalidToken."""
        digest = sha256(token).digest()
        proof = proofs.get(digest)
        header = proof.header if proof else header_of(token)
        issuer, audience = settings.BETTER_AUTH_ISSUER, settings.BETTER_AUTH_AUDIENCE
        if header["alg"] in PUBLIC_KEY_ALGORITHMS:
            issuer, audience = issuer or settings.BETTER_AUTH_ORIGIN, audience or settings.BETTER_AUTH_ORIGIN
        for key in keys_for(header):
            if proof and proof[1:4] == (key, issuer, audience):
                return proof.claims.copy()
            try:
                claims = verified_claims(token, key, header["alg"], issuer, audience)
            except jwt.InvalidSignatureError:
                continue
            named = {"alg": header["alg"], "kid": getattr(key, "key_id", None)}
            remember(digest, Proof(named, key, issuer, audience, claims))
            return claims
        raise InvalidToken("signature")


# A client sends the same token until it expires, and verifying it takes 100 µs or more. Only verified tokens are
# remembered, by their digest and with no more than is used: 1,024 of them take at most 2 MiB, however long they are.
proofs: dict[bytes, Proof] = {}
MAX_PROOFS = 1024
remembering = Lock()


def remember(digest: bytes, proof: Proof) -> None:
    with remembering:
        if len(proofs) >= MAX_PROOFS:
            del proofs[next(iter(proofs))]  # the oldest
        proofs[digest] = proof


def header_of(token: bytes) -> dict[str, Any]:
    """`alg` and `kid` of a token that is not verified yet."""
    if b"=" in token:
        raise InvalidToken("malformed")
    try:
        # The header alone: PyJWT would decode the claims and the signature here, and again when it verifies them
        header = jwt.get_unverified_header(token.partition(b".")[0] + b"..")
    except jwt.InvalidTokenError as error:
        raise InvalidToken("malformed") from error
    if "crit" in header or not is_token_type(header.get("typ", "JWT")):
        raise InvalidToken("header")
    return {"alg": header.get("alg"), "kid": header.get("kid")}


def is_token_type(typ: object) -> bool:
    """RFC 7515, 4.1.9: a media type, in any case, which may leave out "application/"."""
    return isinstance(typ, str) and typ.lower().removeprefix("application/") in TOKEN_TYPES


def verified_claims(
    token: bytes, key: str | jwt.PyJWK, algorithm: str, issuer: str | None, audience: str | None
) -> dict[str, Any]:
    """`sub`, `exp` and `nbf` (0 where there is none). InvalidSignatureError: another key may fit."""
    options = OPTIONS | {"verify_aud": audience is not None}
    try:
        claims = jwt.decode(token, key, algorithms=[algorithm], issuer=issuer, audience=audience, options=options)
    except jwt.InvalidSignatureError:
        raise
    except (jwt.InvalidAudienceError, jwt.InvalidIssuerError, jwt.MissingRequiredClaimError) as error:
        raise InvalidToken("audience") from error
    except jwt.InvalidTokenError as error:
        raise InvalidToken("malformed") from error
    user, expires, starts = claims.get("sub"), claims.get("exp"), claims.get("nbf", 0)
    if not (is_user_id(user) and is_time(expires) and is_time(starts)):
        raise InvalidToken("claims")
    return {"sub": user, "exp": expires, "nbf": starts}


def keys_for(header: dict[str, Any]) -> list[str] | list[jwt.PyJWK]:
    """
    The keys that may have signed: all secrets, or the one public key that `kid` names.

    The algorithm must be configured, so that a public key is never used as a secret; PyJWT refuses one that is not the
    key's own.
    """
    algorithm, secrets = header["alg"], settings.BETTER_AUTH_SECRETS
    if algorithm == "HS256" and secrets:
        return list(secrets)
    if algorithm not in PUBLIC_KEY_ALGORITHMS or not settings.BETTER_AUTH_JWKS_URL:
        raise InvalidToken("algorithm")
    key = key_set(settings.BETTER_AUTH_JWKS_URL).get(header["kid"]) if header["kid"] is not None else None
    if key is None:
        raise InvalidToken("unknown_key")
    return [key]


class BetterAuthToken(Token):
    """The claims of one token. Raises InvalidToken, or ExpiredToken if it is valid except for its time."""

    token_type = "access"  # noqa: S105 - simplejwt wants one; the claim itself is switched off
    lifetime = timedelta(minutes=15)

    def get_token_backend(self) -> TokenBackend:
        return backend

    def verify(self) -> None:
        now, leeway = time.time(), settings.JWT_LEEWAY_SECONDS
        if self["nbf"] > now + leeway:
            raise InvalidToken("claims")
        if self["exp"] <= now - leeway:
            raise ExpiredToken(self["sub"])


backend = BetterAuthTokenBackend("HS256")


def is_user_id(claim: object) -> bool:
    return isinstance(claim, str) and 1 <= len(claim) <= USER_ID_MAX_LENGTH and not UNFIT_FOR_A_USER_ID.search(claim)


def is_time(claim: object) -> bool:
    """A number of seconds since 1970: no string, no boolean, no milliseconds, no NaN."""
    return isinstance(claim, int | float) and not isinstance(claim, bool) and abs(claim) <= LAST_SECOND


class ApiUser:
    """A user id and nothing else: no claim grants a right, and there is no table of users."""

    is_authenticated = True

    def __init__(self, token: Token) -> None:
        self.id: str = token["sub"]


class BearerAuthentication(JWTStatelessUserAuthentication):
    def __init__(self) -> None:
        """Without simplejwt's own, which looks up Django's user model at each request."""

    def authenticate(self, request: Request) -> tuple[Any, Token]:
        credentials = super().authenticate(request)
        if credentials is None:
            raise NotAuthenticated("Missing authentication token", "missing")
        return credentials

    def get_raw_token(self, header: bytes) -> bytes | None:
        """The text after "Bearer", in any case (RFC 7235); None if there is none."""
        scheme, _, token = header.strip().partition(b" ")
        return token.strip() or None if scheme.lower() == b"bearer" else None

    def authenticate_header(self, request: Request) -> str:
        """RFC 6750, 3.1: an answer to a request without a token has no error code."""
        header = self.get_header(request)
        token_was_sent = header is not None and self.get_raw_token(header) is not None
        return 'Bearer realm="api"' + (', error="invalid_token"' if token_was_sent else "")
