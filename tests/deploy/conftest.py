import shutil

import pytest

from tests.deploy.stack import stack

FIGURES: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def installed():
    missing = [tool for tool in ("nginx", "pgbouncer") if not shutil.which(tool)]
    assert not missing, f"install {' and '.join(missing)}: apt-get install nginx pgbouncer"


@pytest.fixture
def figure(request):
    """Writes what a scenario has shown to the end of the run, for docs/operations.md."""

    def write(text: object) -> None:
        FIGURES.append(f"{request.node.name}: {text}")

    return write


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("figures")
    for line in FIGURES:
        terminalreporter.write_line(line)


@pytest.fixture(scope="package")
def direct():
    with stack() as running:
        yield running


@pytest.fixture(scope="package")
def pooled():
    with stack(pooled=True) as running:
        yield running
