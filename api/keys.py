"""The public keys of the Better Auth server, by their `kid` (RFC 7517)."""

import json
import logging
import time
from functools import cache
from threading import Lock, Thread
from typing import Any
from urllib.request import Request, urlopen

from django.conf import settings
from jwt import PyJWK
from rest_framework import status
from rest_framework.exceptions import APIException

logger = logging.getLogger(__name__)

PUBLIC_KEY_ALGORITHMS = ("EdDSA", "ES256", "ES512", "RS256", "PS256")
LIFETIME = 300  # seconds that keys are taken for current
TIMEOUT = 3  # seconds that one fetch may take
PAUSE = 1  # seconds from one fetch to the next, whoever asks for whatever key
PAUSE_AFTER_FAILURE = 5
MAX_BYTES = 1024 * 1024


class KeyServerUnavailable(APIException):
    """Whether the token is good can't be told now. A 401 would sign the user out."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The key server is unavailable at the moment: try again in a few seconds"
    default_code = "key_server"
    wait = PAUSE_AFTER_FAILURE


class KeySet:
    """
    The keys behind one URL, shared by the threads of a process.

    A known key is never waited for: it is good until a later fetch comes without it, and an old set is renewed beside
    the request. An unknown one is fetched at its first use, for Better Auth signs with a new key the moment it has it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, PyJWK] = {}
        self.failed = False
        self.old_from = self.fetch_from = time.monotonic()
        self.fetching = Lock()

    def get(self, kid: str) -> PyJWK | None:
        """None where the key server does not know it; KeyServerUnavailable where it can't be asked."""
        if kid not in self.keys:
            self.fetch()
            if kid not in self.keys and self.failed:
                raise KeyServerUnavailable
        elif time.monotonic() >= max(self.old_from, self.fetch_from) and not self.fetching.locked():
            Thread(target=self.fetch, daemon=True).start()
        return self.keys.get(kid)

    def fetch(self) -> None:
        """Once, whoever else wants to; while the server is in trouble, one thread tries and no other waits for it."""
        if not self.fetching.acquire(blocking=not self.failed):
            return
        try:
            if time.monotonic() < self.fetch_from:
                return
            try:
                self.keys = download(self.url)
            except Exception as error:  # whatever the network or the server come up with
                logger.warning("Key server unavailable", extra={"reason": f"{type(error).__name__}: {error}"})
                self.failed = True
                self.fetch_from = time.monotonic() + PAUSE_AFTER_FAILURE
            else:
                self.failed = False
                self.fetch_from = time.monotonic() + PAUSE
                self.old_from = time.monotonic() + LIFETIME
        finally:
            self.fetching.release()


@cache
def key_set(url: str) -> KeySet:
    return KeySet(url)


def download(url: str) -> dict[str, PyJWK]:
    """The usable keys of a JWK set. Raises where there is none, or anything goes wrong."""
    deadline = time.monotonic() + TIMEOUT
    body = b""
    with urlopen(Request(url, headers={"Accept": "application/json"}), timeout=TIMEOUT) as response:  # noqa: S310 - the operator's URL
        while chunk := response.read1(65536):
            body += chunk
            if time.monotonic() > deadline or len(body) > MAX_BYTES:
                raise ValueError("the answer is too long, or takes too long")
    keys = {}
    for data in json.loads(body)["keys"]:
        try:
            keys[data["kid"]] = usable_key(data)
        except Exception as error:  # one bad key must not cost the good ones
            logger.warning("Unusable key", extra={"reason": f"{type(error).__name__}: {error}"})
    if not keys:
        raise ValueError("the answer has no usable key")
    return keys


def usable_key(data: Any) -> PyJWK:
    """A public key that is long enough, for signatures, and by one of our algorithms: its own `alg`, or its type's."""
    key = PyJWK(data)
    if key.algorithm_name not in PUBLIC_KEY_ALGORITHMS or data.get("use", "sig") != "sig":
        raise ValueError(f"it is for {key.algorithm_name}, {data.get('use')}")
    if weakness := key.Algorithm.check_key_length(key.key):
        raise ValueError(weakness)
    return key


def key_problem() -> str | None:
    """For /health: why no token could be verified now."""
    if settings.BETTER_AUTH_SECRETS:
        return None
    keys = key_set(settings.BETTER_AUTH_JWKS_URL)
    if not keys.keys:
        keys.fetch()
    return None if keys.keys else "The key server does not answer: there is no key to verify tokens with"
