"""Models whose rows OwnedRows can't guard, and view sets that don't fit their rows, are errors of `check`."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.urls import get_resolver
from rest_framework import serializers
from rest_framework.fields import empty

from api.models import IdempotencyKey
from api.rows import OwnedRows, registry
from api.views import OwnedViewSet

NOT_WRITTEN = {"id", "user_id", "updated_at"}  # by a body
RANGES = BaseDatabaseOperations.integer_field_ranges  # PostgreSQL's; SQLite has 64 bits for each


@checks.register(checks.Tags.models)
def check_owned_rows(**kwargs: Any) -> list[checks.CheckMessage]:
    known = {IdempotencyKey, *(model._meta.concrete_model for model in registry)}
    found = [problem for owned in registry.values() for problem in problems(owned)]
    return found + [
        checks.Error(
            f"{model._meta.label} has a user_id, and is no resource: to erase or export a user would forget it.",
            hint=f"Beside the model, write own_rows = OwnedRows({model.__name__}, […]).",
            obj=model,
            id="api.E001",
        )
        for model in apps.get_models()
        if model._meta.concrete_model not in known and field(model, "user_id")
    ]


def problems(owned: OwnedRows) -> Iterator[checks.CheckMessage]:
    model, order = owned.model, field(owned.model, owned.order)
    error = partial(error_of, model, f"OwnedRows of {model._meta.label}")
    if not isinstance(field(model, "user_id"), models.CharField):
        yield error(2, "there is no user_id.", "Add user_id = models.CharField(max_length=USER_ID_MAX_LENGTH).")
    if not isinstance(field(model, "updated_at"), models.DateTimeField):
        yield error(3, "there is no updated_at.", "Add updated_at = models.DateTimeField(default=timezone.now).")
    if model._meta.pk.name != "id" or not isinstance(model._meta.pk, models.AutoField) or model._meta.parents:
        yield error(
            4, "its key is not an id that the database makes.", "Add id = models.BigAutoField(primary_key=True)."
        )
    for name in [*owned.fields, owned.order]:
        if not getattr(field(model, name), "concrete", False):
            yield error(5, f"there is no column {name}.", "Name fields of the model.")
    if order and order.null:
        yield error(6, f"{owned.order} may be null: such rows have no place in an order.", "Order by another field.")
    for each in model._meta.concrete_fields:
        if (
            getattr(each, "auto_now", False)
            or getattr(each, "auto_now_add", False)
            or isinstance(each, models.FileField)
        ):
            message = f"the value of {each.name} is made by Model.save(), which the API does not call."
            yield error(7, message, "Use default=… instead; updated_at moves by itself.")
    if [each.nouns for each in registry.values()].count(owned.nouns) > 1:
        yield error(14, f"there are other {owned.nouns}: export_user needs a name.", "Set Meta.verbose_name_plural.")
    for relation in model._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel) and relation.on_delete is not models.DO_NOTHING:
            message = f"a delete would have to go on to {relation.related_model._meta.label}.{relation.field.name}."
            yield error(8, message, "Use on_delete=DO_NOTHING and let the database do it, or keep the id alone.")


def error_of(subject: Any, name: str, number: int, message: str, hint: str) -> checks.Error:
    return checks.Error(f"{name}: {message}", hint=hint, obj=subject, id=f"api.E{number:03}")


@checks.register(checks.Tags.urls)
def check_view_sets(**kwargs: Any) -> list[checks.CheckMessage]:
    return [problem for view_set in dict.fromkeys(routed(get_resolver())) for problem in mistakes(view_set)]


def routed(resolver: Any) -> Iterator[type[OwnedViewSet]]:
    for entry in resolver.url_patterns:
        if hasattr(entry, "url_patterns"):
            yield from routed(entry)
        elif issubclass(getattr(entry.callback, "cls", object), OwnedViewSet):
            yield entry.callback.cls


def mistakes(view_set: type[OwnedViewSet]) -> Iterator[checks.CheckMessage]:
    """Its rows are those of the model of `serializer_class`; without one nothing can be said."""
    meta = getattr(getattr(view_set, "serializer_class", None), "Meta", None)
    owned = registry.get(getattr(meta, "model", models.Model))
    if owned is None:
        return

    error = partial(error_of, view_set, view_set.__name__)
    # A relation is none of them: the other row may be another user's.
    columns = {each.name: each for each in owned.model._meta.concrete_fields if not each.is_relation}
    for name, values in view_set.filters.items():
        if name not in columns or not all(is_value(columns[name], value) for value in values.values()):
            hint = "Name fields of the model, but no relation, with values of theirs, but not None."
            yield error(9, f"{name} is nothing to filter by.", hint)
    for ordering in view_set.orderings:
        name = ordering.removeprefix("-")
        if name not in owned.fields or name not in columns or columns[name].null:
            yield error(10, f"{name} is no order of these rows.", "Name fields of OwnedRows that are never null.")
    for action, serializer in view_set.serializers.items():
        for name, taken in serializer.fields.items():
            if taken.read_only:
                continue
            where, column = f"{type(serializer).__name__}.{name}", columns.get(taken.source or "")
            if column is None or column.name in NOT_WRITTEN:
                hint = "Name fields of the model, but no relation."
                yield error(11, f"{where} is no column that a body may set.", hint)
                continue
            if hint := does_not_fit(taken, column):
                yield error(12, f"{where} takes what its column {column.name} does not hold.", hint)
            if is_unique_for_all(owned.model, column):
                message = f"{where} must be unique among all users' rows: who is refused learns of another's."
                yield error(15, message, 'Use UniqueConstraint(fields=["user_id", …]) instead.')
            if action == "partial_update" and taken.default is not empty:
                yield error(13, f"{where} has a default: PATCH would set what was not sent.", "Use required=False.")
            elif action != "partial_update" and not taken.required and taken.default is empty:
                yield error(13, f"{where} may be left out: PUT would not replace it.", "Use default=….")


def is_value(column: Any, value: Any) -> bool:
    try:
        return column.get_prep_value(value) is not None
    except (TypeError, ValueError, ValidationError):
        return False


def is_unique_for_all(model: type[models.Model], column: Any) -> bool:
    together = list(model._meta.unique_together)
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            parts = [each for each in models.Func(*constraint.expressions).flatten() if isinstance(each, models.F)]
            named = [each.name for each in parts]  # type: ignore[attr-defined] # the stubs leave it out
            together.append((*constraint.fields, *named))
    return column.unique or any(column.name in names and "user_id" not in names for names in together)


def does_not_fit(taken: Any, column: Any) -> str:
    """What to write so that each value that the serializer's field takes fits the column; "" if it does."""
    if taken.allow_null and not column.null:
        return "Remove allow_null=True, or add null=True to the model."
    if isinstance(taken, serializers.IntegerField) and column.get_internal_type() in RANGES:
        low, high = RANGES[column.get_internal_type()]
        if taken.min_value is None or taken.max_value is None or not low <= taken.min_value <= taken.max_value <= high:
            return f"Write min_value and max_value, within {low} and {high}."
    longest = column.max_length
    if longest is None:
        return ""
    if isinstance(taken, serializers.CharField) and (taken.max_length is None or taken.max_length > longest):
        return f"Write max_length={longest}, or less."
    if isinstance(taken, serializers.ChoiceField) and any(len(str(choice)) > longest for choice in taken.choices):
        return f"Name choices of at most {longest} characters."
    return ""


def field(model: type[models.Model], name: str) -> Any:
    """The field of this very name, not the relation whose column has it."""
    return next((each for each in model._meta.get_fields() if each.name == name), None)
