"""
The API as a machine reads it: OpenAPI 3.1, served at /api/schema and shown at /api/docs.

drf-spectacular finds the routes and reads the serializers. What no serializer knows (headers, errors, links) is in the
tables below, by the operation it belongs to. Nothing imports this module where `API_DOCS` is off.
"""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiViewExtension,
)
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.etags import PreconditionFailed
from api.idempotency import Gone
from api.models import USER_ID_MAX_LENGTH, WHITE_SPACE
from api.pagination import MAX_LIMIT
from api.parsers import BodyTooLarge
from tasks.serializers import TaskBodySerializer, TaskPatchSerializer

Schema = dict[str, Any]

TASK = {
    "id": 1,
    "user_id": "alice",
    "title": "Buy milk",
    "description": "Two litres",
    "completed": False,
    "created_at": "2026-11-23T12:00:00.000000Z",
    "updated_at": "2026-11-23T12:00:00.000000Z",
}
DONE = TASK | {"completed": True, "updated_at": "2026-11-23T12:30:00.000000Z"}
REPLACED = TASK | {"title": "Buy bread", "description": None, "updated_at": "2026-11-23T12:15:00.000000Z"}
BODY_ERRORS = [{"field": "title", "code": "blank", "message": "This field may not be blank."}]
BODY_ERROR = {"detail": "title: This field may not be blank.", "errors": BODY_ERRORS}
ETAG = '"0123456789abcdef0123456789abcdef"'
CONDITION = r'^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$'
LIST, DETAIL, READY, LIVE = "/api/{user_id}/tasks", "/api/{user_id}/tasks/{id}", "/health", "/health/live"


def reference(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}


def content(schema: Schema, example: Any) -> Schema:
    return {"application/json": {"schema": schema, "example": example}}


# Components, by name

PARAMETERS: dict[str, Schema] = {
    "user_id": {
        "in": "path",
        "required": True,
        "description": "The user of the token (its `sub`), percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": USER_ID_MAX_LENGTH},
        "example": "alice",
    },
    "id": {
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "format": "int64"},
        "example": 1,
    },
    "completed": {
        "in": "query",
        "description": "Only the tasks with this status.",
        "schema": {"type": "boolean"},
        "example": False,
    },
    "ordering": {
        "in": "query",
        "description": "Oldest or newest first; ties by `id`, in the same direction.",
        "schema": {"type": "string", "enum": ["created_at", "-created_at"], "default": "created_at"},
        "example": "-created_at",
    },
    "limit": {
        "in": "query",
        "description": "So many tasks at once. `Link` leads to the others; the list is whole without it.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
        "example": 50,
    },
    "cursor": {
        "in": "query",
        "description": "From a `Link` header, and good for nothing but the URL there: follow it as it is.",
        "schema": {"type": "string"},
    },
    "If-Match": {
        "in": "header",
        "description": "The `ETag` that the task must still have, a list of them, or `*`. Without, the last wins.",
        "schema": {"type": "string", "pattern": CONDITION},
        "example": ETAG,
    },
    "If-None-Match": {
        "in": "header",
        "description": "The `ETag` that you have, or a list of them, or `*`: 304 if it is still the one.",
        "schema": {"type": "string", "pattern": CONDITION},
        "example": ETAG,
    },
    "Idempotency-Key": {
        "in": "header",
        "description": "Visible ASCII, of your choice: a request with the same one, sent again, makes no second task.",
        "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
        "example": "5c0a4f9e-3f1e-4a63-9f6c-0d3a2d3b6c11",
    },
    "X-Request-ID": {
        "in": "header",
        "description": "The name of this request in the log: 1 to 128 of `A-Za-z0-9._-`; any other is replaced.",
        "schema": {"type": "string"},
        "example": "trace_1.2",
    },
}

HEADERS: dict[str, Schema] = {
    "X-Request-ID": {
        "description": "The name of this request in the log.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "ETag": {
        "description": "The strong entity tag of what the body shows.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'},
        "example": ETAG,
    },
    "Link": {
        "description": "With `limit`: where the next and the previous tasks are, where there are any (RFC 8288).",
        "schema": {"type": "string"},
        "example": '</api/alice/tasks?limit=50&cursor=WyJuZXh0Il0>; rel="next"',
    },
    "Location": {
        "description": "The path of the task.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/alice/tasks/1",
    },
    "Idempotency-Replayed": {
        "description": "The task is that of an earlier request with this key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next attempt.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "WWW-Authenticate": {
        "description": "RFC 6750: with an error where a token was sent.",
        "required": True,
        "schema": {"type": "string", "enum": ['Bearer realm="api"', 'Bearer realm="api", error="invalid_token"']},
    },
    "Allow": {
        "description": "The methods of this path.",
        "schema": {"type": "string"},
        "example": "GET, HEAD, POST",
    },
}

SCHEMAS: dict[str, Schema] = {
    "Error": {
        "type": "object",
        "description": "Every error has this form.",
        "required": ["detail"],
        "properties": {"detail": {"type": "string", "minLength": 1, "description": "What to do about it."}},
    },
    "ValidationError": {
        "description": "An error with a row for each problem.",
        "allOf": [reference("schemas", "Error")],
        "type": "object",
        "required": ["errors"],
        "properties": {
            "errors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["field", "code", "message"],
                    "properties": {name: {"type": "string"} for name in ("field", "code", "message")},
                },
            }
        },
    },
}

# status: (name, what it means, its headers, its `detail`s by what to call them)
ERRORS: dict[int, tuple[str, str, list[str], dict[str, str]]] = {
    400: (
        "BadRequest",
        "The request can't be read: its JSON, a header or a query parameter.",
        [],
        {
            "body": "The body is empty: send a JSON object",
            "query": f"limit must be a whole number from 1 to {MAX_LIMIT}",
            "header": "If-Match must be an ETag as you got it, in its double quotes, or a list of them, or *",
        },
    ),
    401: (
        "Unauthorized",
        "There is no token, it is over, or it is no good.",
        ["WWW-Authenticate"],
        {"missing": "Missing authentication token", "expired": "Token expired", "invalid": "Invalid token"},
    ),
    403: ("Forbidden", "The path names another user than the token.", [], {"mismatch": "User ID mismatch"}),
    404: (
        "NotFound",
        "There is no such task, or it is somebody else's: the two can't be told apart.",
        [],
        {"task": "Task not found", "id": "Not found"},
    ),
    405: (
        "MethodNotAllowed",
        "Another method than those of this path.",
        ["Allow"],
        {"method": "Method not allowed: use GET, HEAD, POST"},
    ),
    410: ("Gone", "The task of this key has been deleted.", [], {"gone": str(Gone("task").detail)}),
    412: (
        "PreconditionFailed",
        "Not written: it no longer has this ETag.",
        [],
        {"stale": str(PreconditionFailed("task").detail)},
    ),
    413: ("BodyTooLarge", "The body is too large.", [], {"large": str(BodyTooLarge.default_detail)}),
    415: ("NotJSON", "The body is not JSON.", [], {"form": "Send the body as Content-Type: application/json"}),
    422: ("Invalid", "The body is JSON, and wrong; or its Idempotency-Key was another body's.", [], {}),
    500: ("InternalServerError", "A bug.", [], {"bug": "Internal server error"}),
    503: (
        "Unavailable",
        "The database or the key server can't be reached, or too many write at once. Nothing was written.",
        ["Retry-After"],
        {
            "database": "The service is unavailable at the moment: try again in a few seconds",
            "key server": "The key server is unavailable at the moment: try again in a few seconds",
            "busy": "Too many others are changing this task at the moment: try again in a few seconds",
        },
    ),
}


def error(status: int) -> Schema:
    _, description, headers, details = ERRORS[status]
    schema = reference("schemas", "Error")
    examples: Schema = {name: {"value": {"detail": detail}} for name, detail in details.items()}
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        schema, examples = reference("schemas", "ValidationError"), {"blank": {"value": BODY_ERROR}}
    return {
        "description": description,
        "headers": with_headers("X-Request-ID", *headers),
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }


def with_headers(*names: str) -> Schema:
    return {name: reference("headers", name) for name in names}


COMPONENTS: dict[str, Schema] = {
    "headers": HEADERS,
    "parameters": {name: {"name": name} | parameter for name, parameter in PARAMETERS.items()},
    "responses": {ERRORS[status][0]: error(status) for status in ERRORS}
    | {"NotModified": {"description": "You have it already.", "headers": with_headers("X-Request-ID", "ETag")}},
    "schemas": SCHEMAS,
}

# Operations

ALWAYS = [405, 500]
TOKEN = [401, 403, 503]
BODY = [400, 413, 415, 422]
TO_THE_TASK = {"user_id": "$response.body#/user_id", "id": "$response.body#/id"}

# (method, path): what to know about the operation. `ok` is the one status of success; `body` is for Swagger UI to send.
OPERATIONS: dict[tuple[str, str], Schema] = {
    ("GET", LIST): {
        "id": "listTasks",
        "summary": "The user's tasks, in creation order",
        "parameters": ["user_id", "completed", "ordering", "limit", "cursor", "If-None-Match"],
        "ok": (200, "All of them, or a page", ["ETag", "Link"], [TASK]),
        "others": [304, 400, *TOKEN],
    },
    ("POST", LIST): {
        "id": "createTask",
        "summary": "Create a task",
        "parameters": ["user_id", "Idempotency-Key"],
        "body": {"title": "Buy milk", "description": "Two litres"},
        "ok": (201, "The new task, or that of this key", ["ETag", "Location", "Idempotency-Replayed"], TASK),
        "links": ["getTask", "replaceTask", "completeTask", "deleteTask"],
        "others": [410, *BODY, *TOKEN],
    },
    ("GET", DETAIL): {
        "id": "getTask",
        "summary": "One task",
        "parameters": ["user_id", "id", "If-None-Match"],
        "ok": (200, "The task", ["ETag"], TASK),
        "others": [304, 400, 404, *TOKEN],
    },
    ("PUT", DETAIL): {
        "id": "replaceTask",
        "summary": "Replace title and description",
        "description": "`completed` stays as it is.",
        "parameters": ["user_id", "id", "If-Match"],
        "body": {"title": "Buy bread"},
        "ok": (200, "The task as it is now", ["ETag"], REPLACED),
        "others": [404, 412, *BODY, *TOKEN],
    },
    ("PATCH", DETAIL): {
        "id": "completeTask",
        "summary": "Set whether it is completed",
        "description": "Title and description stay as they are.",
        "parameters": ["user_id", "id", "If-Match"],
        "body": {"completed": True},
        "ok": (200, "The task as it is now", ["ETag"], DONE),
        "others": [404, 412, *BODY, *TOKEN],
    },
    ("DELETE", DETAIL): {
        "id": "deleteTask",
        "summary": "Delete the task, for good",
        "parameters": ["user_id", "id", "If-Match"],
        "ok": (204, "It is gone", [], None),
        "others": [400, 404, 412, *TOKEN],
    },
    ("DELETE", "/api/{user_id}"): {
        "id": "eraseUser",
        "summary": "Erase all that there is of the user, for good",
        "parameters": ["user_id"],
        "ok": (204, "It is gone", [], None),
        "others": TOKEN,
    },
    ("GET", READY): {
        "id": "getHealth",
        "summary": "Whether this instance should get requests",
        "parameters": [],
        "ok": (200, "The database answers and there is a key to verify tokens with", [], {"status": "healthy"}),
        "others": [503],
    },
    ("GET", LIVE): {
        "id": "getLiveness",
        "summary": "Whether the process lives",
        "parameters": [],
        "ok": (200, "It does", [], {"status": "alive"}),
        "others": [],
    },
}


class OperationSchema(AutoSchema):
    """What drf-spectacular finds out about an operation by itself, and its row of `OPERATIONS`."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Schema:
        if (method, path) not in OPERATIONS:
            return {}
        self.row = OPERATIONS[method, path]
        operation: Schema = super().get_operation(path, path_regex, path_prefix, method, registry) or {}
        status, description, headers, example = self.row["ok"]
        ok: Schema = {"description": description, "headers": with_headers("X-Request-ID", "Allow", *headers)}
        if example is not None:
            [schema] = [media["schema"] for media in operation["responses"][str(status)]["content"].values()]
            ok["content"] = content(schema, example)
        if "links" in self.row:
            ok["links"] = {name: {"operationId": name, "parameters": TO_THE_TASK} for name in self.row["links"]}
        operation["responses"] = {str(status): ok}
        for other in sorted([*self.row["others"], *ALWAYS]):
            name = ERRORS[other][0] if other in ERRORS else "NotModified"
            operation["responses"][str(other)] = reference("responses", name)
        if path == READY:
            operation["responses"]["503"] = unhealthy()
        if "body" in self.row:
            [media] = operation["requestBody"]["content"].values()
            media["example"] = self.row["body"]
        operation["parameters"] = [reference("parameters", name) for name in [*self.row["parameters"], "X-Request-ID"]]
        return operation

    def get_operation_id(self) -> str:
        return str(self.row["id"])

    def get_summary(self) -> str:
        return str(self.row["summary"])

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular overrides it
        return str(self.row.get("description", ""))

    def get_tags(self) -> list[str]:
        return ["health" if self.path.startswith(READY) else "tasks"]

    def get_request_serializer(self) -> Any:
        return {"POST": TaskBodySerializer, "PUT": TaskBodySerializer, "PATCH": TaskPatchSerializer}.get(self.method)

    def get_response_serializers(self) -> Any:
        status, _, _, example = self.row["ok"]
        if self.path.startswith(READY):
            return {status: status_body(example["status"])}
        return {status: None if example is None else self._get_serializer()}

    def _get_parameters(self) -> list[Schema]:
        return []  # they are in the row

    def _get_paginator(self) -> None:
        return None  # a page is a bare array too

    def _get_serializer_name(self, serializer: Any, direction: Direction, bypass_extensions: bool = False) -> str:
        name: str = super()._get_serializer_name(serializer, direction, bypass_extensions)
        return name.removesuffix("Request")


def status_body(status: str, *more: str) -> Schema:
    return {
        "type": "object",
        "required": ["status", *more],
        "properties": {"status": {"type": "string", "const": status}, **{name: {"type": "string"} for name in more}},
    }


def unhealthy() -> Schema:
    example = {"status": "unhealthy", "detail": "The database does not answer"}
    return {
        "description": "Requests can't be served",
        "headers": with_headers("X-Request-ID", "Allow", "Retry-After"),
        "content": content(status_body("unhealthy", "detail"), example),
    }


class EveryView(OpenApiViewExtension):
    """Views stay free of all this: they are described by a subclass that only drf-spectacular sees."""

    target_class = "rest_framework.views.APIView"
    match_subclasses = True

    def view_replacement(self) -> type[APIView]:
        return type(self.target.__name__, (self.target,), {"schema": OperationSchema()})


class TaskAnswer(OpenApiSerializerExtension):
    """Every member is always there."""

    target_class = "tasks.serializers.TaskSerializer"

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        return "Task"

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        members = schema["properties"]
        members["id"]["format"] = "int64"
        members["title"]["minLength"] = 1
        return schema | {
            "description": "A task. Writes change `updated_at`, and nothing else does.",
            "required": list(members),
        }


class TaskBody(OpenApiSerializerExtension):
    target_class = "tasks.serializers.TaskBodySerializer"

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        return "TaskCreate" if auto_schema.method == "POST" else "TaskUpdate"

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        members = schema["properties"]
        space = "".join(rf"\u{ord(character):04x}" for character in WHITE_SPACE)
        ink = rf"[^\u0000{space}]"
        # `maxLength` would count the white space around it as well
        longest = members["title"].pop("maxLength") - 2
        members["title"]["pattern"] = rf"^[{space}]*{ink}([^\u0000]{{0,{longest}}}{ink})?[{space}]*$"
        members["title"]["description"] = "1 to 200 characters: white space around it is removed, and not counted."
        members["description"]["pattern"] = r"^[^\u0000]*$"
        return schema | {"description": "An absent description is null."}


class TaskPatchBody(OpenApiSerializerExtension):
    target_class = "tasks.serializers.TaskPatchSerializer"

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        return "TaskPatch"

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return schema | {"description": "`true` or `false`, and nothing that looks like it."}


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The JWT of your Better Auth server. Its `sub` is the user, and nothing else opens the API.",
        }


def add_components(result: Schema, **kwargs: Any) -> Schema:
    found = result["components"]
    return result | {"components": found | {kind: found.get(kind, {}) | more for kind, more in COMPONENTS.items()}}


@cache
def document() -> Schema:
    schema: Schema = SchemaGenerator().get_schema(public=True)
    return schema


# The two pages


class SchemaView(APIView):
    authentication_classes = []
    permission_classes = []
    http_method_names = ["get", "head"]
    schema = None

    def get(self, request: Request) -> Response:
        return Response(document())


class DocsView(SpectacularSwaggerView):
    """Swagger UI. Its page is rendered here, so that an error is JSON like all others."""

    authentication_classes = []
    permission_classes = []
    renderer_classes = [JSONRenderer]
    http_method_names = ["get", "head"]
    schema = None
    title = str(settings.SPECTACULAR_SETTINGS["TITLE"])

    def get(self, request: Request) -> HttpResponse:
        page = render_to_string(self.template_name, super().get(request).data)
        return HttpResponse(page, headers={"Content-Security-Policy": policy(page)})


def policy(page: str) -> str:
    """Files from here, the script and the style that are in this very page (CSP 3, 6.7.3.3), and no others."""
    inline = re.findall(r"<(script|style)>(.*?)</\1>", page, re.DOTALL)
    hashes = [(kind, b64encode(sha256(text.encode()).digest()).decode()) for kind, text in inline]
    allowed = "".join(f"{kind}-src 'self' 'sha256-{digest}'; " for kind, digest in hashes)
    forbidden = "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"default-src 'self'; {allowed}img-src 'self' data:; {forbidden}"


urlpatterns = [
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(), name="docs"),
]
