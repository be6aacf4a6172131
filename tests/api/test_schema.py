"""docs/openapi.yaml: it is what the code says, it is valid, and it can be read in a browser where API_DOCS is on."""

import re
import tomllib

import pytest
import yaml
from django.core.management import call_command
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.schema import document
from config.settings import CORS_ALLOW_HEADERS, CORS_EXPOSE_HEADERS, SPECTACULAR_SETTINGS
from tests.api.test_access import METHODS, PUBLIC
from tests.server import ROOT, running

FILE = ROOT / "docs" / "openapi.yaml"
SCHEMA = yaml.safe_load(FILE.read_text())
OPERATIONS = {(method, path): operation for path, item in SCHEMA["paths"].items() for method, operation in item.items()}


def test_the_file_is_what_make_schema_writes(tmp_path):
    call_command("spectacular", "--fail-on-warn", "--file", tmp_path / "openapi.yaml")

    assert (tmp_path / "openapi.yaml").read_text() == FILE.read_text(), "run `make schema`"


def test_it_is_valid_and_of_this_version():
    OpenAPIV31SpecValidator(SCHEMA).validate()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert SCHEMA["openapi"] == "3.1.0"
    assert SCHEMA["info"]["version"] == SPECTACULAR_SETTINGS["VERSION"] == project["version"]


def test_it_has_every_method_of_every_route():
    routes = {"/" + route: methods for route, methods in (METHODS | PUBLIC).items() if "notes" not in route}
    expected = {
        (method.lower(), route.replace("<user_id:user_id>", "{user_id}").replace("<str:id>", "{id}"))
        for route, methods in routes.items()
        for method, status in methods.items()
        if status < 300 and method != "HEAD" and route not in ("/api/schema", "/api/docs")
    }

    assert set(OPERATIONS) == expected


@pytest.mark.parametrize(
    ("operation_id", "method", "path", "statuses"),
    [
        ("listTasks", "get", "/api/{user_id}/tasks", "200 304 400 401 403 405 500 503"),
        ("createTask", "post", "/api/{user_id}/tasks", "201 400 401 403 405 410 413 415 422 500 503"),
        ("getTask", "get", "/api/{user_id}/tasks/{id}", "200 304 400 401 403 404 405 500 503"),
        ("replaceTask", "put", "/api/{user_id}/tasks/{id}", "200 400 401 403 404 405 412 413 415 422 500 503"),
        ("completeTask", "patch", "/api/{user_id}/tasks/{id}", "200 400 401 403 404 405 412 413 415 422 500 503"),
        ("deleteTask", "delete", "/api/{user_id}/tasks/{id}", "204 400 401 403 404 405 412 500 503"),
        ("getHealth", "get", "/health", "200 405 500 503"),
        ("getLiveness", "get", "/health/live", "200 405 500"),
    ],
)
def test_operations_have_their_names_and_statuses(operation_id, method, path, statuses):
    operation = OPERATIONS[method, path]

    assert operation["operationId"] == operation_id
    assert " ".join(operation["responses"]) == statuses
    assert operation.get("security") == (None if path.startswith("/health") else [{"bearer": []}])


def test_a_task_has_exactly_its_seven_members():
    task = SCHEMA["components"]["schemas"]["Task"]

    names = ["id", "user_id", "title", "description", "completed", "created_at", "updated_at"]
    assert list(task["properties"]) == task["required"] == names
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


def test_what_browsers_may_send_and_read_is_what_it_names():
    components = SCHEMA["components"]
    sent = {name.lower() for name, parameter in components["parameters"].items() if parameter["in"] == "header"}

    assert {*sent, "authorization", "content-type"} == set(CORS_ALLOW_HEADERS)
    assert set(components["headers"]) == set(CORS_EXPOSE_HEADERS)


def test_it_is_served(anonymous):
    response = anonymous.get("/api/schema")

    assert response["Content-Type"] == "application/json"
    assert response.json() == document() == SCHEMA


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
