import pytest

from tests.server import ROOT

TYPESCRIPT = ROOT / "examples" / "typescript"


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    if not (TYPESCRIPT / "node_modules").is_dir():
        pytest.exit("The example's packages are not installed: run its tests by `make test-examples`", returncode=1)
