"""What a development server prints when it is ready: the URLs, the origins that may call it, how to get a token."""

import sys

from django.conf import settings

ENV_FILE = settings.BASE_DIR / ".env"


def modified() -> int | None:
    """When .env was last written, in nanoseconds; None if there is none."""
    return ENV_FILE.stat().st_mtime_ns if ENV_FILE.exists() else None


def welcome() -> str:
    origin = f"http://127.0.0.1:{settings.PORT}"
    lines = {"API": f"{origin}/api/{{user_id}}/tasks"}
    if settings.API_DOCS:
        lines["Documentation"] = f"{origin}/api/docs"
    if settings.ADMIN_ENABLED:
        lines["Admin"] = f"{origin}/admin/ (an account: {command('createsuperuser')})"
    lines["Browsers"] = f"pages of {', '.join(settings.CORS_ALLOWED_ORIGINS) or 'no origin'} may call it (CORS_ORIGINS)"
    if settings.BETTER_AUTH_JWKS_URL:
        lines["Tokens"] = f"those of {settings.BETTER_AUTH_ORIGIN}"
    if settings.BETTER_AUTH_SECRETS:
        lines["A token"] = command("mint_token alice")
    return "".join(f"  {name + ':':<14} {text}\n" for name, text in lines.items())


def command(arguments: str) -> str:
    return f"{sys.executable} manage.py {arguments}"
