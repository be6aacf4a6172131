import csv
import io
import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.models import ROW_FIELDS, Task, own_tasks
from tests.notes.models import Note, own_notes
from tests.server import ROOT, manage, new_database, production


@pytest.fixture(autouse=True)
def _two_resources(monkeypatch):
    """The texts below are about these, however many the project has."""
    two = {Task: own_tasks, Note: own_notes}
    monkeypatch.setattr("api.management.commands.export_user.registry", two)


@pytest.fixture
def tasks(db):
    """What a file format might trip over, and another user's task."""
    now = timezone.now().replace(microsecond=0)
    texts = [
        ("Buy milk", None),
        ('"Zoë", said; he\\', ""),
        ("=1+1", "one\nline\r\nor two\u2028"),
        ("\U0001f600", "a,b\ttab"),
        ("[1", "null"),
    ]
    Task.objects.bulk_create(
        Task(user_id="alice", title=title, description=text, created_at=now - timedelta(hours=number))
        for number, (title, text) in enumerate(texts)
    )
    Task.objects.create(user_id="bob", title="not hers")


def exported(capsys, *arguments):
    call_command("export_user", *arguments)
    return capsys.readouterr()


def test_an_export_is_what_the_api_shows(tasks, alice, capsys):
    shown = exported(capsys, "alice")

    assert json.loads(shown.out) == {"tasks": alice.get("/api/alice/tasks").json(), "jottings": []}
    assert shown.err == "Exported 5 tasks and 0 jottings.\n"


def test_csv_has_the_same_and_tells_null_from_empty(tasks, alice, capsys):
    shown = exported(capsys, "alice", "--format", "csv", "--resource", "tasks")

    header, *rows = csv.reader(io.StringIO(shown.out, newline=""), strict=True)
    answered = alice.get("/api/alice/tasks").json()
    assert header == list(answered[0])
    for row, task in zip(rows, answered, strict=True):
        texts = [value if isinstance(value, str) else json.dumps(value) for value in task.values()]
        assert row == [
            "" if text == "null" and value is None else text for text, value in zip(texts, task.values(), strict=True)
        ]
    assert shown.out.count('"Buy milk",,"false"') == 1
    assert shown.out.count(',"","false"') == 1
    assert shown.out.count("\r\n") == 1 + 5 + 1  # one is in a description


def test_postgresql_reads_the_csv(tasks, capsys):
    if connection.vendor == "sqlite":
        pytest.skip("COPY is PostgreSQL's")
    text = exported(capsys, "alice", "--format", "csv", "--resource", "tasks").out
    before = list(Task.objects.owned_by("alice").order_by("id").values())
    Task.objects.all().delete()
    into = f"COPY tasks_task ({', '.join(ROW_FIELDS)}) FROM STDIN (FORMAT csv, HEADER match)"

    with connection.cursor() as cursor, cursor.copy(into) as copy:
        copy.write(text)

    assert list(Task.objects.order_by("id").values()) == before


@pytest.mark.parametrize(("format_", "out"), [("json", '{\n"tasks": [],\n"jottings": []\n}\n'), ("csv", None)])
def test_a_user_without_tasks_has_an_empty_export(db, capsys, format_, out):
    shown = exported(capsys, "Alice", "--format", format_, *(["--resource", "tasks"] if format_ == "csv" else []))

    header = ",".join(f'"{name}"' for name in ROW_FIELDS) + "\r\n"
    assert shown.out == (out or header)
    assert shown.err == "Alice has nothing. Is the id right, case included?\n"


def test_an_export_reads_page_by_page(tasks, capsys, monkeypatch):
    monkeypatch.setattr("api.rows.PAGE", 2)
    monkeypatch.setattr("api.management.commands.export_user.PROGRESS", 2)

    with CaptureQueriesContext(connection) as captured:
        shown = exported(capsys, "alice")

    assert len(json.loads(shown.out)["tasks"]) == 5
    assert [query["sql"].count("LIMIT 2") for query in captured.captured_queries] == [1, 1, 1, 1]  # one for the notes
    assert shown.err == "2 tasks so far\n4 tasks so far\nExported 5 tasks and 0 jottings.\n"


@pytest.mark.parametrize("arguments", [[""], ["a\0"], ["alice", "--format=xml"], ["alice", "--resource=cats"]])
def test_arguments_that_an_export_does_not_know_are_refused(arguments):
    with pytest.raises(CommandError, match="argument"):
        call_command("export_user", *arguments)


def test_a_program_may_take_it_as_text(tasks):
    out = io.StringIO()

    call_command("export_user", "alice", stdout=out)

    assert len(json.loads(out.getvalue())["tasks"]) == 5


def test_a_csv_file_has_one_resource(db):
    with pytest.raises(CommandError, match="add --resource"):
        call_command("export_user", "alice", "--format", "csv")


def test_all_of_a_user_is_one_document_by_resource(tasks, alice, capsys):
    alice.post("/api/alice/jottings", {"text": "one"})
    alice.post("/api/alice/jottings", {"text": "two", "pinned": True})

    shown = json.loads(exported(capsys, "alice").out)
    only = json.loads(exported(capsys, "alice", "--resource", "jottings").out)

    assert [note["text"] for note in shown["jottings"]] == ["one", "two"]
    assert shown["jottings"] == alice.get("/api/alice/jottings?ordering=created_at").json()
    assert (len(shown["tasks"]), only) == (5, {"jottings": shown["jottings"]})


@pytest.mark.once
def test_json_is_utf_8_whatever_the_terminal_says(tmp_path):
    with new_database(tmp_path, migrated=True) as url:
        environment = production(url, LC_ALL="C", PYTHONIOENCODING="latin-1", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
        make = r"own_tasks.of('alice').make(title='Za\u017c\u00f3\u0142\u0107 \u65e5')"
        assert manage(environment, "shell", "-c", make).returncode == 0

        command = [sys.executable, "manage.py", "export_user", "alice"]
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)

    assert json.loads(ran.stdout.decode("utf-8"))["tasks"][0]["title"] == "Zażółć 日"


@pytest.mark.once
def test_to_a_reader_that_has_had_enough(tmp_path):
    """As in `export_user … | head -1`: no traceback, and no exit code 0."""
    with new_database(tmp_path, migrated=True) as url:
        environment = production(url, ENVIRONMENT="development")
        assert manage(environment, "seed_tasks", "--user", "alice", "--tasks", "3000").returncode == 0

        read, write = os.pipe()
        command = [sys.executable, "manage.py", "export_user", "alice"]
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=write, stderr=subprocess.PIPE, text=True
        ) as process:
            os.close(write)
            assert os.read(read, 2) == b"{\n"
            os.close(read)
            _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (141, "")
