"""The alert rules: they can be read, they ask for metrics that there are, and they fire when they should."""

import re
import shutil
import subprocess

import promql_parser
import pytest
import yaml
from prometheus_client import Counter, Histogram

from config import metrics
from tests.server import ROOT

pytestmark = pytest.mark.once
RULES = [
    rule for group in yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]


def exposed():
    """The names of all series, and their labels."""
    found = {"up": {"job", "instance"}}
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Histogram):
            suffixes = ["total"] if isinstance(metric, Counter) else ["bucket", "sum", "count"]
            found |= {f"{metric._name}_{suffix}": {*metric._labelnames, "le"} for suffix in suffixes}
    return found


def test_there_are_rules_for_latency_errors_and_expired_tokens():
    assert [rule["alert"] for rule in RULES] == [
        "TaskAPIDown",
        "TaskAPISlow",
        "TaskAPIErrors",
        "TaskAPIExpiredTokens",
        "TaskAPIDatabaseErrors",
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_can_be_read(rule):
    assert promql_parser.parse(rule["expr"])
    assert promql_parser.parse_duration(rule["for"])
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_there_is(rule):
    selectors = re.findall(r"(up|taskapi_\w+)(?:\{(.*?)\}(?=[\[\s)]))?", rule["expr"])
    asked_by = re.findall(r"by \((.*?)\)", rule["expr"])

    assert selectors
    for name, matchers in selectors:
        labels = set(re.findall(r"(\w+)[=!]", matchers)) | {label for by in asked_by for label in by.split(", ")}
        assert labels <= exposed()[name]


def test_the_rules_fire_when_they_should():
    """tests/integration/alerts.yml has the cases."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed: it comes with Prometheus")

    told = subprocess.run(
        ["promtool", "test", "rules", "tests/integration/alerts.yml"], cwd=ROOT, capture_output=True, text=True
    )

    assert told.returncode == 0, told.stdout + told.stderr
