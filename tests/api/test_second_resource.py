"""Notes, as docs/make-it-yours.md adds them: every promise of the tasks holds for them, without a line of its own."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from urllib.parse import urljoin

import pytest
from django.db import connection, connections
from rest_framework import serializers
from rest_framework.throttling import BaseThrottle

from api.idempotency import fingerprint_of
from api.models import IdempotencyKey
from tasks.models import Task
from tests.notes.models import Note, own_notes
from tests.notes.serializers import NoteBodySerializer
from tests.notes.views import NoteViewSet
from tests.server import ROOT
from tests.tokens import bearer

NOTES = "/api/alice/jottings"
GUIDE = (ROOT / "docs" / "make-it-yours.md").read_text()


@pytest.mark.parametrize("name", ["models", "serializers", "views", "urls"])
def test_the_guide_is_what_is_tested_here(name):
    [block] = re.findall(rf"```python\n# notes/{name}.py\n(.*?)```", GUIDE, re.DOTALL)

    assert block == (ROOT / "tests" / "notes" / f"{name}.py").read_text()


def test_all_of_it_is_at_most_45_lines():
    blocks = "".join(re.findall(r"```python\n# (?:notes/\w+|config/\w+)\.py\n(.*?)```", GUIDE, re.DOTALL))

    assert len([line for line in blocks.splitlines() if line.strip()]) <= 45


def test_a_note_is_made_read_changed_and_deleted(alice, db):
    made = alice.post(NOTES, {"text": " Zoë ", "pinned": True, "user_id": "bob"})

    assert made.status_code == 201
    assert list(made.json()) == own_notes.fields
    assert (made.json()["user_id"], made.json()["text"]) == ("alice", "Zoë")
    path = made["Location"]
    assert path == f"{NOTES}/{made.json()['id']}"
    assert alice.get(path).json() == made.json()
    changed = alice.put(path, {"text": "y"}).json()
    assert changed == made.json() | {"text": "y", "pinned": False, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > made.json()["updated_at"]
    assert alice.delete(path).status_code == 204
    assert (alice.get(path).status_code, alice.get(path).json()) == (404, {"detail": "Jotting not found"})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("text", "required")),
        ({"text": " "}, ("text", "blank")),
        ({"text": "x" * 501}, ("text", "max_length")),
        ({"text": "x", "pinned": 1}, ("pinned", "invalid")),
    ],
)
def test_a_wrong_body_is_a_422(alice, db, body, error):
    response = alice.post(NOTES, body)

    assert response.status_code == 422
    [row] = response.json()["errors"]
    assert (row["field"], row["code"]) == error


def test_a_resource_may_have_drfs_throttles(alice, monkeypatch):
    monkeypatch.setattr(BaseThrottle, "allow_request", lambda *args: False)
    monkeypatch.setattr(BaseThrottle, "wait", lambda *args: 7)
    monkeypatch.setattr(NoteViewSet, "throttle_classes", [BaseThrottle])

    response = alice.get(NOTES)

    assert (response.status_code, response["Retry-After"], list(response.json())) == (429, "7", ["detail"])


def test_pages_have_the_order_and_the_filters_of_the_resource(alice, db):
    ids = [alice.post(NOTES, {"text": "x", "pinned": bool(number % 2)}).json()["id"] for number in range(5)]

    pages, path = [], f"{NOTES}?limit=2"
    while path:
        response = alice.get(path)
        pages.append([note["id"] for note in response.json()])
        [path] = [urljoin(path, found) for found in re.findall('<([^>]+)>; rel="next"', response.get("Link", ""))] or [
            ""
        ]

    assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    assert [note["id"] for note in alice.get(f"{NOTES}?pinned=true").json()] == [ids[3], ids[1]]
    assert [note["id"] for note in alice.get(f"{NOTES}?ordering=created_at").json()] == ids
    assert alice.get(f"{NOTES}?pinned=yes").json() == {"detail": "pinned must be true or false"}
    assert alice.get(f"{NOTES}?ordering=text").json() == {"detail": "ordering must be -created_at or created_at"}
    cursor = re.findall("<[?](.*?)>", alice.get("/api/alice/jottings?limit=1")["Link"])[0]
    assert alice.get(f"/api/alice/tasks?{cursor}").status_code == 400


def test_etags_of_a_second_resource_are_versions(alice, db):
    made = alice.post(NOTES, {"text": "x"})
    path, tag = made["Location"], made["ETag"]

    assert tag == f'"{made.json()["updated_at"]}"'
    assert alice.get(path, headers={"If-None-Match": tag}).status_code == 304
    listed = alice.get(NOTES)["ETag"]
    assert alice.get(NOTES, headers={"If-None-Match": listed}).status_code == 304
    assert alice.put(path, {"text": "y"}, headers={"If-Match": f"W/{tag}"}).status_code == 200
    stale = alice.delete(path, headers={"If-Match": tag})
    assert (stale.status_code, "The jotting has changed since" in stale.json()["detail"]) == (412, True)
    assert alice.get(NOTES, headers={"If-None-Match": listed}).status_code == 200


def test_a_key_is_of_one_user_and_one_resource(alice, db):
    headers = {"Idempotency-Key": "key"}
    first, again = (alice.post(NOTES, {"text": "x"}, headers=headers) for _ in range(2))
    task = alice.post("/api/alice/tasks", {"title": "x"}, headers=headers)

    assert (first.status_code, again["Idempotency-Replayed"], again.json()) == (201, "true", first.json())
    assert (task.status_code, "Idempotency-Replayed" in task) == (201, False)
    assert (Note.objects.count(), Task.objects.count(), IdempotencyKey.objects.count()) == (1, 1, 2)
    alice.delete(first["Location"])
    gone = alice.post(NOTES, {"text": "x"}, headers=headers)
    assert (gone.status_code, "The jotting that this" in gone.json()["detail"]) == (410, True)


def test_all_of_a_user_goes_with_the_user(alice, bob, db):
    for path in (NOTES, "/api/alice/tasks"):
        alice.post(path, {"text": "x", "title": "x"}, headers={"Idempotency-Key": "key"})
    bob.post("/api/bob/jottings", {"text": "bob's"})

    assert alice.delete("/api/alice").status_code == 204

    assert list(Note.objects.values_list("user_id", flat=True)) == ["bob"]
    assert not Task.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="in memory, SQLite has one connection for all threads")
def test_of_many_at_once_with_one_tag_exactly_one_writes(transactional_db):
    row = own_notes.of("alice").make(text="x")
    barrier = threading.Barrier(6)

    def revise(number):
        barrier.wait()
        try:
            return own_notes.of("alice").revise(row["id"], as_of=[row["updated_at"]], text=str(number))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        written = [result for result in pool.map(revise, range(6)) if result]

    assert len(written) == 1
    assert Note.objects.get().text == written[0]["text"]


class LaterSerializer(NoteBodySerializer):
    """What NoteBodySerializer may be tomorrow: fields that are optional, nested, and no strings."""

    due = serializers.DateField(default=None, allow_null=True)
    labels = serializers.ListField(child=serializers.CharField(max_length=5), default=list)


class RenamedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(read_only=True)
    word = serializers.CharField(source="text")


def fingerprint(serializer, body):
    return fingerprint_of(body, serializer, serializer.run_validation(body))


def test_a_key_sent_before_a_field_was_added_stays_good():
    body = {"text": "x"}

    assert fingerprint(NoteBodySerializer(), body) == fingerprint(LaterSerializer(), body)
    assert fingerprint(LaterSerializer(), body | {"due": None}) == fingerprint(LaterSerializer(), body)


def test_a_key_tells_bodies_apart_whose_values_are_no_strings():
    one = {"text": "x", "due": "2026-11-28"}

    assert LaterSerializer().run_validation(one)["due"] == date(2026, 11, 28)
    assert fingerprint(LaterSerializer(), one) != fingerprint(LaterSerializer(), one | {"due": "2026-11-29"})
    assert fingerprint(LaterSerializer(), one) != fingerprint(LaterSerializer(), one | {"labels": ["a"]})
    assert fingerprint(RenamedSerializer(), {"word": "x", "id": 1}) != fingerprint(RenamedSerializer(), {"word": "y"})


def test_an_error_in_a_nested_value_says_where(alice, db, monkeypatch):
    monkeypatch.setattr("tests.urls.JottingViewSet.serializers", {"create": LaterSerializer()})

    response = alice.post(NOTES, {"text": "x", "labels": ["short", "too long", 5.5]})

    assert response.status_code == 422
    assert [row["field"] for row in response.json()["errors"]] == ["labels.1"]
    assert response.json()["detail"].startswith("labels.1: Ensure this field")


def test_a_list_of_bodies_says_where(rf):
    from api.errors import error_rows

    with pytest.raises(serializers.ValidationError) as error:
        NoteBodySerializer(many=True).run_validation([{"text": "x"}, {"text": ""}, 5])

    rows = [(row["field"], row["code"]) for row in error_rows(error.value.get_full_details())]
    assert rows == [("1.text", "blank"), ("2.body", "invalid")]


def test_nobody_reads_anothers_note(bob, alice, db):
    path = alice.post(NOTES, {"text": "x"})["Location"]

    assert bob.get(path).status_code == 403
    assert bob.get(path.replace("alice", "bob"), headers=bearer("bob")).json() == {"detail": "Jotting not found"}
