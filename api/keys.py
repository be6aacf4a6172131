"""The public keys of the Better Auth server, by their `kid` (RFC 7517)."""

import json
import logging
import time
from threading import Lock, Thread
from typing import Any

from django.conf import settings
from jwt import PyJWK
from rest_framework import status
from rest_framework.exceptions import APIException

from api.fetch import fetch

logger = logging.getLogger(__name__)

PUBLIC_KEY_ALGORITHMS = ("EdDSA", "ES256", "ES512", "RS256", "PS256")
LIFETIME = 300  # seconds until keys are fetched again
TIMEOUT = 3  # seconds that one fetch may take
PAUSE = 1  # seconds between two fetches, whatever the key
PAUSE_AFTER_FAILURE = 5
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
MAX_LENGTHS = {"n": 1367, "e": 11}  # in base64url, of an RSA key: 8,192 bits and 64


class KeyServerUnavailable(APIException):
    """It is unknown whether the token is valid. A 401 would sign the user out."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The key server is unavailable at the moment: try again in a few seconds"
    default_code = "key_server"

    def __init__(self, wait: int) -> None:
        super().__init__()
        self.wait = wait


class KeySet:
    """
    The keys behind one URL, shared by the threads of a process.

    A known key is used at once, and is valid until a later fetch no longer has it; a thread renews an old set beside
    the request. An unknown key starts a fetch, because Better Auth uses a new key at once.
    The request that starts a fetch waits for it. Others that need an unknown key meanwhile get a 503.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, PyJWK] = {}
        self.failed = False
        self.old_from = self.fetch_from = time.monotonic()
        self.lock = Lock()
        self.fetching = Thread()

    def get(self, kid: str) -> PyJWK | None:
        """None if the key server does not know the key; KeyServerUnavailable if it can't be asked."""
        if kid in self.keys:
            if time.monotonic() >= self.old_from:
                self.start_fetch()
        else:
            waited = self.load()
            if kid not in self.keys and (self.failed or self.fetching.is_alive()):
                raise KeyServerUnavailable(PAUSE_AFTER_FAILURE if self.failed or waited else PAUSE)
        return self.keys.get(kid)

    def load(self) -> bool:
        """Fetch the keys and wait for them; False, at once, if it is too early or another fetch is running."""
        started = self.start_fetch()
        if started:
            self.fetching.join(TIMEOUT + 0.5)  # looking up the address may take longer
        return started

    def start_fetch(self) -> bool:
        with self.lock:
            if time.monotonic() < self.fetch_from or self.fetching.is_alive():
                return False
            thread = Thread(target=self.renew, daemon=True)
            thread.start()
            self.fetching = thread
            return True

    def renew(self) -> None:
        try:
            self.keys = usable_keys(fetch(self.url, TIMEOUT, MAX_BYTES)[1])
        except Exception as error:  # the network or the server may cause any
            logger.warning("Key server unavailable", extra={"reason": f"{type(error).__name__}: {error}"[:300]})
            self.failed = True
            self.fetch_from = time.monotonic() + PAUSE_AFTER_FAILURE
        else:
            self.failed = False
            self.fetch_from = time.monotonic() + PAUSE
            self.old_from = time.monotonic() + LIFETIME


key_sets: dict[str, KeySet] = {}


def key_set(url: str) -> KeySet:
    """The one of this process. `functools.cache` gives each of several first requests at once a set of its own."""
    return key_sets.get(url) or key_sets.setdefault(url, KeySet(url))


def usable_keys(jwk_set: bytes) -> dict[str, PyJWK]:
    """The usable keys of a set by their `kid`. Raises if there is none, or if it is not a set of at most MAX_KEYS."""
    found = json.loads(jwk_set)["keys"]
    if len(found) > MAX_KEYS:
        raise ValueError(f"the set has more than {MAX_KEYS} keys")
    keys: dict[str, PyJWK] = {}
    problems = []
    for number, data in enumerate(found, 1):
        try:
            keys.setdefault(data["kid"], usable_key(data))
        except Exception as error:  # one bad key must not cost the good ones
            # A library's own message may quote the key, and that may be a secret
            problems.append(f"{number}: {error if type(error) is ValueError else type(error).__name__}")
    if problems:
        logger.warning("Unusable key", extra={"reason": "; ".join(problems)[:300]})
    if not keys:
        raise ValueError("the answer has no usable key")
    return keys


def usable_key(data: Any) -> PyJWK:
    """A public key for signatures, of a safe length, for one of PUBLIC_KEY_ALGORITHMS (its `alg`, or its type's)."""
    if not isinstance(data["kid"], str):
        raise ValueError("its kid is no string")  # noqa: TRY004 - it is data
    if "d" in data:
        raise ValueError("it is a private key")
    if any(len(data.get(part, "")) > length for part, length in MAX_LENGTHS.items()):
        raise ValueError("it is too long")
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
        keys.load()
    return None if keys.keys else "The key server does not answer: there is no key to verify tokens with"
