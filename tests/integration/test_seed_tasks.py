from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from tasks.models import ROW_FIELDS, Task


@pytest.fixture(autouse=True)
def _development(settings):
    settings.PRODUCTION = False


def content(user_id):
    names = [name for name in ROW_FIELDS if name not in ("id", "user_id")]
    return list(Task.objects.owned_by(user_id).in_creation_order().values(*names))


def test_each_user_gets_as_many_tasks_as_asked_for(db, capsys):
    call_command("seed_tasks", "--users", "3", "--tasks", "20")

    assert [len(content(f"user-{number}")) for number in range(5)] == [0, 20, 20, 20, 0]
    assert capsys.readouterr().out == "Added 60 tasks.\n"


def test_seeded_tasks_are_like_real_ones(db):
    call_command("seed_tasks", "--users", "1", "--tasks", "500")

    tasks = Task.objects.owned_by("user-1")
    assert 250 < tasks.with_status(completed=True).count() < 400
    assert 200 < tasks.filter(description=None).count() < 300
    assert tasks.filter(description="").exists()
    assert tasks.values("title").distinct().count() > 200
    assert not tasks.filter(updated_at__lt=F("created_at")).exists()
    assert not tasks.with_status(completed=False).exclude(updated_at=F("created_at")).exists()
    times = [task["created_at"] for task in content("user-1")]
    now = timezone.now()
    assert now - timedelta(days=367) < times[0] < now - timedelta(days=360)
    assert now - timedelta(days=4) < times[-1] < now


def test_the_same_arguments_make_the_same_tasks(db):
    call_command("seed_tasks", "--users", "2", "--tasks", "10")
    first = content("user-2")
    Task.objects.all().delete()

    call_command("seed_tasks", "--user", "user-2", "--tasks", "10")
    assert content("user-2") == first

    call_command("seed_tasks", "--user", "alice", "--tasks", "10")
    assert content("alice") != first


def test_many_are_told_of_on_the_way(db, capsys, monkeypatch):
    monkeypatch.setattr("tasks.management.commands.seed_tasks.BATCH", 10)
    monkeypatch.setattr("tasks.management.commands.seed_tasks.PROGRESS", 20)

    call_command("seed_tasks", "--user", "alice", "--tasks", "45")

    assert capsys.readouterr().err == "20 of 45 tasks\n40 of 45 tasks\n"
    assert len(content("alice")) == 45


def test_seed_tasks_refuses_to_run_in_production(db, settings):
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match="this is production: use a development database") as error:
        call_command("seed_tasks")

    assert error.value.returncode == 1
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tasks", "0"],
        ["--tasks", "9" * 5000],
        ["--users", "x"],
        ["--user", ""],
        ["--user", "a", "--users", "2"],
        ["--users", "-1"],
    ],
)
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(CommandError, match="argument"):
        call_command("seed_tasks", *arguments)
