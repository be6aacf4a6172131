import json
import re
import signal
import subprocess
import sys
import threading
import time

import psycopg
import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models import QuerySet

from api.erasure import erase
from api.models import IdempotencyKey
from tasks.models import Task, own_tasks
from tests.notes.models import Note, own_notes
from tests.server import ROOT, manage, new_database, production, running


@pytest.fixture(autouse=True)
def _two_resources(monkeypatch):
    """The texts below are about these, however many the project has."""
    two = {Task: own_tasks, Note: own_notes}
    monkeypatch.setattr("api.erasure.registry", two)


@pytest.fixture
def tasks(db):
    """Five of alice's, one of each who might be taken for her."""
    Task.objects.bulk_create(Task(user_id="alice", title=f"secret {number}") for number in range(5))
    Task.objects.bulk_create(Task(user_id=name, title="kept") for name in ("bob", "Alice", "alice2", "a%", "alic_"))
    for user_id in ("alice", "bob"):
        for key in ("1", "2"):
            IdempotencyKey.objects.create(user_id=user_id, key=key, resource="tasks.task", fingerprint="", row_id=1)
    return list(Task.objects.owned_by("alice").in_creation_order())


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr("api.erasure.BATCH", 2)
    monkeypatch.setattr("api.management.command.PROGRESS", 1)


def entry(staff_id, task_id, title, message, flag=CHANGE):
    return LogEntry.objects.create(
        user_id=staff_id,
        content_type=ContentType.objects.get_for_model(Task),
        object_id=task_id,
        object_repr=title,
        action_flag=flag,
        change_message=message,
    )


def kept():
    return set(Task.objects.values_list("user_id", flat=True)), set(IdempotencyKey.objects.values_list("user_id"))


@pytest.mark.usefixtures("small_batches")
def test_all_of_the_user_goes_and_nothing_of_anybody_else(tasks, capsys):
    call_command("erase_user", "alice", "--yes")

    assert kept() == ({"bob", "Alice", "alice2", "a%", "alic_"}, {("bob",)})
    shown = capsys.readouterr()
    assert shown.out == "Erased 5 tasks, 0 jottings, 2 idempotency keys and 0 history entries of alice.\n"
    assert "Erased 2 tasks, 0 jottings, 0 idempotency keys and 0 history entries so far\n" in shown.err


def test_a_second_time_there_is_nothing_and_that_is_no_error(tasks, capsys):
    call_command("erase_user", "alice", "--yes")
    capsys.readouterr()

    call_command("erase_user", "alice", "--yes")

    shown = capsys.readouterr()
    assert shown.out == "Erased 0 tasks, 0 jottings, 0 idempotency keys and 0 history entries of alice.\n"
    assert "Is the id right" in shown.err


def test_a_dry_run_counts_and_changes_nothing(tasks, admin_user, capsys):
    entry(admin_user.id, tasks[0].id, "secret 0", "")
    before = list(Task.objects.values()), list(LogEntry.objects.values())

    call_command("erase_user", "alice", "--dry-run")

    assert capsys.readouterr().out == "alice has 5 tasks, 0 jottings, 2 idempotency keys and 1 history entry.\n"
    assert (list(Task.objects.values()), list(LogEntry.objects.values())) == before


def test_what_the_admin_wrote_of_a_task_loses_its_texts(tasks, admin_client):
    path = f"/admin/tasks/task/{tasks[0].id}/change/"
    seen = tasks[0].updated_at.isoformat()
    admin_client.post(path, {"title": "still secret", "description": "", "seen": seen})
    written = LogEntry.objects.get()
    assert written.object_repr == "still secret"

    call_command("erase_user", "alice", "--yes")

    after = LogEntry.objects.get()
    assert (after.object_repr, after.change_message) == ("(erased)", "")
    for name in ("user_id", "action_time", "action_flag", "object_id"):
        assert getattr(after, name) == getattr(written, name)


@pytest.mark.usefixtures("small_batches")
def test_what_the_admin_wrote_of_tasks_that_are_gone_loses_its_texts(tasks, admin_user, capsys):
    def of(user_id):
        return json.dumps([{"deleted": {}, "user_id": user_id}])

    quoted = 'ü" \\%'
    for number, user_id in enumerate(["alice", "alice2", "Alice", "a%", quoted, "alice"]):
        entry(admin_user.id, 10**6 + number, f"of {user_id}", of(user_id), DELETION)
    other_texts = [
        '[{"changed": {"fields": ["title from “\\"user_id\\": \\"alice\\"” to “x”"]}, "user_id": "bob"}]',
        "",
        "no JSON: alice",
        '"alice"',
        '["alice"]',
        "[{}]",
    ]
    for text in other_texts:
        entry(admin_user.id, None, "kept", text)

    call_command("erase_user", "alice", "--yes")
    call_command("erase_user", quoted, "--yes")

    assert "5 tasks, 0 jottings, 2 idempotency keys and 2 history entries of alice" in capsys.readouterr().out
    texts = list(LogEntry.objects.order_by("id").values_list("object_repr", "change_message"))
    assert texts[:6] == [
        ("(erased)", ""),
        *[(f"of {name}", of(name)) for name in ("alice2", "Alice", "a%")],
        ("(erased)", ""),
        ("(erased)", ""),
    ]
    assert texts[6:] == [("kept", text) for text in other_texts]


def test_the_history_of_other_tables_and_of_other_users_stays(tasks, admin_user):
    bobs = Task.objects.get(user_id="bob")
    entry(admin_user.id, bobs.id, "kept", "")
    of_staff = entry(admin_user.id, tasks[0].id, "kept", "")
    LogEntry.objects.filter(id=of_staff.id).update(content_type=ContentType.objects.get_for_model(LogEntry))

    call_command("erase_user", "alice", "--yes")

    assert set(LogEntry.objects.values_list("object_repr", flat=True)) == {"kept"}


def test_a_task_by_the_name_that_erased_ones_have_is_erased_as_well(tasks, admin_user, capsys):
    entry(admin_user.id, tasks[0].id, "(erased)", json.dumps([{"changed": {}, "user_id": "alice"}]))

    call_command("erase_user", "alice", "--yes")

    assert LogEntry.objects.get().change_message == ""


class TestAsking:
    @pytest.fixture
    def terminal(self, monkeypatch):
        def terminal(answer):
            def answered(prompt):
                if answer is None:
                    raise EOFError
                return answer

            monkeypatch.setattr("sys.stdin.isatty", lambda: True)
            monkeypatch.setattr("builtins.input", answered)

        return terminal

    def test_the_id_once_more_confirms_it(self, tasks, terminal, capsys):
        terminal("alice")

        call_command("erase_user", "alice")

        assert not Task.objects.owned_by("alice").exists()
        assert capsys.readouterr().out.startswith("alice has 5 tasks, 0 jottings, 2 idempotency keys")

    @pytest.mark.parametrize("answer", ["", "yes", "Alice", None])
    def test_anything_else_does_not(self, tasks, terminal, answer):
        terminal(answer)

        with pytest.raises(CommandError, match="nothing is erased") as error:
            call_command("erase_user", "alice")

        assert error.value.returncode == 1
        assert Task.objects.owned_by("alice").count() == 5

    def test_a_script_must_mean_it(self, tasks, monkeypatch):
        monkeypatch.setattr("sys.stdin.isatty", lambda: False)

        with pytest.raises(CommandError, match="add --yes") as error:
            call_command("erase_user", "alice")

        assert error.value.returncode == 2
        assert Task.objects.owned_by("alice").count() == 5

    @pytest.mark.parametrize("user", ["", "x" * 256, "a\0"])
    def test_an_id_that_nobody_has(self, user):
        with pytest.raises(CommandError, match="argument USER"):
            call_command("erase_user", user, "--yes")


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize(("failure", "code"), [(KeyboardInterrupt(), 130), (OperationalError("gone\nDETAIL: x"), 1)])
def test_stopped_half_way_it_goes_on_at_the_next_run(tasks, admin_user, monkeypatch, capsys, failure, code):
    for task in tasks:
        entry(admin_user.id, task.id, task.title, "")
    delete, calls = QuerySet.delete, []

    def failing(self):
        calls.append(self)
        if len(calls) == 2:
            raise failure
        return delete(self)

    monkeypatch.setattr(QuerySet, "delete", failing)

    with pytest.raises(CommandError) as error:
        call_command("erase_user", "alice", "--yes")

    assert error.value.returncode == code
    assert "Erased 2 tasks, 0 jottings, 0 idempotency keys and 5 history entries so far: run it again" in str(
        error.value
    )
    assert "DETAIL" not in str(error.value)
    assert Task.objects.owned_by("alice").count() == 3
    assert IdempotencyKey.objects.filter(user_id="alice").count() == 2  # a retried POST makes no new task
    assert set(LogEntry.objects.values_list("object_repr", flat=True)) == {"(erased)"}

    call_command("erase_user", "alice", "--yes")

    assert "Erased 3 tasks, 0 jottings, 2 idempotency keys and 0 history entries of alice" in capsys.readouterr().out
    assert kept() == ({"bob", "Alice", "alice2", "a%", "alic_"}, {("bob",)})


def test_on_a_busy_table_nobody_notices(tmp_path):
    """Others write, and the user too: each request is served, and the next run erases what came meanwhile."""
    with running(tmp_path) as server:
        seeded = manage(
            server.environment | {"ENVIRONMENT": "development"}, "seed_tasks", "--user", "alice", "--tasks", "3000"
        )
        assert seeded.returncode == 0, seeded.stderr
        over, statuses = threading.Event(), []

        def write(user):
            number = 0
            while not over.is_set():
                number += 1
                made = server.request(
                    "POST", f"/api/{user}/tasks", {"title": "x"}, user=user, Idempotency_Key=f"{number}"
                )
                path = f"/api/{user}/tasks/{made.json()['id']}"
                statuses.append(made.status)
                statuses.append(server.request("PATCH", path, {"completed": True}, user=user).status)
                time.sleep(0.01)

        writers = [threading.Thread(target=write, args=[user]) for user in ("alice", "bob")]
        for writer in writers:
            writer.start()
        erased = manage(server.environment, "erase_user", "alice", "--yes")
        over.set()
        for writer in writers:
            writer.join()
        again = manage(server.environment, "erase_user", "alice", "--yes")

        assert (erased.returncode, again.returncode) == (0, 0), erased.stderr
        assert len(statuses) > 10
        assert set(statuses) <= {200, 201, 404, 410}  # a task may be gone before it is completed
        assert server.request("GET", "/api/alice/tasks", user="alice").json() == []
        assert server.request("GET", "/api/bob/tasks", user="bob").json() != []


def test_an_interrupt_is_answered_while_it_waits_for_a_lock(tmp_path):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no rows to lock: a writer waits before its first batch")
    with new_database(tmp_path, migrated=True) as url, psycopg.connect(url) as other:
        environment = production(url)
        development = environment | {"ENVIRONMENT": "development"}
        assert manage(development, "seed_tasks", "--user", "alice", "--tasks", "2500").returncode == 0
        in_the_second_batch = other.execute("SELECT id FROM tasks_task ORDER BY created_at OFFSET 1500").fetchone()
        other.execute("SELECT 1 FROM tasks_task WHERE id = %s FOR UPDATE", in_the_second_batch)

        command = [sys.executable, "manage.py", "erase_user", "alice", "--yes"]
        # A shell starts what it runs in the background with interrupts ignored, and so would this be.
        kept = signal.signal(signal.SIGINT, signal.default_int_handler)
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            signal.signal(signal.SIGINT, kept)
            wait_for_the_lock(other)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        other.rollback()

        assert (process.returncode, out) == (130, ""), err
        assert re.fullmatch(
            "CommandError: Interrupted[.] Erased 1000 tasks, .* so far: run it again for the rest.\n", err
        )
        again = manage(environment, "erase_user", "alice", "--yes")
        assert re.fullmatch("Erased 1500 tasks, .* and 0 history entries of alice.\n", again.stdout)


WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def wait_for_the_lock(other):
    for _ in range(200):
        [waiting] = other.execute(WAITING).fetchone()
        if waiting:
            return
        time.sleep(0.05)
    pytest.fail("It does not wait for the lock")


def test_rows_that_may_refer_to_others_go_before_them(make_task):
    """A foreign key's model is registered after the one that it names."""
    make_task()
    own_notes.of("alice").make(text="x")

    erased = [many for batch in erase("alice") for (_, many), number in batch.items() if number]

    assert erased == ["jottings", "tasks"]
