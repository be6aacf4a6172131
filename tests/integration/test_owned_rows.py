"""One user's rows: nothing that is passed to them can reach another's, be lost, or be frozen at the first use."""

import uuid
from datetime import timedelta
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from django.db import connection, models
from django.db.models.functions import Lower
from django.test.utils import isolate_apps
from django.urls import include, path
from rest_framework import serializers

from api.checks import check_owned_rows, check_view_sets, mistakes, problems
from api.rows import OwnedRows, registry
from api.serializers import StrictBooleanField, StrictCharField, StrictIntegerField
from api.urls import resource
from api.views import OwnedViewSet
from tasks.models import Task, own_tasks
from tasks.serializers import TaskSerializer
from tests.notes.models import Note, own_notes
from tests.notes.serializers import NoteSerializer


@pytest.fixture
def alices(make_task):
    make_task("alice", "open")
    make_task("alice", "done", completed=True)
    make_task("bob", "bob's")
    return own_tasks.of("alice")


def titles(rows):
    return [row["title"] for row in rows]


def test_a_page_has_what_it_is_asked_for(alices):
    assert titles(alices.page(where={"completed": True})) == ["done"]
    assert titles(alices.page(where={"completed": True, "title": "open"})) == []
    assert titles(alices.page(descending=True, limit=1)) == ["done"]
    assert titles(alices.page(order="title")) == ["done", "open"]


def test_nothing_can_be_chained_to_them():
    """What a queryset's `filter` said before would be lost: the statements are compiled."""
    for rows in own_tasks, own_tasks.of("alice"):
        assert not {"filter", "exclude", "all", "with_status", "order_by", "delete"} & set(dir(rows))


def test_what_a_queryset_filters_is_what_it_finds(alices):
    task = Task.objects.get(title="open")

    assert Task.objects.owned_by("alice").with_status(completed=True).get().title == "done"
    assert Task.objects.owned_by("alice").filter(title="open").get() == task
    assert not Task.objects.filter(user_id="bob").owned_by("alice").exists()
    assert Task.objects.filter(completed=True).owned_by("alice").filter(id=task.id).delete()[0] == 0


def test_a_row_of_another_user_can_be_neither_read_nor_changed(make_task):
    task, bobs = make_task(), own_tasks.of("bob")

    assert (bobs.page(), list(bobs.pages())) == ([], [])
    assert bobs.row(task.id) is None
    assert bobs.revise(task.id, title="x") is None
    assert bobs.revise(task.id, title="x", user_id="alice") is None
    assert bobs.remove(task.id) is None
    assert bobs.make(title="x", user_id="alice")["user_id"] == "bob"
    assert Task.objects.get(user_id="alice").title == "Buy milk"


def test_defaults_are_asked_for_at_each_write(db, monkeypatch):
    numbers = iter(range(10))
    monkeypatch.setattr(Note._meta.get_field("text"), "_get_default", lambda: f"text {next(numbers)}")

    made = [own_notes.of("alice").make()["text"] for _ in range(3)]

    assert made == ["text 0", "text 1", "text 2"]


def test_what_the_database_makes_by_default_is_left_to_it(db, monkeypatch):
    monkeypatch.setattr(Note._meta.get_field("text"), "db_default", models.Value("x"))

    assert "text" not in [field.name for field in own_notes.written()]


def test_created_and_updated_are_one_moment(db):
    made = own_tasks.of("alice").make(title="x")

    assert made["created_at"] == made["updated_at"]


def test_many_versions_are_few_statements(alices, monkeypatch):
    monkeypatch.setattr(own_tasks, "compiled", {})
    row = alices.make(title="x")
    other = row["updated_at"] - timedelta(days=1)

    for count in range(60):
        assert alices.revise(row["id"], as_of=[other] * count, title="y") is None
    assert alices.revise(row["id"], as_of=[other] * 60 + [row["updated_at"]], title="y")
    assert len(own_tasks.compiled) <= 1 + 7


def test_no_number_that_a_caller_chooses_is_a_statement_of_its_own(alices, monkeypatch):
    monkeypatch.setattr(own_tasks, "compiled", {})

    for limit in range(1, 500, 7):
        alices.page(limit=limit)

    assert len(own_tasks.compiled) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such classes of functions")
def test_a_write_calls_immutable_functions_only(alices):
    """Citus refuses an UPDATE of a distributed table otherwise."""
    row = alices.make(title="x")
    alices.revise(row["id"], as_of=[row["updated_at"]], title="y")
    for statement in own_tasks.compiled.values():
        if statement.sql.startswith(("INSERT", "UPDATE", "DELETE")):
            assert "now()" not in statement.sql.lower()
            assert "+ '" not in statement.sql
            assert statement.sql.startswith("INSERT") or '"user_id" = ' in statement.sql
    [update] = [each.sql for each in own_tasks.compiled.values() if each.sql.startswith("UPDATE")][:1]
    assert "AT TIME ZONE 'UTC' + INTERVAL '1 microsecond') AT TIME ZONE 'UTC'" in update


def ids_of(owned):
    return [problem.id for problem in problems(owned)]


@isolate_apps("tests.notes")
def test_what_rows_cannot_be_guarded_with_is_an_error_of_a_check(monkeypatch):
    monkeypatch.setattr("api.rows.registry", {})

    class Bare(models.Model):  # noqa: DJ008 - nobody sees it
        created_at = models.DateTimeField(auto_now_add=True)

        class Meta:
            app_label = "jottings"

    class Odd(models.Model):  # noqa: DJ008 - likewise
        id = models.UUIDField(primary_key=True, default=uuid.uuid4)
        user_id = models.CharField(max_length=255)
        updated_at = models.DateTimeField(auto_now=True)
        rank = models.IntegerField(null=True)
        file = models.FileField()

        class Meta:
            app_label = "jottings"

    class Attached(models.Model):  # noqa: DJ008 - likewise
        odd = models.ForeignKey(Odd, on_delete=models.CASCADE)
        hidden = models.ForeignKey(Odd, on_delete=models.SET_NULL, null=True, related_name="+")
        kept = models.ForeignKey(Odd, on_delete=models.DO_NOTHING, related_name="kept")

        class Meta:
            app_label = "jottings"

    class Proxy(Note):
        class Meta:
            app_label = "jottings"
            proxy = True

    assert ids_of(OwnedRows(Proxy, ["id"])) == ["api.E004"]
    assert ids_of(OwnedRows(Bare, ["id", "text"])) == ["api.E002", "api.E003", "api.E005", "api.E007"]
    found = ["api.E004", "api.E006", "api.E007", "api.E007", "api.E008", "api.E008"]
    assert ids_of(OwnedRows(Odd, ["id"], order="rank")) == found
    assert {problem.hint for problem in problems(OwnedRows(Odd, ["id"]))}


def test_a_table_of_users_rows_that_nobody_registered_is_an_error(monkeypatch):
    assert check_owned_rows() == []
    monkeypatch.delitem(registry, Note)

    [error] = check_owned_rows()

    assert (error.id, error.obj) == ("api.E001", Note)
    assert error.hint


def test_two_resources_of_one_name_are_an_error(monkeypatch):
    """`export_user` would write two members of one name, of which a JSON parser keeps one."""
    monkeypatch.setattr(Note._meta, "verbose_name_plural", "tasks")

    assert [error.id for error in check_owned_rows()] == ["api.E014", "api.E014"]


def test_a_proxy_of_a_resource_is_not_another_one(monkeypatch):
    with isolate_apps("tests.notes"):

        class Pinned(Note):
            class Meta:
                proxy = True
                app_label = "jottings"

    monkeypatch.setattr("api.checks.apps", SimpleNamespace(get_models=lambda: [Pinned]))

    assert check_owned_rows() == []


def test_a_relation_is_nothing_for_a_caller_to_set_to_filter_or_to_order_by(monkeypatch):
    """The other row may be another user's."""
    rows: dict[type[models.Model], OwnedRows] = {}
    monkeypatch.setattr("api.rows.registry", rows)
    monkeypatch.setattr("api.checks.registry", rows)
    with isolate_apps("tests.notes"):

        class Linked(models.Model):  # noqa: DJ008 - nobody sees it
            note = models.ForeignKey(Note, on_delete=models.DO_NOTHING, related_name="+")

            class Meta:
                app_label = "jottings"

    OwnedRows(Linked, ["id", "note"])
    shown = type("Shown", (), {"Meta": type("Meta", (), {"model": Linked})})
    body = {"note": serializers.PrimaryKeyRelatedField(queryset=Note.objects.all())}

    wrong = view_set(serializer_class=shown, body=body, filters={"note": {"1": 1}}, orderings=["note"])
    assert [error.id for error in mistakes(wrong)] == ["api.E009", "api.E010", "api.E011"]


def view_set(action="create", **attributes):
    """Of notes, with one field in the body of this action, or with other attributes."""
    if isinstance(body := attributes.get("body"), dict):
        attributes["bodies"] = {action: type("Body", (serializers.Serializer,), body)}
    return type("Wrong", (OwnedViewSet,), {"noun": "Note", "serializer_class": NoteSerializer} | attributes)


@pytest.mark.parametrize(
    ("attributes", "number"),
    [
        ({"filters": {"stared": {"true": True}}}, 9),
        ({"filters": {"pinned": {"no": False, "unknown": None}}}, 9),
        ({"filters": {"pinned": {"no": "maybe"}}}, 9),
        ({"filters": {"id": {"first": "one"}}}, 9),
        ({"orderings": ["-createdat"]}, 10),
        ({"orderings": ["pk"]}, 10),
        ({"orderings": ["description"], "serializer_class": TaskSerializer}, 10),  # it may be null
        ({"body": {"nota": StrictCharField(max_length=5)}}, 11),
        ({"body": {"text": StrictCharField(max_length=5, source="nota")}}, 11),
        ({"body": {"user_id": StrictCharField(max_length=255)}}, 11),
        ({"body": {"text": StrictCharField(max_length=501)}}, 12),
        ({"body": {"text": serializers.URLField()}}, 12),
        ({"body": {"text": serializers.ChoiceField(["short", "l" * 501])}}, 12),
        ({"body": {"pinned": StrictBooleanField(allow_null=True)}}, 12),
        ({"body": {"text": StrictCharField(max_length=5, required=False)}}, 13),
        ({"action": "partial_update", "body": {"pinned": StrictBooleanField(default=False)}}, 13),
    ],
)
def test_a_view_set_that_does_not_fit_its_rows_is_an_error(attributes, number):
    [error] = mistakes(view_set(**attributes))

    assert error.id == f"api.E{number:03}"
    assert error.hint


@pytest.mark.parametrize(
    ("bounds", "fits"),
    [({}, False), ({"min_value": 0}, False), ({"min_value": 0, "max_value": 2**31}, False), ({"max_value": 5}, False),
     ({"min_value": -1, "max_value": 5}, False), ({"min_value": 0, "max_value": 2**31 - 1}, True)],
)  # fmt: skip
@pytest.mark.parametrize("kind", [StrictIntegerField, serializers.IntegerField])
def test_an_integer_fits_its_column_on_postgresql(monkeypatch, bounds, fits, kind):
    column = models.PositiveIntegerField(name="pinned")
    column.column = column.attname = "pinned"
    monkeypatch.setattr(Note._meta, "concrete_fields", [Note._meta.pk, column])

    found = list(mistakes(view_set(body={"pinned": kind(**bounds)}, orderings=["id"])))

    assert [error.id for error in found] == ([] if fits else ["api.E012"])
    assert fits or "within 0 and 2147483647" in str(found[0].hint)


UNIQUE = models.CharField(name="text", max_length=500, unique=True)
UNIQUE.column = UNIQUE.attname = "text"


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("constraints", [models.UniqueConstraint(fields=["text"], name="once")], ["api.E015"]),
        ("constraints", [models.UniqueConstraint(fields=["text", "pinned"], name="once")], ["api.E015"]),
        ("constraints", [models.UniqueConstraint(Lower("text"), name="once")], ["api.E015"]),
        ("constraints", [models.UniqueConstraint("user_id", Lower("text"), name="once")], []),
        ("unique_together", [("pinned", "text")], ["api.E015"]),
        ("concrete_fields", [UNIQUE, *Note._meta.concrete_fields[3:]], ["api.E015"]),
        ("constraints", [models.UniqueConstraint(fields=["user_id", "text"], name="once")], []),
        ("constraints", [models.UniqueConstraint(fields=["pinned"], name="once")], []),  # no body sets it
    ],
)
def test_no_body_finds_out_which_values_another_user_has(monkeypatch, name, value, ids):
    """A value that must be unique among the rows of all users would be refused."""
    monkeypatch.setattr(Note._meta, name, value)

    found = mistakes(view_set(body={"text": StrictCharField(max_length=5)}))

    assert [error.id for error in found] == ids


def test_what_fits_is_no_error():
    patch = {"text": StrictCharField(max_length=5, required=False), "id": serializers.IntegerField(read_only=True)}

    assert list(mistakes(view_set("partial_update", body=patch))) == []
    assert list(mistakes(view_set(serializer_class=serializers.Serializer, filters={"x": {}}))) == []
    assert check_view_sets() == []


def test_only_what_is_routed_is_looked_at(settings):
    settings.ROOT_URLCONF = urls = cast("Any", ModuleType("urls"))
    urls.urlpatterns = [path("api/", include(resource("others", view_set(filters={"x": {}}))))]

    assert [error.id for error in check_view_sets()] == ["api.E009"]


@pytest.mark.parametrize("value", ["7", 7.0, True, None, [], {}, -1, 11, 2**70])
def test_a_strict_integer_is_a_json_integer_within_its_bounds(value):
    number = StrictIntegerField(min_value=0, max_value=10)

    assert number.run_validation(7) == 7
    with pytest.raises(serializers.ValidationError):
        number.run_validation(value)


def test_the_rows_say_whose_they_are():
    assert repr(own_tasks) == "<OwnedRows of tasks.task>"


def test_a_resource_without_a_door_to_rows_serves_nothing():
    with pytest.raises(NotImplementedError):
        OwnedViewSet().get_queryset()
