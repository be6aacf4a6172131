import sys
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tasks.models import Task
from tests.tokens import bearer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="skip each test as soon as it starts another process")


@pytest.fixture(scope="session", autouse=True)
def _quick(request: pytest.FixtureRequest) -> None:
    def skip(event: str, args: tuple[Any, ...]) -> None:
        if event in {"subprocess.Popen", "os.fork", "os.posix_spawn"}:
            pytest.skip("starts another process: `make test` runs it")

    if request.config.getoption("quick"):
        sys.addaudithook(skip)


@pytest.fixture
def anonymous() -> APIClient:
    """A client without a token. A crash is a 500 to it, as it is to everybody else, not a Python exception."""
    return APIClient(raise_request_exception=False)


@pytest.fixture
def alice() -> APIClient:
    return APIClient(raise_request_exception=False, headers=bearer("alice"))


@pytest.fixture
def bob() -> APIClient:
    return APIClient(raise_request_exception=False, headers=bearer("bob"))


@pytest.fixture
def make_task(db: None) -> Callable[..., Task]:
    def make_task(user_id: str = "alice", title: str = "Buy milk", **fields: Any) -> Task:
        return Task.objects.create(user_id=user_id, title=title, **fields)

    return make_task
