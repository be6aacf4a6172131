"""What docs/api.md shows is what happens."""

import re

from tests.console import played
from tests.server import ROOT

GUIDE = (ROOT / "docs" / "api.md").read_text()
SCHEMA = (ROOT / "docs" / "openapi.yaml").read_text()
VARYING = {
    "TIME": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "ETAG": r'"[0-9a-f]{32}"',
    "CURSOR": r"(?<=cursor=)[^&>]+",
}


def numbered(text):
    """Times, ETags and cursors by their order of appearance, so that two of them are as equal as they were."""
    for name, pattern in VARYING.items():
        for number, value in enumerate(dict.fromkeys(re.findall(pattern, text)), start=1):
            text = text.replace(value, f"{name}-{number}")
    return text


def test_the_curl_session_is_true(tmp_path):
    session = "".join(re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL))

    shown = played(session, tmp_path)

    assert numbered(shown).splitlines() == numbered(session).splitlines()


def test_every_error_is_explained():
    rows = re.findall(r"^\| ([45]\d\d(?:, [45]\d\d)*) \|", GUIDE, re.MULTILINE)
    explained = [status for row in rows for status in row.split(", ")]

    assert sorted(explained) == sorted(set(re.findall(r"^ +'([45]\d\d)':$", SCHEMA, re.MULTILINE)))


def test_every_link_leads_somewhere():
    targets = re.findall(r"\]\((?!https?:|#)([^)#]*)", GUIDE)

    assert targets
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []
