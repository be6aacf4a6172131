"""A resource with columns of every kind: what a body sets comes back, and what the database refuses is a 422."""

import json
import re
import uuid
from decimal import Decimal
from types import ModuleType
from typing import Any, cast

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps
from django.urls import include, path
from django.utils import timezone
from rest_framework import serializers

from api.renderers import rendered
from api.rows import OwnedRows
from api.serializers import StrictCharField, StrictIntegerField
from api.urls import resource
from api.views import OwnedViewSet
from tests.notes.models import Note

THINGS = "/api/alice/odd-things"
SENT = {
    "title": "one",
    "rank": 5,
    "price": "12.50",
    "due": "2026-02-03",
    "due_time": "10:00:00",
    "remind_at": "0999-01-01T00:00:00.000000Z",
    "took": "P1DT00H00M01S",
    "ratio": 1e-07,
    "document": {"large": 1e22, "list": [None, "x"]},
    "labels": ["red"],
}


class Body(serializers.Serializer[Any]):
    title = StrictCharField(max_length=9)
    rank = StrictIntegerField(min_value=0, max_value=1000, default=0)
    price = serializers.DecimalField(max_digits=8, decimal_places=2, default=Decimal(0))
    due = serializers.DateField(allow_null=True, default=None)
    due_time = serializers.TimeField(allow_null=True, default=None)
    remind_at = serializers.DateTimeField(allow_null=True, default=None)
    took = serializers.DurationField(allow_null=True, default=None)
    ratio = serializers.FloatField(default=0)
    document = serializers.JSONField(default=dict)
    labels = serializers.ListField(child=StrictCharField(max_length=5), default=list)


class Patch(serializers.Serializer[Any]):
    title = StrictCharField(max_length=9, required=False)
    rank = StrictIntegerField(min_value=0, max_value=1000, required=False)


@pytest.fixture
def things(transactional_db, settings, monkeypatch):
    """Alice's rows of a table that is there for one test, and its routes."""
    with isolate_apps("tests.notes"):
        yield from the_things(settings, monkeypatch)


def the_things(settings, monkeypatch):
    monkeypatch.setattr("api.rows.registry", {})

    class Thing(models.Model):  # noqa: DJ008 - nobody sees it
        user_id = models.CharField(max_length=255)
        code = models.UUIDField(default=uuid.uuid4)
        title = models.CharField(max_length=9)
        rank = models.IntegerField()
        price = models.DecimalField(max_digits=8, decimal_places=2)
        due = models.DateField(null=True)
        due_time = models.TimeField(null=True)
        remind_at = models.DateTimeField(null=True)
        took = models.DurationField(null=True)
        ratio = models.FloatField(db_column="the ratio")
        document = models.JSONField()
        labels = models.JSONField(default=list)
        note = models.ForeignKey(Note, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
        created_at = models.DateTimeField(default=timezone.now)
        updated_at = models.DateTimeField(default=timezone.now)

        class Meta:
            app_label = "jottings"
            constraints = [
                models.UniqueConstraint(fields=["user_id", "title"], name="thing_title"),
                models.CheckConstraint(condition=models.Q(rank__lte=10), name="thing_rank"),
            ]

    own_things = OwnedRows(Thing, ["id", "user_id", "code", *SENT, "note", "updated_at"], order="price")

    class Shown(serializers.ModelSerializer[Thing]):
        class Meta:
            model, fields = Thing, own_things.fields

    class ThingViewSet(OwnedViewSet):
        noun, serializer_class, orderings = "Odd thing", Shown, ["-price"]
        bodies = {"create": Body, "update": Body, "partial_update": Patch}
        filters = {"rank": {"1": 1, "5": 5}, "title": {"one": "one", "two": "two"}}

        def get_queryset(self):
            return own_things.of(self.user_of_path_and_token())

    settings.ROOT_URLCONF = urls = cast("Any", ModuleType("urls"))
    urls.urlpatterns = [path("api/", include(resource("odd-things", ThingViewSet)))]
    with connection.schema_editor() as editor:
        editor.create_model(Thing)
    yield own_things.of("alice")
    with connection.schema_editor() as editor:
        editor.delete_model(Thing)


def test_what_is_sent_is_what_is_stored_shown_and_taken_back(things, alice):
    made = alice.post(THINGS, SENT, headers={"Idempotency-Key": "key"})

    assert made.status_code == 201
    assert made.json() | SENT == made.json()
    where = made["Location"]
    assert alice.get(where).json() == alice.get(THINGS).json()[0] == made.json()
    assert alice.put(where, made.json()).json() | {"updated_at": ""} == made.json() | {"updated_at": ""}
    again = alice.post(THINGS, SENT, headers={"Idempotency-Key": "key"})
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    other = alice.post(THINGS, {"title": "two"})
    assert other.json()["code"] != made.json()["code"]
    assert alice.patch(where, {"rank": 7, "title": "new"}).json()["rank"] == 7
    assert alice.patch(where, {}).json()["title"] == "new"


def test_a_relation_is_a_column_to_write_and_to_show(things):
    made = things.make(**Body().run_validation(SENT), note=7)

    assert made["note"] == 7
    assert things.revise(made["id"], note=None)["note"] is None
    assert things.revise(made["id"], note=8)["note"] == things.row(made["id"])["note"] == 8


def test_pages_lead_through_an_order_by_decimals_with_several_filters(things, alice):
    for number in range(5):
        alice.post(THINGS, SENT | {"title": str(number), "price": f"{number // 2}.10"})
    alice.post(THINGS, SENT | {"title": "other", "rank": 1})

    seen, query = [], "?rank=5&limit=2"
    while query:
        answer = alice.get(THINGS + query)
        seen += [row["title"] for row in answer.json()]
        assert alice.get(THINGS + query, headers={"If-None-Match": answer["ETag"]}).status_code == 304
        query = "".join(re.findall('<([^>]+)>; rel="next"', answer["Link"]))

    assert seen == ["4", "3", "2", "1", "0"]
    assert alice.get(f"{THINGS}?rank=5&title=one").json() == []


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "key"}])
def test_a_value_that_must_be_unique_and_is_not_is_a_422(things, alice, headers):
    alice.post(THINGS, {"title": "one"})
    second = alice.post(THINGS, {"title": "two"})["Location"]

    answers = [
        alice.post(THINGS, {"title": "one"}, headers=headers),
        alice.put(second, {"title": "one"}),
        alice.patch(second, {"title": "one"}),
    ]

    assert {answer.status_code for answer in answers} == {422}
    assert [answer.json()["errors"][0]["code"] for answer in answers] == ["unique"] * 3
    assert sorted(row["title"] for row in alice.get(THINGS).json()) == ["one", "two"]


def test_what_only_the_database_refuses_is_a_422_and_a_line_of_the_log(things, alice, caplog):
    bodies = [{"title": "x", "rank": 11}]
    if connection.vendor == "postgresql":  # SQLite stores it
        bodies.append({"title": "x", "document": "\0"})

    for body in bodies:
        answer = alice.post(THINGS, body)

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "refused")
        assert "thing" not in answer.json()["detail"]
    assert [record.message for record in caplog.records].count("Refused by the database") == len(bodies)
    assert alice.get(THINGS).json() == []


@pytest.mark.parametrize("value", [2**64, "\ud800", {"\udfff": -(2**63) - 1}])
def test_no_json_that_a_column_holds_is_too_much(value):
    row = {"data": value, "at": timezone.now(), "due": timezone.localdate()}

    assert json.loads(rendered(row))["data"] == value
    assert json.loads(rendered(row)) == json.loads(rendered(row | {"data": 0})) | {"data": value}
