"""Warns of settings that should not be deployed, or only on purpose. settings.py refuses those that are wrong."""

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.db import connection

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# .com and .co.uk: anybody may have a name there
PUBLIC_SUFFIX = re.compile(r"\.[a-z0-9-]+|\.(ac|co|com|edu|gov|net|org)\.[a-z]{2}")
# No operator has a network this wide: Cloudflare's widest have 13 and 29 bits, private ones 8 and 7.
NARROWEST_FOR_EVERYBODY = {4: 7, 6: 6}  # bits


@checks.register(checks.Tags.security, deploy=True)
def check_deployment(**kwargs: Any) -> list[checks.CheckMessage]:
    return list(problems())


def problems() -> Iterator[checks.CheckMessage]:
    if "*" in settings.ALLOWED_HOSTS:
        yield checks.Warning(
            "ALLOWED_HOSTS accepts every host name.", hint="List this API's own names.", id="config.W001"
        )
    if wide := [host for host in settings.ALLOWED_HOSTS if PUBLIC_SUFFIX.fullmatch(host.lower())]:
        yield checks.Warning(
            f"ALLOWED_HOSTS accepts names that anybody can have: {', '.join(wide)}.",
            hint="List this API's own names.",
            id="config.W007",
        )
    for name, url in (
        ("BETTER_AUTH_URL", settings.BETTER_AUTH_ORIGIN),
        ("BETTER_AUTH_JWKS_URL", settings.BETTER_AUTH_JWKS_URL),
    ):
        parts = urlsplit(url or "")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            yield checks.Warning(
                f"{name} uses http: anybody on the network can replace the keys and forge any token.",
                hint="Write it with https.",
                id="config.W008",
            )
    if wide := [
        str(network)
        for network in settings.TRUSTED_PROXIES
        if network.prefixlen <= NARROWEST_FOR_EVERYBODY[network.version]
    ]:
        yield checks.Warning(
            f"TRUSTED_PROXIES trusts everybody: {', '.join(wide)}. Any client can then choose its address and scheme.",
            hint="List the proxy's own addresses.",
            id="config.W009",
        )
    if (
        connection.vendor == "postgresql"
        and is_remote(connection.settings_dict)
        and not is_verified(connection.settings_dict)
    ):
        yield checks.Warning(
            "The database is on another host, and its certificate is not verified: others can pose as it.",
            hint="Write sslmode=verify-full in DATABASE_URL, and set PGSSLROOTCERT: see .env.example.",
            id="config.W010",
        )
    origins = settings.CORS_ALLOWED_ORIGINS + [pattern.pattern for pattern in settings.CORS_ALLOWED_ORIGIN_REGEXES]
    if plain := [origin for origin in origins if origin.startswith("http://")]:
        yield checks.Warning(
            f"CORS_ORIGINS has origins without TLS: {', '.join(plain)}. Anybody on the way can act for their users.",
            hint="Write them with https.",
            id="config.W011",
        )
    missing = [name for name in ("BETTER_AUTH_ISSUER", "BETTER_AUTH_AUDIENCE") if not getattr(settings, name)]
    if settings.BETTER_AUTH_SECRETS and missing:
        yield checks.Warning(
            f"Not set: {', '.join(missing)}. Other things signed with the shared secret may be accepted as tokens.",
            hint="Set both to the origin of your Better Auth server.",
            id="config.W012",
        )
    if settings.SECURE_SSL_REDIRECT and not (settings.TRUSTED_PROXIES or settings.TRUST_UNIX_SOCKET):
        yield checks.Info(
            "TRUSTED_PROXIES is empty: behind a proxy that ends TLS, every request is redirected for ever.",
            hint="List the proxy's addresses, or set SECURE_SSL_REDIRECT=false.",
            id="config.I003",
        )


def is_remote(database: dict[str, Any]) -> bool:
    """Whether any host (libpq takes several, separated by commas) is neither this machine nor a socket's folder."""
    hosts = str(database["OPTIONS"].get("hostaddr") or database["HOST"]).split(",")
    return any(host and not host.startswith(("/", "@")) and host.strip("[]") not in LOOPBACK for host in hosts)


def is_verified(database: dict[str, Any]) -> bool:
    """Whether libpq verifies the certificate: sslrootcert=system always does."""
    option = {
        name: database["OPTIONS"].get(name) or os.environ.get(f"PG{name.upper()}")
        for name in ("sslmode", "sslrootcert")
    }
    return option["sslmode"] in {"verify-ca", "verify-full"} or option["sslrootcert"] == "system"
