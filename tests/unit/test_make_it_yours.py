"""docs/make-it-yours.md, followed to the letter in a copy of this project."""

import os
import re
import shutil
import subprocess
import sys

from tests.server import ROOT

PAGE = (ROOT / "docs" / "make-it-yours.md").read_text()
ASKING = {"test_every_route_is_in_the_table", "test_the_file_is_what_make_schema_writes", "test_it_is_served"}
WALKING = ["api/test_access.py", "api/test_schema.py", "api/test_second_resource.py", "unit/test_image.py"]
WALKING += [f"integration/test_{name}.py" for name in ("erase_user", "export_user", "owned_rows")]


def test_notes_by_the_page_are_served_and_only_what_asks_about_them_fails(tmp_path):
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".git", ".env", ".venv*", ".*_cache", "node_modules", "__pycache__", "*.sqlite3*")
    shutil.copytree(ROOT, clone, ignore=ignored)
    (clone / "notes").mkdir(exist_ok=True)  # in a project that has notes already
    (clone / "notes" / "__init__.py").touch()
    for name in ("models", "serializers", "views", "urls"):
        [block] = re.findall(rf"```python\n# notes/{name}.py\n(.*?)```", PAGE, re.DOTALL)
        (clone / "notes" / f"{name}.py").write_text(block)
    for name in ("config/settings.py", "config/urls.py", ".dockerignore"):
        text = (clone / name).read_text()
        [after] = re.findall(r'^ *(?:"tasks",|path\("api/", include\("tasks.urls"\)\),|!tasks)\n', text, re.MULTILINE)
        line = after.replace("tasks", "notes")
        (clone / name).write_text(text.replace(line, "").replace(after, after + line))

    def run(*arguments):
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}"}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)

    for command in ("makemigrations notes", "check", "makemigrations --check", "migrate"):
        ran = run("manage.py", *command.split())
        assert ran.returncode == 0, ran.stderr
    tests = run("-m", "pytest", "-q", "-pno:cacheprovider", "--quick", *(f"tests/{name}" for name in WALKING))

    assert set(re.findall(r"^FAILED .*::(\w+)", tests.stdout, re.MULTILINE)) == ASKING, tests.stdout[-3000:]
