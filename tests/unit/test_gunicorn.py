import logging
import runpy

import pytest
from gunicorn.config import Config

from tests.server import ROOT


@pytest.fixture
def configured(settings):
    """gunicorn.conf.py, as these settings make it."""

    def configured(**more):
        for name, value in more.items():
            setattr(settings, name, value)
        return runpy.run_path(str(ROOT / "gunicorn.conf.py"))

    return configured


@pytest.mark.parametrize(
    ("production", "expected"),
    [(True, (True, False)), (False, (False, True))],
)
def test_production_shares_its_code_and_development_loads_it_again(configured, production, expected):
    conf = configured(PRODUCTION=production, ADDRESS="127.0.0.2", PORT=8000)

    assert conf["bind"] == "127.0.0.2:8000"
    assert (conf["preload_app"], conf["reload"]) == expected


def test_the_environment_says_how_many_and_how_loud(configured):
    conf = configured(WEB_CONCURRENCY=3, WEB_THREADS=5, LOG_LEVEL="WARNING")

    assert (conf["worker_class"], conf["workers"], conf["threads"], conf["loglevel"]) == ("gthread", 3, 5, "warning")


def test_no_connection_and_no_worker_is_waited_for_for_ever(configured):
    conf = configured()

    assert 60 < conf["keepalive"] < 120
    assert 15 < conf["timeout"] <= 60  # a statement may take 15
    assert 15 < conf["graceful_timeout"] <= 30


def test_nobody_is_believed_about_forwarding(configured):
    conf = configured()

    assert (conf["forwarded_allow_ips"], conf["secure_scheme_headers"], conf["forwarder_headers"]) == ("", {}, "")
    assert conf["control_socket_disable"] is True


def test_a_line_that_is_hidden_costs_nothing(configured, monkeypatch):
    conf = configured(LOG_LEVEL="WARNING")
    logger = conf["AccessLogger"](Config())
    logger.access_log.setLevel(logging.WARNING)
    monkeypatch.setattr(conf["AccessLogger"], "atoms", lambda *args: pytest.fail("what nobody reads is gathered"))

    logger.access(None, None, {}, None)
