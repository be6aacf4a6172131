"""Reads what tokens are verified with: the keys of a Better Auth server, secrets shared with it, or both."""

import re
import secrets
from urllib.parse import urlsplit

from config.environment import Environment
from config.guessing import weakness
from config.origins import origin_of


def key_server(env: Environment) -> tuple[str | None, str]:
    """The origin that tokens signed by public keys must come from, and the URL of these keys; None and "" without."""
    url, jwks_url = env.text("BETTER_AUTH_URL"), env.text("BETTER_AUTH_JWKS_URL")
    if jwks_url and not origin_of(jwks_url):
        env.problems.append(
            "BETTER_AUTH_JWKS_URL is no URL of http or https: set it to one, such as https://app.example.com/jwks."
        )
    origin = origin_of(url)
    if origin and "?" not in url:
        api_path = urlsplit(url).path.rstrip("/").removesuffix("/api/auth") + "/api/auth"
        return origin, jwks_url or f"{origin}{api_path}/jwks"
    if url:
        env.problems.append(
            "BETTER_AUTH_URL is no URL: set it to your Better Auth server's, such as https://app.example.com."
        )
    elif jwks_url:
        env.problems.append(
            "BETTER_AUTH_JWKS_URL is set without BETTER_AUTH_URL: set both, tokens must come from the latter."
        )
    return None, jwks_url


def shared_secrets(env: Environment, *, production: bool, secret_key: str) -> list[str]:
    """The secrets that HS256 tokens may be signed with, the current one first."""
    named = named_secrets(env)
    for name, value in named.items():
        if problem := weakness(value, production=production):
            env.problems.append(f"{name} {problem}")
        elif production and value == secret_key:
            env.problems.append(f"{name} equals SECRET_KEY: give each a value of its own.")
    if named or env.text("BETTER_AUTH_URL"):
        return list(named.values())
    if production:
        env.problems.append(
            "BETTER_AUTH_SECRET is not set: set it to the secret that your Better Auth server signs tokens with, or "
            "BETTER_AUTH_URL to its URL if it signs them with its own keys."
        )
    return [secrets.token_urlsafe(48)]  # only this process knows it, so no token is valid


def named_secrets(env: Environment) -> dict[str, str]:
    """The secrets by their names in error messages."""
    named = {"BETTER_AUTH_SECRET": value} if (value := env.text("BETTER_AUTH_SECRET")) else {}
    for entry in env.text("BETTER_AUTH_SECRETS").split(",") if env.text("BETTER_AUTH_SECRETS") else []:
        version, _, value = entry.strip().partition(":")
        name = f"Version {version} of BETTER_AUTH_SECRETS"
        if not re.fullmatch("[0-9]+", version) or not value or name in named:
            env.problems.append(
                "BETTER_AUTH_SECRETS can't be read: write it as for Better Auth, 2:new-secret,1:old-secret."
            )
        named[name] = value
    return named
