import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db.models.signals import post_migrate
from rest_framework.test import APIClient
from whitenoise.middleware import WhiteNoiseMiddleware

from tasks.models import Task
from tests.tokens import bearer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="skip each test as soon as it starts another process")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After they were shuffled: the longest begins at once, so that at the end nothing waits for it alone."""
    items.sort(key=lambda item: "test_database_crash" not in item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def _quick(request: pytest.FixtureRequest) -> None:
    def skip(event: str, args: tuple[Any, ...]) -> None:
        if event in {"subprocess.Popen", "os.fork", "os.posix_spawn"}:
            pytest.skip("starts another process: `make test` runs it")

    if request.config.getoption("quick"):
        sys.addaudithook(skip)


@pytest.fixture(scope="session", autouse=True)
def _support_group() -> None:
    """After a transactional test Django empties all tables, of what a migration has put there as well."""
    make_group = import_module("tasks.migrations.0002_support_group").make_group
    post_migrate.connect(lambda **kwargs: make_group(apps, None), apps.get_app_config("tasks"), weak=False)


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_looked_for_once() -> Iterator[None]:
    """Each client makes its own middleware, and WhiteNoise's search of 140 files took half of a test's time."""
    found: dict[str, Any] = {}
    look = WhiteNoiseMiddleware.add_files_from_finders

    def look_once(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", look_once)
        yield


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
