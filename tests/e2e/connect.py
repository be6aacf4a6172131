"""The files that docs/connect.md shows, as someone copies them, compiled by `tsc --strict`."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.server import ROOT

HERE = Path(__file__).resolve().parent / "better-auth"
TSCONFIG = {
    "compilerOptions": {
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "noUncheckedIndexedAccess": True,
        "target": "es2022",
        "lib": ["es2022", "dom", "dom.iterable"],
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": ["node"],
        "skipLibCheck": True,
        "paths": {"@/*": ["./*"]},
    },
}


def quoted() -> dict[str, dict[str, str]]:
    """The text of each file, by its path, for either way: `eddsa` and `hs256`, which has a file or two of its own."""
    page = (ROOT / "docs" / "connect.md").read_text()
    both, secret = page.split("\n## By a shared secret")
    files = [dict(re.findall(r"```ts\n// (\S+)\n(.*?)```", part, re.DOTALL)) for part in (both, secret)]
    return {"eddsa": files[0], "hs256": files[0] | files[1]}


def compiled(mode: str) -> Path:
    """The folder with that way's files, as JavaScript too."""
    folder = HERE / "build" / mode
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in quoted()[mode].items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "tsconfig.json").write_text(json.dumps(TSCONFIG))
    command = ["npx", "--no-install", "tsc", "--project", str(folder)]
    ran = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout
    return folder
