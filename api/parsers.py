import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.http import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

MAX_BODY_BYTES = 64 * 1024


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "Send the body with a Content-Length header, not in chunks"
    default_code = "length_required"


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is too large: send at most {MAX_BODY_BYTES} bytes"
    default_code = "body_too_large"


class StrictJSONParser(BaseParser):
    """RFC 8259 and nothing else: UTF-8 whatever the charset parameter says, no NaN, no endless nesting."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            body = stream.read()
            if parser_context and len(body) < int(parser_context["request"].META["CONTENT_LENGTH"]):
                raise ParseError("The body is shorter than its Content-Length")
            return json.loads(body.decode("utf-8"), parse_constant=refuse_constant)
        except UnreadablePostError as error:
            raise ParseError("The body ended before it was complete") from error
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8") from error
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from error
        except RecursionError as error:
            raise ParseError("The body is nested too deep") from error


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def json_body(request: Request) -> Any:
    """The parsed body; otherwise an error of 415, 411, 413 or 400, in this order. DRF takes a missing one for {}."""
    if parse_header_parameters(request.content_type)[0] != StrictJSONParser.media_type:
        raise UnsupportedMediaType(request.content_type, "Send the body as Content-Type: application/json")
    if "HTTP_TRANSFER_ENCODING" in request.META:
        raise LengthRequired
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > MAX_BODY_BYTES:
        raise BodyTooLarge
    if length == 0:
        raise ParseError("The body is empty: send a JSON object")
    return request.data
