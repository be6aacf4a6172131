"""docs/openapi.yaml: it is what the code says, it is valid, and it can be read in a browser where API_DOCS is on."""

import re
import tomllib
from decimal import Decimal
from types import ModuleType
from typing import Any, cast

import pytest
import yaml
from django.core.management import call_command
from django.core.validators import RegexValidator
from django.urls import include, path
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.generics import ListAPIView
from rest_framework.views import APIView

from api.errors import OutcomeUnknown, ServiceUnavailable
from api.etags import PreconditionFailed
from api.idempotency import Gone
from api.keys import KeyServerUnavailable
from api.models import USER_ID_MAX_LENGTH
from api.pagination import MAX_LIMIT
from api.parsers import BodyTooLarge
from api.schema import document
from api.urls import resource
from api.views import OwnedViewSet
from config.settings import CORS_ALLOW_HEADERS, CORS_EXPOSE_HEADERS, SPECTACULAR_SETTINGS
from tasks.models import ROW_FIELDS, Task
from tasks.serializers import TaskSerializer
from tasks.views import TaskViewSet
from tests.api.test_access import METHODS, PUBLIC
from tests.server import ROOT, running

pytestmark = pytest.mark.once
FILE = ROOT / "docs" / "openapi.yaml"
SCHEMA = yaml.safe_load(FILE.read_text())
WRITE_TO_ONE = "400 401 403 404 405 412 413 415 422 429 500 503 504"
OPERATIONS = {(method, path): operation for path, item in SCHEMA["paths"].items() for method, operation in item.items()}


def test_the_file_is_what_make_schema_writes(tmp_path):
    call_command("spectacular", "--fail-on-warn", "--file", tmp_path / "openapi.yaml", "--urlconf", "config.urls")

    assert (tmp_path / "openapi.yaml").read_text() == FILE.read_text(), "run `make schema`"


def test_it_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert SCHEMA["openapi"] == "3.1.0"
    assert SCHEMA["info"]["version"] == SPECTACULAR_SETTINGS["VERSION"] == project["version"]


def test_it_has_every_method_of_every_route():
    routes = {"/" + route: methods for route, methods in (METHODS | PUBLIC).items() if "jottings" not in route}
    expected = {
        (method.lower(), route.replace("<user_id:user_id>", "{user_id}").replace("<str:id>", "{id}"))
        for route, methods in routes.items()
        for method, status in methods.items()
        if status < 300 and method != "HEAD" and route not in ("/api/schema", "/api/docs")
    }

    paths = {path for _, path in expected}  # whether a route is missing here, tests/api/test_access.py asks
    assert {(method, path) for method, path in OPERATIONS if path in paths} == expected


@pytest.mark.parametrize(
    ("operation_id", "method", "path", "statuses"),
    [
        ("listTasks", "get", "/api/{user_id}/tasks", "200 304 400 401 403 405 429 500 503"),
        ("createTask", "post", "/api/{user_id}/tasks", "201 400 401 403 405 410 413 415 422 429 500 503 504"),
        ("getTask", "get", "/api/{user_id}/tasks/{id}", "200 304 400 401 403 404 405 429 500 503"),
        ("replaceTask", "put", "/api/{user_id}/tasks/{id}", f"200 {WRITE_TO_ONE}"),
        ("patchTask", "patch", "/api/{user_id}/tasks/{id}", f"200 {WRITE_TO_ONE}"),
        ("deleteTask", "delete", "/api/{user_id}/tasks/{id}", "204 400 401 403 404 405 412 429 500 503 504"),
        ("eraseUser", "delete", "/api/{user_id}", "204 401 403 405 429 500 503 504"),
        ("getHealth", "get", "/health", "200 405 429 500 503"),
        ("getLiveness", "get", "/health/live", "200 405 429 500"),
    ],
)
def test_operations_have_their_names_and_statuses(operation_id, method, path, statuses):
    operation = OPERATIONS[method, path]

    assert operation["operationId"] == operation_id
    assert " ".join(sorted(operation["responses"])) == statuses
    assert operation.get("security") == (None if path.startswith("/health") else [{"bearer": []}])


def test_a_task_has_exactly_its_members():
    task = SCHEMA["components"]["schemas"]["Task"]

    assert list(task["properties"]) == task["required"] == ROW_FIELDS
    assert task["properties"]["title"] == {"type": "string", "minLength": 1, "maxLength": 200}
    assert task["properties"]["description"] == {"type": ["string", "null"], "maxLength": 1000}


@pytest.mark.parametrize("name", ["TaskCreate", "TaskUpdate"])
@pytest.mark.parametrize(
    ("title", "good"),
    [
        ("x", True),
        (" x ", True),
        ("a\nb", True),
        ("\ufeff", True),
        ("", False),
        (" \t\n\u3000", False),
        ("a\0b", False),
    ],
)
def test_a_title_is_as_the_api_takes_it(alice, db, name, title, good):
    pattern = SCHEMA["components"]["schemas"][name]["properties"]["title"]["pattern"]

    response = alice.post("/api/alice/tasks", {"title": title})

    assert bool(re.search(pattern, title)) is good
    assert response.status_code == (201 if good else 422)


def test_every_error_has_one_form():
    for name, response in SCHEMA["components"]["responses"].items():
        if name == "NotModified":
            assert "content" not in response
            continue
        media = response["content"]["application/json"]
        assert media["schema"] == {
            "$ref": f"#/components/schemas/{'ValidationError' if name == 'Invalid' else 'Error'}"
        }
        assert all(example["value"]["detail"] for example in media["examples"].values())


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("TaskGone", Gone("task").detail),
        ("TaskChanged", PreconditionFailed("Task").detail),
        ("BodyTooLarge", BodyTooLarge.default_detail),
        ("Unavailable", ServiceUnavailable.default_detail),
        ("Unavailable", KeyServerUnavailable.default_detail),
        ("OutcomeUnknown", OutcomeUnknown.default_detail),
        ("BadRequest", f"limit must be a whole number from 1 to {MAX_LIMIT}"),
    ],
)
def test_examples_say_what_the_api_says(name, detail):
    examples = SCHEMA["components"]["responses"][name]["content"]["application/json"]["examples"]

    assert str(detail) in {example["value"]["detail"] for example in examples.values()}


@pytest.mark.parametrize("action", TaskViewSet.bodies)
def test_examples_of_bodies_are_good_ones(action):
    body: Any = TaskViewSet.bodies[action]

    assert body(data=body.example).is_valid()


def test_a_write_answers_what_its_body_says():
    answer = OPERATIONS["patch", "/api/{user_id}/tasks/{id}"]["responses"]["200"]["content"]["application/json"]

    assert answer["example"] == TaskSerializer.example | {"completed": True}
    assert [*answer["example"]] == SCHEMA["components"]["schemas"]["Task"]["required"]


def test_limits_are_those_of_the_code():
    parameters = SCHEMA["components"]["parameters"]

    assert parameters["limit"]["schema"]["maximum"] == MAX_LIMIT
    assert parameters["user_id"]["schema"]["maxLength"] == USER_ID_MAX_LENGTH


def test_what_browsers_may_send_and_read_is_what_it_names():
    components = SCHEMA["components"]
    sent = {name.lower() for name, parameter in components["parameters"].items() if parameter["in"] == "header"}
    of_tracing = {"baggage", "sentry-trace", "traceparent", "tracestate"}

    assert {*sent, "authorization", "content-type", *of_tracing} == set(CORS_ALLOW_HEADERS)
    assert set(components["headers"]) == set(CORS_EXPOSE_HEADERS)


def test_what_is_optional_has_no_example():
    """Swagger UI sends each: a condition that fails, a key that was used, a filter that hides what was just made."""
    parameters = [
        SCHEMA["components"]["parameters"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        for operation in OPERATIONS.values()
        for one in operation["parameters"]
    ]

    assert {one["name"] for one in parameters if {"example", "examples"} & {*one, *one["schema"]}} == {"user_id", "id"}


def test_a_tasks_etag_is_its_updated_at(alice, make_task):
    answer = alice.get(f"/api/alice/tasks/{make_task().id}")

    assert answer["ETag"] == f'"{answer.json()["updated_at"]}"'
    for tag in answer["ETag"], alice.get("/api/alice/tasks")["ETag"]:
        assert re.search(SCHEMA["components"]["headers"]["ETag"]["schema"]["pattern"], tag)


@pytest.mark.parametrize("condition", ['"a"', 'W/"a"', "*", '"a", W/"b"', '"a",, "b",', ""])
def test_conditions_are_as_the_api_takes_them(alice, make_task, condition):
    pattern = SCHEMA["components"]["parameters"]["If-Match"]["schema"]["pattern"]

    answer = alice.delete(f"/api/alice/tasks/{make_task().id}", headers={"If-Match": condition})

    assert (answer.status_code != 400) is bool(re.search(pattern, condition))


# Whatever a project adds


def test_another_resource_is_there_by_itself(alice, db):
    """tests/notes: no PATCH, the newest first, and a filter of its own."""
    schema = document()
    to_all, to_one = (schema["paths"][f"/api/{{user_id}}/{path}"] for path in ("jottings", "jottings/{id}"))
    missing = to_one["get"]["responses"]["404"]["$ref"].rpartition("/")[2]
    parameters = {one["name"]: one["schema"] for one in to_all["get"]["parameters"] if "name" in one}

    assert [*to_all, *to_one] == ["get", "post", "get", "put", "delete"]
    assert parameters == {
        "pinned": {"type": "boolean"},
        "ordering": {"type": "string", "enum": ["-created_at", "created_at"], "default": "-created_at"},
    }
    assert {name for name in schema["components"]["schemas"] if "Jotting" in name} == {
        "Jotting",
        "JottingCreate",
        "JottingUpdate",
    }
    assert set(to_all["post"]["responses"]["201"]["links"]) == {"getJotting", "replaceJotting", "deleteJotting"}
    examples = schema["components"]["responses"][missing]["content"]["application/json"]["examples"]
    assert examples["row"]["value"] == alice.get("/api/alice/jottings/1").json()


class ListBody(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=1)
    motto = serializers.CharField(allow_blank=True, required=False)
    colour = serializers.RegexField("^[a-z]+$")
    code = serializers.CharField(required=False, validators=[RegexValidator("^[0-9]+$")])
    items = serializers.ListField(child=serializers.CharField(help_text=gettext_lazy("One thing")), required=False)
    price = serializers.DecimalField(max_digits=5, decimal_places=2, default=Decimal("1.5"), min_value=Decimal(1))
    number = serializers.IntegerField(required=False, max_value=10**30)


class ShoppingListViewSet(OwnedViewSet):
    noun, serializer_class = "Shopping list", ListBody
    bodies = {"create": ListBody}
    filters = {"kind": {"food": 1, "other": 2}, "stars": {"1": 1, "2": 2}, "level": {"1": "1"}}
    orderings = ["name"]


class Plain(APIView):
    """What stands here is in the schema."""

    def get(self, request, **kwargs): ...
    def post(self, request, **kwargs): ...
    def delete(self, request, **kwargs): ...


class Annotated(APIView):
    authentication_classes = []

    @extend_schema(operation_id="annotated", responses={200: ListBody, 403: None, "default": ListBody})
    def get(self, request): ...


class Generic(ListAPIView[Task]):
    serializer_class = ListBody
    queryset = Task.objects.none()


class Broken(ListAPIView[Task]):
    serializer_class = ListBody

    @property
    def pagination_class(self):  # type: ignore[override] # as somebody may write it
        raise RuntimeError("this needs a request")


class WithoutTheField(serializers.ModelSerializer[Task]):
    class Meta:
        model = Task
        fields = ["no_such_field"]


class BrokenSerializer(ListAPIView[Task]):
    serializer_class = WithoutTheField


class Aufgabe(ShoppingListViewSet):
    noun = "任务"


@api_view(["GET", "PUT"])
def function(request): ...


@pytest.fixture
def larger_project(settings):
    """One with all kinds of views. Those of DRF's own generics and functions come without a line about the schema."""
    settings.ROOT_URLCONF = urls = cast("Any", ModuleType("larger_project"))
    views = [Plain, Annotated, Generic, Broken, BrokenSerializer]
    urls.urlpatterns = [
        path("api/", include(resource("shopping-lists", ShoppingListViewSet))),
        *(path(f"api/<str:user_id>/{view.__name__.lower()}", view.as_view()) for view in views),
        path("api/", include(resource("others", Aufgabe))),
        path("api/things/<uuid:thing>", Plain.as_view()),
        path("function", function),
        path("api/", include("api.docs")),
    ]
    document.cache_clear()
    yield
    document.cache_clear()


def test_no_view_of_a_project_breaks_it(larger_project, anonymous, capsys):
    response = anonymous.get("/api/schema")

    assert response.status_code == 200
    schema = response.json()
    methods = {path.removeprefix("/api/{user_id}/"): " ".join(sorted(item)) for path, item in schema["paths"].items()}
    assert methods == {
        "shopping-lists": "get post",
        "shopping-lists/{id}": "delete get",
        "others": "get post",
        "others/{id}": "delete get",
        "plain": "delete get post",
        "annotated": "get",
        "generic": "get",
        "/api/things/{thing}": "delete get post",
        "/function": "get put",
    }
    errors = capsys.readouterr().err
    assert "GET /api/{user_id}/broken can't be documented" in errors
    assert "GET /api/{user_id}/brokenserializer can't be documented" in errors
    assert {"ShoppingList", "ShoppingListCreate"} <= set(schema["components"]["schemas"])


def test_every_document_is_valid(larger_project, pytestconfig):
    """In one test, because the validator takes three seconds to load."""
    if pytestconfig.getoption("quick"):
        pytest.skip("takes longest to load: `make test` runs it")
    from openapi_spec_validator import OpenAPIV31SpecValidator

    for schema in (SCHEMA, document("tests.urls"), document()):
        OpenAPIV31SpecValidator(schema).validate()


def test_a_view_without_a_serializer_has_its_statuses(larger_project):
    plain = document()["paths"]["/api/{user_id}/plain"]

    assert " ".join(sorted(plain["post"]["responses"])) == "200 400 401 403 405 413 415 422 429 500 503 504"
    assert plain["get"]["description"] == "What stands here is in the schema."
    assert [one["$ref"].rpartition("/")[2] for one in plain["get"]["parameters"]] == ["user_id", "X-Request-ID"]
    annotated = document()["paths"]["/api/{user_id}/annotated"]["get"]
    assert annotated["operationId"] == "annotated"
    assert " ".join(sorted(annotated["responses"])) == "200 403 405 429 500 default"


def test_an_integer_of_an_answer_has_no_bounds_of_a_database(larger_project):
    schemas = document()["components"]["schemas"]

    assert schemas["ShoppingList"]["properties"]["number"] == {"type": "integer"}
    assert schemas["ShoppingListCreate"]["properties"]["number"]["maximum"] == 10**30


def test_a_filter_with_other_values_names_them(larger_project):
    parameters = document()["paths"]["/api/{user_id}/shopping-lists"]["get"]["parameters"]

    assert {one["name"]: one["schema"] for one in parameters if "name" in one} == {
        "kind": {"type": "string", "enum": ["food", "other"]},
        "stars": {"type": "integer", "enum": [1, 2]},
        "level": {"type": "string", "enum": ["1"]},
        "ordering": {"type": "string", "enum": ["name"], "default": "name"},
    }


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("name", " x "),
        ("name", ""),
        ("name", "xy"),
        ("motto", ""),
        ("motto", " a b\0"),
        ("motto", "a b "),
        ("motto", " "),
    ],
)
def test_texts_are_as_a_serializer_takes_them(larger_project, member, text):
    pattern = document()["components"]["schemas"]["ShoppingListCreate"]["properties"][member]["pattern"]
    body = {"name": "x", "colour": "red", member: text}

    assert bool(re.search(pattern, text)) is ListBody(data=body).is_valid()


def test_it_is_served(anonymous):
    response = anonymous.get("/api/schema")

    assert response["Content-Type"] == "application/json"
    assert response.json() == document()
    assert document("config.urls") == SCHEMA


def test_swagger_ui_comes_from_here(anonymous, db):
    page = anonymous.get("/api/docs")

    files = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert page["Content-Type"] == "text/html; charset=utf-8"
    assert '"/api/schema"' in page.content.decode()
    assert len(files) == 4
    for file in files:
        assert file.startswith("/admin/static/")
        response = anonymous.get(file)
        assert response.status_code == 200
        response.close()


def test_swagger_ui_runs_no_script_but_its_own(anonymous):
    """That it does run its own is in tests/browser."""
    policy = anonymous.get("/api/docs")["Content-Security-Policy"]

    assert "default-src 'self'; " in policy
    assert "script-src 'self' 'sha256-" in policy
    assert "unsafe" not in policy


def test_production_serves_it_on_demand_only(tmp_path):
    with running(tmp_path) as server:
        assert server.request("GET", "/api/schema").status == server.request("GET", "/api/docs").status == 404
        assert server.request("POST", "/api/docs", {}).json() == {"detail": "Not found"}
