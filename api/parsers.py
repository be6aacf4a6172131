import json
from collections.abc import Mapping
from typing import Any, NoReturn

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

MAX_BODY_BYTES = 64 * 1024


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is too large: send at most {MAX_BODY_BYTES} bytes"
    default_code = "body_too_large"


class StrictJSONParser(BaseParser):
    """RFC 8259, strictly: always UTF-8, whatever the charset parameter says; no NaN; bounded nesting."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """`parser_context` has the request, whose META tells the body's length unless it comes in chunks."""
        try:
            body = stream.read(MAX_BODY_BYTES + 1)
        except Exception as error:  # each server raises its own if the client is gone or a chunk is invalid
            raise ParseError("The body ended before it was complete, or its chunks can't be read") from error
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        if len(body) < announced_length((parser_context or {})["request"].META):
            raise ParseError("The body is shorter than its Content-Length")
        if not body:
            raise ParseError("The body is empty: send a JSON object")
        try:
            return json.loads(body.decode("utf-8"), parse_int=number, parse_constant=refuse_constant)
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8") from error
        except json.JSONDecodeError as error:
            where = f"look at line {error.lineno}, column {error.colno}"
            raise ParseError(f"The body is not valid JSON: {where}") from error
        except RecursionError as error:
            raise ParseError("The body is nested too deep") from error


def number(digits: str) -> int | float:
    """A long number is valid JSON. No column holds one, so it may lose digits: parsing them exactly would be slow."""
    return int(digits) if len(digits) <= 20 else float(digits)


def refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"The body is not valid JSON: {name} is not a JSON value")


def announced_length(meta: Mapping[str, Any]) -> int:
    """In bytes; 0 if the body comes in chunks."""
    return int(meta.get("CONTENT_LENGTH") or 0)


def json_body(request: Request) -> Any:
    """The parsed body; otherwise a 415, 413 or 400, in this order. DRF would take a missing body for {}."""
    if request.content_type.partition(";")[0].strip().lower() != StrictJSONParser.media_type:
        raise UnsupportedMediaType(request.content_type, "Send the body as Content-Type: application/json")
    if announced_length(request.META) > MAX_BODY_BYTES:
        raise BodyTooLarge
    return StrictJSONParser().parse(request._request, parser_context={"request": request})
