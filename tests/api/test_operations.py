"""docs/operations.md and the code say the same."""

import re

import promql_parser
import pytest
import yaml
from django.core.management import get_commands

from tests.integration.test_alerts import exposed
from tests.server import ROOT

pytestmark = pytest.mark.once
PAGE = (ROOT / "docs" / "operations.md").read_text()
CODE = "".join(path.read_text() for package in ("config", "api", "tasks") for path in (ROOT / package).rglob("*.py"))


def test_every_log_line_is_explained():
    logged = re.findall(r"logger\.(\w+)\(\s*\"([^\"]+)\"", CODE)

    assert len(logged) == len(re.findall(r"logger\.\w+\(", CODE)) > 5
    explained = set(re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \|", PAGE, re.MULTILINE))
    lines = {(level.replace("exception", "error").upper(), message) for level, message in logged}
    assert lines - explained == {("INFO", "%s %s %s %s %s bytes %d ms")}  # granian's access log, shown by an example


def test_every_reason_to_refuse_a_token_is_explained():
    reasons = set(re.findall(r"InvalidToken\(\"(\w+)\"\)", CODE)) | {"missing", "expired", "key_server"}

    assert len(reasons) > 8
    assert reasons <= set(re.findall(r"`(\w+)`", PAGE))


def test_every_metric_is_explained():
    explained = dict(re.findall(r"^\| `(taskapi_\w+)` \| (.*?) \|", PAGE, re.MULTILINE))
    series = {name.replace("_bucket", ""): labels for name, labels in exposed().items()}

    assert set(explained) == {name for name in series if name.endswith(("_total", "_seconds"))}
    for name, labels in explained.items():
        assert set(re.findall(r"`(\w+)`", labels)) | {"le"} == series[name]


def test_every_query_can_be_read():
    [block] = re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)

    assert [promql_parser.parse(line) for line in block.splitlines()]
    assert set(re.findall(r"taskapi_\w+", block)) <= set(exposed())


def test_every_alert_has_its_section():
    rules = yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text())["groups"][0]["rules"]

    assert re.findall(r"^### (TaskAPI\w+)$", PAGE, re.MULTILINE) == [rule["alert"] for rule in rules]


def test_every_command_is_there():
    commands = set(re.findall(r"manage\.py (\w+)", PAGE))

    assert {"migrate", "purge_idempotency_keys"} <= commands <= set(get_commands())
