"""
The API as an OpenAPI 3.1 document.

drf-spectacular finds the routes and reads the serializers. The rest follows by rule from an operation's method, path
and authentication, and from the attributes of an OwnedViewSet: a new resource needs no line here. Examples are the
attribute `example` of serializers. Nothing imports this module where `API_DOCS` is off.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from django.utils.text import get_text_list
from drf_spectacular.drainage import error
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance
from drf_spectacular.utils import Direction, OpenApiResponse
from rest_framework.serializers import CharField
from rest_framework.views import APIView

from api.health import LiveView, ReadyView
from api.models import WHITE_SPACE
from api.serializers import StrictCharField
from api.views import EraseView, OwnedViewSet

Schema = dict[str, Any]

SHARED: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("components.yaml").read_text("utf-8"))


class Action(NamedTuple):
    """What an action is for every resource. `body` is the end of the name of its body's component."""

    verb: str
    summary: str
    status: int
    meaning: str
    headers: Sequence[str] = ()
    parameters: Sequence[str] = ()
    body: str = ""


ETAG, AS_IT_IS = ["ETag"], "The {noun} as it is now"
MADE, HOW_IT_WAS_MADE = "The new {noun}, or that of this key", ["ETag", "Location", "Idempotency-Replayed"]
ACTIONS = {
    "list": Action("list", "The user's {nouns}", 200, "All, or a page", ["ETag", "Link"], ["If-None-Match"]),
    "create": Action("create", "Make a new {noun}", 201, MADE, HOW_IT_WAS_MADE, ["Idempotency-Key"], "Create"),
    "retrieve": Action("get", "One {noun}", 200, "The {noun}", ETAG, ["If-None-Match"]),
    "update": Action("replace", "Replace {members}", 200, AS_IT_IS, ETAG, ["If-Match"], "Update"),
    "partial_update": Action("patch", "Set {members}", 200, AS_IT_IS, ETAG, ["If-Match"], "Patch"),
    "destroy": Action("delete", "Delete the {noun}, for good", 204, "It is gone", [], ["If-Match"]),
}

VIEWS: dict[type[APIView], str] = {EraseView: "eraseUser", ReadyView: "getHealth", LiveView: "getLiveness"}


def camel(text: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in re.findall("[A-Za-z0-9]+", text))


def example(answer: Any, body: Any = None, *, many: bool = False) -> Schema:
    """The `example` of a serializer's class. An answer's example has the values of its request's."""
    found = getattr(answer, "example", None)
    if found is None:
        return {}
    row = found | getattr(body, "example", {})
    return {"example": [row] if many else row}


class OperationSchema(AutoSchema):
    """DRF's DEFAULT_SCHEMA_CLASS: an operation as drf-spectacular finds it, completed by rule."""

    view: Any

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Schema | None:
        """None for an operation that can't be documented. `make schema` fails then; the others are still shown."""
        before = registry._components.copy()
        try:
            self.look_at(path)
            operation: Schema | None = super().get_operation(path, path_regex, path_prefix, method, registry)
            return operation and self.completed(operation)
        except Exception as failure:  # views and serializers may raise anything
            error(f"{method} {path} can't be documented: {failure!r}")
            registry._components = before  # a component may be half done
            return None

    def look_at(self, path: str) -> None:
        """Set the attributes that the rules read; only a resource has an `action`."""
        view, self.body = self.view, None
        self.own_id = VIEWS.get(view.__class__, "")
        self.own = SHARED["views"].get(self.own_id)
        self.action = ACTIONS.get(view.action) if isinstance(view, OwnedViewSet) else None
        self.tag = next((part for part in path.split("/") if part not in {"", "api"} and "{" not in part), "user")
        self.lists = self.action is ACTIONS["list"]
        if self.action:
            self.body = view.bodies.get(view.action)
            members = get_text_list([*self.body().fields], "and") if self.body else ""
            self.kind = camel(view.noun) or camel(view.serializer_class.__name__)
            nouns = {"noun": view.noun.lower(), "Noun": view.noun, "nouns": self.tag.replace("-", " ")}
            self.names = nouns | {"Kind": self.kind, "members": members}

    def completed(self, operation: Schema) -> Schema:
        responses = operation["responses"]
        for status, response in responses.items():
            usual = SHARED["others"].get(int(status), {"headers": ["Allow"]}) if status.isdigit() else {}
            names = ["X-Request-ID", *usual.get("headers", []), *(self.action.headers if self.action else [])]
            response["headers"] = response.get("headers", {}) | self.headers(names)
        if self.action:
            [response] = responses.values()
            for media in response.get("content", {}).values():
                media |= example(self.view.serializer_class, self.body, many=self.lists)
            if self.action is ACTIONS["create"]:
                response["links"] = self.links()
        if self.body:
            operation["requestBody"]["required"] = True
            for media in operation["requestBody"]["content"].values():
                media |= example(self.body)
        for status in sorted(self.others()):
            responses.setdefault(str(status), self.other(status))
        return operation

    def others(self) -> set[int]:
        """The statuses of the other answers."""
        reads, one, token = self.method == "GET", "{id}" in self.path, self.view.get_authenticators()
        rules = [
            (True, {405, 429, 500}),
            (token, {401, 403, 503}),
            (token and not reads, {504}),
            (self.method in {"POST", "PUT", "PATCH"}, {400, 413, 415, 422}),
            (self.action and reads, {304, 400}),
            (self.action and one, {404}),
            (self.action and one and not reads, {400, 412}),
            (self.action and self.method == "POST", {410}),
        ]
        return {status for applies, statuses in rules if applies for status in statuses}

    def other(self, status: int) -> Schema:
        text = json.dumps(SHARED["others"][status])
        for name, value in self.names.items() if self.action else ():
            text = text.replace(f"{{{name}}}", json.dumps(value)[1:-1])
        row = json.loads(text)
        headers = self.headers(["X-Request-ID", *row.get("headers", [])])
        response = {"description": row["description"], "headers": headers}
        if "details" in row:
            more = {"errors": row["errors"]} if "errors" in row else {}
            examples = {name: {"value": {"detail": detail} | more} for name, detail in row["details"].items()}
            schema = self.shared("schemas", "Error")
            if more:
                schema = self.shared("schemas", "ValidationError")
            response["content"] = {"application/json": {"schema": schema, "examples": examples}}
        return self.component("responses", row["name"], response)

    def links(self) -> Schema:
        """Links from a new row to the operations on it."""
        where = {"user_id": "$request.path.user_id", "id": "$response.body#/id"}
        actions = ["retrieve", "update", "partial_update", "destroy"]
        names = [ACTIONS[name].verb + self.kind for name in actions if self.view.allows(name)]
        return {name: {"operationId": name, "parameters": where} for name in names}

    def headers(self, names: list[str]) -> Schema:
        return {name: self.shared("headers", name) for name in names}

    def shared(self, kind: str, name: str) -> Schema:
        named = {"name": name} if kind == "parameters" else {}
        return self.component(kind, name, named | SHARED[kind][name])

    def component(self, kind: str, name: str, schema: Schema) -> Schema:
        found = ResolvedComponent(name, kind, schema, object=name)
        self.registry.register_on_missing(found)
        return dict(found.ref)

    def get_operation_id(self) -> str:
        if self.action:
            return self.action.verb + (camel(self.tag) if self.lists else self.kind)
        return self.own_id or str(super().get_operation_id())

    def get_summary(self) -> str | None:
        return self.action.summary.format_map(self.names) if self.action else self.own and self.own["summary"]

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular overrides it
        return "" if self.action or self.own else str(super().get_description())

    def get_tags(self) -> list[str]:
        return [self.tag]

    def _get_parameters(self) -> list[Schema]:
        found = [self.shared("parameters", "user_id")] if "{user_id}" in self.path else []
        if not self.action:
            found += [one for one in ([] if self.own else super()._get_parameters()) if one["name"] != "user_id"]
        elif "{id}" in self.path:
            found.append(self.shared("parameters", "id"))
        elif self.lists:
            found += [self.filter(name, values) for name, values in self.view.filters.items()]
            found += [self.ordering(), self.shared("parameters", "limit"), self.shared("parameters", "cursor")]
        more = [*(self.action.parameters if self.action else []), "X-Request-ID"]
        return [*found, *(self.shared("parameters", name) for name in more)]

    def filter(self, name: str, values: Mapping[str, Any]) -> Schema:
        schema: Schema = {"type": "string", "enum": [*values]}
        if {*values} == {"true", "false"}:
            schema = {"type": "boolean"}
        elif all(type(value) is int and text == str(value) for text, value in values.items()):
            schema = {"type": "integer", "enum": [*values.values()]}
        return {"name": name, "in": "query", "description": f"Only those with this `{name}`.", "schema": schema}

    def ordering(self) -> Schema:
        schema = {"type": "string", "enum": [*self.view.orderings], "default": self.view.orderings[0]}
        about = "In this order, with `-` the other way round; ties by `id`, in the same direction."
        return {"name": "ordering", "in": "query", "description": about, "schema": schema}

    def get_request_serializer(self) -> Any:
        return self.body if self.action else super().get_request_serializer()

    def get_response_serializers(self) -> Any:
        if self.action:
            shown = self.view.serializer_class if self.action.status != HTTPStatus.NO_CONTENT else None
            return {self.action.status: OpenApiResponse(shown, self.action.meaning.format_map(self.names))}
        if self.own:
            return {status: OpenApiResponse(**response) for status, response in self.own["responses"].items()}
        return super().get_response_serializers()

    def _get_serializer_name(self, serializer: Any, direction: Direction, bypass_extensions: bool = False) -> str:
        if self.action and direction == "request" and type(serializer) is self.body:
            return self.kind + self.action.body
        if self.action and direction == "response" and type(serializer) is self.view.serializer_class:
            return self.kind
        return str(super()._get_serializer_name(serializer, direction, bypass_extensions))

    def _map_basic_serializer(self, serializer: Any, direction: Direction) -> Schema:
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        members = schema.get("properties", {})
        for name, field in force_instance(serializer).fields.items():
            if direction == "request" and type(field) in {CharField, StrictCharField} and name in members:
                as_taken(field, members[name])
            elif direction == "response" and type(field) is CharField and not (field.allow_blank or field.read_only):
                members[name].setdefault("minLength", 1)
        if self.action and direction == "response":
            schema["required"] = [*members]  # a row has all of them
            for member in members.values():
                if "integer" in member.get("type", ""):  # its bounds are those of the database in use
                    for bound in ("minimum", "maximum", "format"):
                        member.pop(bound, None)
            members.get("id", {})["format"] = "int64"
        return schema


def as_taken(field: CharField, member: Schema) -> None:
    """Add the pattern of a text without U+0000. It replaces a `maxLength` that would count trimmed white space."""
    any_other = r"[^\u0000]"
    if not field.trim_whitespace:
        member.setdefault("pattern", f"^{any_other}*$")
    elif "pattern" not in member:
        space = "".join(rf"\u{ord(character):04x}" for character in WHITE_SPACE)
        ink, longest = rf"[^\u0000{space}]", member.pop("maxLength", None)
        between = "*" if longest is None else f"{{0,{max(longest - 2, 0)}}}"
        text = ink if longest == 1 else f"{ink}({any_other}{between}{ink})?"
        member["pattern"] = f"^[{space}]*{f'({text})?' if field.allow_blank else text}[{space}]*$"
        if longest:
            limit = f"At most {longest} characters: white space around it is removed, and not counted."
            member["description"] = " ".join(filter(None, [member.get("description"), limit]))


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return dict(SHARED["securitySchemes"]["bearer"])


@cache
def document(urlconf: str | None = None) -> Schema:
    """The document of the URLs in a module, by default of this deployment's."""
    schema: Schema = SchemaGenerator(urlconf=urlconf).get_schema(public=True)
    return schema
