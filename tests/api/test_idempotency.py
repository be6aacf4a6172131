"""A POST that is sent again makes no second task."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone

from api.models import IdempotencyKey
from api.rows import UserRows
from api.statements import Statement
from tasks.models import Task

TASKS = "/api/alice/tasks"
BODY = {"title": "Buy milk", "description": "Two litres"}


def post(client, key, body=BODY, path=TASKS):
    return client.post(path, body, headers={"Idempotency-Key": key})


def test_a_replay_is_the_same_task(alice, db):
    first, second = post(alice, "key"), post(alice, "key")

    assert (first.status_code, second.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert second.content == first.content
    assert (second["Location"], second["ETag"]) == (first["Location"], first["ETag"])
    assert Task.objects.count() == 1


def test_the_task_is_replayed_as_it_is_now(alice, db):
    first = post(alice, "key")
    alice.put(first["Location"], {"title": "Buy bread"})
    completed = alice.patch(first["Location"], {"completed": True})

    replay = post(alice, "key")

    assert (replay.status_code, replay["Idempotency-Replayed"]) == (201, "true")
    assert replay.content == completed.content


def test_after_a_deletion_there_is_no_second_task(alice, db):
    alice.delete(post(alice, "key")["Location"])

    replay = post(alice, "key")

    assert replay.status_code == 410
    assert replay.json() == {
        "detail": "The task that this Idempotency-Key made has been deleted: use a new key to make another"
    }
    assert not Task.objects.exists()


@pytest.mark.parametrize("body", [{"title": "Buy bread"}, {"title": "Buy milk"}, BODY | {"description": ""}])
def test_the_same_key_with_another_body_is_a_422(alice, db, body):
    post(alice, "key")

    response = post(alice, "key", body)

    message = "This key was sent with another body before: use a new key for a new task."
    assert response.status_code == 422
    assert response.json() == {
        "detail": f"Idempotency-Key: {message}",
        "errors": [{"field": "Idempotency-Key", "code": "idempotency_key_reused", "message": message}],
    }
    assert Task.objects.count() == 1


def test_what_is_ignored_makes_no_other_body(alice, db):
    post(alice, "key")

    assert post(alice, "key", BODY | {"title": " Buy milk ", "completed": True, "id": 5}).status_code == 201
    assert Task.objects.count() == 1


def test_two_users_may_use_the_same_key(alice, bob, db):
    post(alice, "key")

    response = post(bob, "key", {"title": "bob's"}, "/api/bob/tasks")

    assert response.status_code == 201
    assert "Idempotency-Replayed" not in response
    assert response.json()["user_id"] == "bob"


def test_keys_are_told_apart_by_case(alice, db):
    post(alice, "key")
    post(alice, "KEY")

    assert Task.objects.count() == 2


def test_without_a_key_each_is_a_task(alice, db):
    alice.post(TASKS, BODY)
    alice.post(TASKS, BODY)

    assert Task.objects.count() == 2
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("key", ["!", "~" * 255, "8e03978e-40d5-43dd-bc93-6894a57f9324", '"quoted"'])
def test_visible_ascii_is_a_key(alice, db, key):
    assert [post(alice, key).status_code for _ in range(2)] == [201, 201]
    assert Task.objects.count() == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "a\tb", "\x7f", "a\x00"])
def test_anything_else_is_a_400(alice, db, key):
    response = post(alice, key)

    assert response.status_code == 400
    assert response.json() == {"detail": "Idempotency-Key must be 1 to 255 visible ASCII characters"}
    assert not Task.objects.exists()


def test_a_refused_body_does_not_use_the_key_up(alice, db):
    assert post(alice, "key", {"title": ""}).status_code == 422
    assert post(alice, "key").status_code == 201


def test_task_and_key_are_written_together_or_not_at_all(alice, db, monkeypatch):
    def fail():
        raise RuntimeError

    monkeypatch.setattr("api.idempotency.note", fail)

    assert post(alice, "key").status_code == 500
    assert not Task.objects.exists()


def test_a_violation_of_another_constraint_is_not_taken_for_a_replay(alice, db, monkeypatch):
    def fail(*args, **kwargs):
        raise IntegrityError("another one")

    monkeypatch.setattr(UserRows, "make", fail)

    assert post(alice, "key").status_code == 500


def test_a_key_that_is_erased_in_the_same_instant_is_new(alice, db, monkeypatch):
    """The other request's key was there to violate its constraint, and is gone when this one looks for it."""
    rows, violations = Statement.rows, iter([IntegrityError("duplicate key")])

    def fail_once(self, values):
        for error in violations if "fingerprint" in values else ():
            raise error
        return rows(self, values)

    monkeypatch.setattr(Statement, "rows", fail_once)

    assert post(alice, "key").status_code == 201
    assert Task.objects.count() == IdempotencyKey.objects.count() == 1


def test_the_second_in_the_same_instant_finds_the_first(alice, db, monkeypatch):
    """The other request's rows appear after this one has looked for them."""
    row = Statement.row

    def look_too_early(self, values):
        monkeypatch.setattr(Statement, "row", row)
        post(alice, "key")

    monkeypatch.setattr(Statement, "row", look_too_early)

    response = post(alice, "key")

    assert (response.status_code, response["Idempotency-Replayed"]) == (201, "true")
    assert Task.objects.count() == 1


def test_a_key_costs_one_look_and_one_more_row(alice, db, django_assert_num_queries):
    with django_assert_num_queries(5):  # a savepoint and its release, here within the test's own transaction
        post(alice, "key")
    with django_assert_num_queries(2):
        post(alice, "key")


class TestPurge:
    @pytest.fixture
    def keys(self, db):
        now = timezone.now()
        for hours in (0, 23, 25, 26, 100):
            IdempotencyKey.objects.create(
                user_id="alice",
                key=str(hours),
                resource="tasks.task",
                fingerprint="",
                row_id=1,
                created_at=now - timedelta(hours=hours),
            )

    @pytest.mark.parametrize("batch", [1, 2, 1000])
    def test_keys_of_the_last_24_hours_stay(self, keys, capsys, monkeypatch, batch):
        monkeypatch.setattr("api.erasure.BATCH", batch)

        call_command("purge_idempotency_keys")

        assert set(IdempotencyKey.objects.values_list("key", flat=True)) == {"0", "23"}
        assert capsys.readouterr().out == "Erased 3 idempotency keys.\n"

    def test_long_work_says_how_far_it_is(self, keys, capsys, monkeypatch):
        monkeypatch.setattr("api.erasure.BATCH", 1)
        monkeypatch.setattr("api.management.command.PROGRESS", 2)

        call_command("purge_idempotency_keys")

        assert capsys.readouterr().err == "Erased 2 idempotency keys so far\n"

    def test_a_purge_of_no_keys_says_so(self, db, capsys):
        call_command("purge_idempotency_keys")

        assert capsys.readouterr().out == "Erased 0 idempotency keys.\n"
