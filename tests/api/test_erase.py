"""A user's own word that all of theirs is to go: what a frontend calls when an account is deleted."""

import json
from urllib.parse import quote

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError

from api.erasure import keys
from api.models import IdempotencyKey
from tasks.models import Task
from tests.tokens import bearer


@pytest.fixture
def entry(db, admin_user):
    def entry(task, user_id):
        message = json.dumps([{"changed": {"fields": [f"title from {task.title}"]}, "user_id": user_id}])
        return LogEntry.objects.create(
            user=admin_user,
            content_type=ContentType.objects.get_for_model(Task),
            object_id=task.id,
            object_repr=task.title,
            action_flag=CHANGE,
            change_message=message,
        )

    return entry


def test_everything_of_the_user_goes_and_nothing_of_anybody_else(alice, bob, make_task, entry, monkeypatch):
    monkeypatch.setattr("api.erasure.BATCH", 2)
    tasks = [make_task("alice") for _ in range(5)]
    alice.post("/api/alice/tasks", {"title": "x"}, headers={"Idempotency-Key": "key"})
    bob.post("/api/bob/tasks", {"title": "bob's"}, headers={"Idempotency-Key": "key"})
    entry(tasks[0], "somebody else's name for her")
    entry(Task(id=987, title="long gone"), "alice")
    kept = entry(Task.objects.get(user_id="bob"), "bob")

    response = alice.delete("/api/alice")

    assert (response.status_code, response.content) == (204, b"")
    assert list(Task.objects.values_list("user_id", flat=True)) == ["bob"]
    assert list(IdempotencyKey.objects.values_list("user_id", flat=True)) == ["bob"]
    texts = LogEntry.objects.exclude(id=kept.id).values_list("object_repr", "change_message")
    assert list(texts) == [("(erased)", "")] * 2
    kept.refresh_from_db()
    assert "bob's" in kept.change_message
    assert alice.delete("/api/alice").status_code == 204


@pytest.mark.parametrize(("user_id", "to_others"), [("a/b", 404), ("a/tasks/1/2", 404), ("é %", 403)])
def test_a_user_id_of_any_characters_can_be_erased(anonymous, make_task, user_id, to_others):
    make_task(user_id)
    path = f"/api/{quote(user_id, safe='')}"

    assert anonymous.delete(path, headers=bearer(user_id)).status_code == 204
    assert not Task.objects.exists()
    assert anonymous.delete(path, headers=bearer("bob")).status_code == to_others
    assert anonymous.delete(path).status_code == (404 if to_others == 404 else 401)
    assert anonymous.delete(path, headers=bearer(user_id, exp=1)).json() == {"detail": "Token expired"}


@pytest.mark.parametrize(("failing", "status", "left"), [("history", 503, 3), ("keys", 504, 0)])
def test_half_an_erasure_does_not_say_that_nothing_was_written(
    alice, make_task, monkeypatch, caplog, failing, status, left
):
    def fail(*args):
        raise OperationalError("gone")

    for _ in range(3):
        make_task("alice")
    with monkeypatch.context() as broken:
        broken.setattr(f"api.erasure.{failing}", fail)
        response = alice.delete("/api/alice")

    assert (response.status_code, list(response.json())) == (status, ["detail"])
    assert caplog.messages[:1] == ["Outcome unknown" if status == 504 else "Database error"]
    assert Task.objects.count() == left
    assert alice.delete("/api/alice").status_code == 204
    assert not Task.objects.exists()


def test_a_task_that_is_made_meanwhile_keeps_its_key(alice, make_task, monkeypatch):
    def post():
        return alice.post("/api/alice/tasks", {"title": "x"}, headers={"Idempotency-Key": "key"})

    def keys_after_a_post(user_id):
        post()
        return keys(user_id)

    make_task("alice")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("api.erasure.keys", keys_after_a_post)
        assert alice.delete("/api/alice").status_code == 204

    assert post()["Idempotency-Replayed"] == "true"
    assert Task.objects.count() == 1
    assert alice.delete("/api/alice").status_code == 204
    assert not Task.objects.exists()
    assert not IdempotencyKey.objects.exists()
