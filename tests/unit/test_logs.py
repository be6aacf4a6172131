import json
import logging
import re
import sys

import pytest

from config.logs import ConsoleFormatter, JSONFormatter, logging_config, request_id


def record(message="Hello %s", *arguments, **extra):
    made = logging.LogRecord("tasks.x", logging.WARNING, __file__, 1, message, arguments or ("world",), None)
    made.__dict__ |= extra
    return made


def raised(error, cause=None):
    try:
        raise error from cause  # noqa: TRY301 - to be caught is all it is for
    except Exception:
        return sys.exc_info()


@pytest.fixture(autouse=True)
def _no_request():
    token = request_id.set(None)
    yield
    request_id.reset(token)


def test_a_json_line():
    request_id.set("abc")

    line = json.loads(JSONFormatter().format(record(reason="expired", user=None, secret="hidden")))

    assert line.pop("time")[10] == "T"
    assert line == {
        "level": "WARNING",
        "logger": "tasks.x",
        "message": "Hello world",
        "request_id": "abc",
        "reason": "expired",
    }


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\x1b[31mb", "a\u2028b", "ü😀\u202e", '"}\n{"level": "ERROR'])
def test_a_json_line_is_one_line_of_ascii(text):
    line = JSONFormatter().format(record("%s", text, path=text))

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == json.loads(line)["path"] == text


def test_a_token_in_a_wrong_place_is_not_shown():
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
    made = record("Invalid HTTP request line: %r", f"GET /?token={token}\xe9", path=f"/{token}")
    made.exc_info = raised(ValueError(token))

    line = JSONFormatter().format(made)

    assert "eyJ" not in line
    assert json.loads(line)["path"] == "/[token]"


@pytest.mark.parametrize("character", ["x", '"', "\x01", "é", "😀", "\ud800", "\u202e", "eyJ"])
@pytest.mark.parametrize("formatter", [JSONFormatter(), ConsoleFormatter()])
def test_a_value_is_cut_where_it_says_no_more(character, formatter):
    made = record("x %s", character * 5000, path=character * 5000, reason="short")
    made.exc_info = raised(ValueError(character * 50_000))

    line = formatter.format(made)

    assert len(line) < 512 + 1024 + 16_384 + 1000
    assert "short" in line
    if character != "eyJ":
        left = re.findall(r"\.\.\. and (\d+) more", line)
        assert len(left) == 3
        assert all(int(number) > 3000 for number in left)


@pytest.mark.parametrize("text", ["x" * 512, "é" * 85, "😀" * 42 + "x" * 8])
def test_a_value_that_fits_is_whole(text):
    assert json.loads(JSONFormatter().format(record(path=text)))["path"] == text


def test_a_console_line():
    line = ConsoleFormatter().format(record(reason="expired", path="/x\n12:00:00 ERROR forged\x1b[31m"))

    assert line[8:] == r" WARNING Hello world reason=expired path=/x\n12:00:00 ERROR forged\x1b[31m"


@pytest.mark.parametrize("formatter", [JSONFormatter(), ConsoleFormatter()])
def test_a_traceback_can_forge_no_line_either(formatter):
    made = record()
    made.exc_info = raised(ValueError("x\n12:00:00 ERROR forged\x1b[31m"))

    first, *rest = formatter.format(made).split("\n")

    assert "Hello world" in first
    assert all(line.startswith("    ") for line in rest)
    assert "\x1b" not in first + "".join(rest)
    assert "ValueError" in first + "".join(rest)


def test_the_values_of_a_row_stay_out_of_a_traceback():
    detail = "DETAIL:  Failing row contains (1, alice, my\n\ndi" + "ary)."
    made = record()
    made.exc_info = raised(KeyError("above"), cause=ValueError(f'violates check constraint "x"\n{detail}'))

    text = json.loads(JSONFormatter().format(made))["exception"]

    assert "diary" not in text
    assert 'violates check constraint "x"' in text
    assert "KeyError: 'above'" in text


@pytest.mark.parametrize(("as_json", "formatter"), [(True, JSONFormatter), (False, ConsoleFormatter)])
def test_the_environment_chooses_the_form(as_json, formatter):
    config = logging_config("INFO", as_json=as_json)

    assert config["formatters"]["line"] == {"()": formatter}
    assert config["root"]["level"] == "INFO"


def test_no_row_is_logged_out_of_an_error_that_another_error_followed():
    made = record()
    try:
        raised_before = ValueError("violates\nDETAIL:  Failing row contains (my di" + "ary).")
        try:
            raise raised_before
        except ValueError:
            raise KeyError("during")  # noqa: B904 - without a cause is what is tested
    except KeyError:
        made.exc_info = sys.exc_info()

    text = json.loads(JSONFormatter().format(made))["exception"]

    assert "diary" not in text
    assert "KeyError: 'during'" in text


def test_the_time_has_milliseconds_and_an_offset():
    time = json.loads(JSONFormatter().format(record()))["time"]

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", time)
