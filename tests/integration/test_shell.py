"""`manage.py shell`, and what docs/commands.md shows of it."""

import doctest
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.management.commands.shell import Command
from tasks.models import Task
from tests.server import ROOT, manage, new_database, production

[SESSION] = re.findall(r"```pycon\n(.*?)```", (ROOT / "docs" / "commands.md").read_text(), re.DOTALL)


@pytest.fixture
def namespace():
    return Command().get_namespace(verbosity=1, command="", no_imports=False)


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_session_of_the_documentation_is_true(namespace):
    old = timezone.now() - timedelta(days=3)
    titles = {"Buy milk": True, "Water the plants": False, "Call the bank": False}
    for number, (title, completed) in enumerate(titles.items()):
        created_at = old + timedelta(hours=number)
        Task.objects.create(
            user_id="alice", title=title, completed=completed, created_at=created_at, updated_at=created_at
        )
    Task.objects.owned_by("alice").filter(title="Call the bank").update(updated_at=timezone.now())
    Task.objects.create(user_id="bob", title="His")
    examples = doctest.DocTestParser().get_doctest(SESSION, namespace, "docs/commands.md", None, 0)

    said: list[str] = []
    results = doctest.DocTestRunner().run(examples, out=said.append)

    assert (results.attempted, results.failed) == (5, 0), "".join(said)
    assert Task.objects.get(id=1).updated_at > timezone.now() - timedelta(minutes=1)


@pytest.mark.once
def test_its_output_is_that_of_the_command_alone(tmp_path):
    with new_database(tmp_path, migrated=True) as url:
        ran = manage(production(url), "shell", "-c", "print(Task.objects.count())")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "0\n", "")


def test_a_person_is_told_what_is_at_hand(monkeypatch, capsys):
    shell = Command()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    shell.get_namespace(verbosity=1, command="", no_imports=False)
    shell.get_namespace(verbosity=1, command="1", no_imports=False)
    shell.get_namespace(verbosity=1, command="", no_imports=True)

    assert (
        capsys.readouterr().out
        == "At hand: Task, own_tasks, IdempotencyKey, User, LogEntry, timedelta, Count, timezone\n"
    )
