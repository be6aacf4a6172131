"""The development server: the URLs that it prints when it is ready, and settings that change while it serves."""

import logging
import shlex
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import get_resolver

ENV_FILE = settings.BASE_DIR / ".env"
REMEMBER = {"config.environment", "config.logs"}  # what .env said before; the id of each request


def modified() -> dict[str, int]:
    """When .env and the modules of `config` were last written, in nanoseconds."""
    files = [ENV_FILE, *(settings.BASE_DIR / "config").glob("*.py")]
    return {file.name: file.stat().st_mtime_ns for file in files if file.exists()}


def read_settings_again() -> None:
    """Take the settings as they are written now; if they have an error, log it and go on with those of before."""
    names = [name for name in sys.modules if name.split(".")[0] == "config" and name not in REMEMBER]
    before = {name: sys.modules.pop(name) for name in names}
    try:
        settings._setup()  # type: ignore[misc] # of LazySettings, which its types hide
    except Exception as error:
        sys.modules.update(before)
        invalid = isinstance(error, ImproperlyConfigured)  # its message says it all
        logging.getLogger("config").error("%s", error, exc_info=not invalid)  # noqa: TRY400 - likewise


def welcome() -> str:
    origin = f"http://127.0.0.1:{settings.PORT}"
    names = [name.removesuffix("-list") for name in get_resolver().reverse_dict if str(name).endswith("-list")]
    lines = {"API": ", ".join(f"{origin}/api/{{user_id}}/{name}" for name in sorted(names))}
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
    return f"{shlex.quote(sys.executable)} manage.py {arguments}"
