"""Log lines: JSON in production, readable text in development. No input from outside can forge a line."""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from django.utils.log import CallbackFilter

# The id of the request that this thread serves. gunicorn.conf.py resets it after the last line about the request.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# What a log call may pass in `extra`. Nothing else gets into a line: no token, no claims, no body.
FIELDS = ("reason", "client", "method", "path", "user")

# A server's error message may quote a token that was sent in the wrong place or form.
TOKEN = re.compile(r"eyJ[\w.-]*")  # in linear time: it searches for no dot after each "eyJ"

# The most characters of a value, because strangers choose some values.
LENGTH = 512
LENGTHS = {"message": 1024, "exception": 16_384}

# PostgreSQL puts values of the row there.
DATABASE_DETAIL = re.compile(r"\nDETAIL: .*?(?=\n\nThe above exception|\n\nDuring handling|\Z)", re.DOTALL)


class JSONFormatter(logging.Formatter):
    """One line of ASCII JSON: time (RFC 3339, UTC), level, logger, message, request_id, the `FIELDS`, exception."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.line(record))

    def line(self, record: logging.LogRecord) -> dict[str, Any]:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = DATABASE_DETAIL.sub("", self.formatException(record.exc_info))
        return {
            name: cut(TOKEN.sub("[token]", str(value)), LENGTHS.get(name, LENGTH))
            for name, value in line.items()
            if value is not None
        }


def cut(text: str, length: int = LENGTH) -> str:
    """At most `length` characters of JSON (one character may take twelve), and the number of those left out."""
    if len(text) * 12 <= length:
        return text
    kept = text[:length]
    while (size := len(json.dumps(kept)) - 2) > length:
        kept = kept[: len(kept) * length // size]
    return text if kept == text else f"{kept}... and {len(text) - len(kept)} more"


class ConsoleFormatter(JSONFormatter):
    """The same for people: `12:00:00 WARNING message name=value`, with a traceback indented below it."""

    def format(self, record: logging.LogRecord) -> str:
        line = self.line(record)
        exception = line.pop("exception", "")
        del line["logger"]
        time, level, message = line.pop("time")[11:19], line.pop("level"), line.pop("message")
        pairs = "".join(f" {name}={value}" for name, value in line.items())
        return "\n    ".join([escaped(f"{time} {level} {message}{pairs}"), *map(escaped, exception.splitlines())])


def escaped(text: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def is_first_time(record: logging.LogRecord) -> bool:
    logged = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
    return getattr(record, "status_code", None) not in logged


def logging_config(level: str, *, as_json: bool) -> dict[str, Any]:
    """For Django and both servers; see `logging.config.dictConfig`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": JSONFormatter if as_json else ConsoleFormatter}},
        "filters": {"first_time": {"()": CallbackFilter, "callback": is_first_time}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # The root's handler and level, instead of Django's own.
            "django": {"handlers": [], "level": "NOTSET", "propagate": True},
            "django.server": {"handlers": [], "level": "NOTSET", "propagate": True},
            # config.errors.bad_request logs these, without a traceback for every scanner.
            "django.security": {"level": "CRITICAL"},
            "django.security.csrf": {"level": "WARNING"},
            # It would log every 4xx, 503 and 504 again; api.errors logs those that matter, with the reason.
            "django.request": {"level": "ERROR", "filters": ["first_time"]},
            "axes": {"level": "WARNING"},
            # gunicorn has set levels of its own for these.
            "gunicorn.error": {"handlers": [], "level": "NOTSET", "propagate": True},
            "gunicorn.access": {"handlers": [], "level": "NOTSET", "propagate": True},
        },
    }
