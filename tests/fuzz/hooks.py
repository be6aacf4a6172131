"""What no schema can say: keys and cursors that this server would take."""

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import django
import schemathesis
from django.core import signing
from schemathesis.core.parameters import ParameterLocation

django.setup()

LONGEST_QUERY = 3000  # characters

from api.pagination import Cursor  # noqa: E402 - it has a model


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> bool:
    """The server refuses a longer request line before the API sees it, with an answer of its own."""
    return len(urlencode(case.query or {}, doseq=True)) < LONGEST_QUERY


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]) -> None:
    if case.meta is None:
        return
    positive = case.meta.generation.mode.is_positive
    body_under_test = getattr(case.meta.phase.data, "parameter_location", None) == ParameterLocation.BODY
    for name in {"If-Match", "If-None-Match"} & {*case.headers}:
        if (positive or body_under_test) and '"' not in case.headers[name]:
            case.headers[name] = "*"  # for a filler: the coverage phase makes no value in double quotes
    if positive and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = key_of_its_own(case.headers["Idempotency-Key"], case.body)
    if positive and "cursor" in case.query:
        case.query |= {"limit": case.query.get("limit", 2), "cursor": signed_cursor(case.query)}


def key_of_its_own(key: str, body: Any) -> str:
    """Sent again with the same body, it is a replay; with another one it would be refused."""
    return key[:190] + hashlib.sha256(repr(body).encode()).hexdigest()


def signed_cursor(query: dict[str, Any]) -> str:
    where = {"completed": str(query["completed"]).lower() == "true"} if "completed" in query else {}
    ordering = query.get("ordering", "created_at")
    relation = "prev" if len(query["cursor"]) % 2 else "next"
    time = "2030-01-01T00:00:00.000000Z" if ordering == "-created_at" else "2020-01-01T00:00:00.000000Z"
    salt = json.dumps(["tasks.task", "alice", ordering, where])
    return signing.Signer(salt=salt).sign_object(Cursor(relation, time, 1))
