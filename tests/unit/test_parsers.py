from io import BytesIO
from types import SimpleNamespace

import pytest
from rest_framework.exceptions import ParseError

from api.parsers import StrictJSONParser


def test_fewer_bytes_than_announced_are_refused():
    """No test client sends that; tests/api/test_server.py does."""
    context = {"request": SimpleNamespace(META={"CONTENT_LENGTH": "3"})}

    with pytest.raises(ParseError, match="The body is shorter than its Content-Length"):
        StrictJSONParser().parse(BytesIO(b"{}"), parser_context=context)
