"""Models whose rows OwnedRows can't guard are errors of `check`."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks
from django.db import models

from api.models import IdempotencyKey
from api.rows import OwnedRows, registry


@checks.register(checks.Tags.models)
def check_owned_rows(**kwargs: Any) -> list[checks.CheckMessage]:
    found = [problem for owned in registry.values() for problem in problems(owned)]
    return found + [
        checks.Error(
            f"{model._meta.label} has a user_id, and is no resource: to erase or export a user would forget it.",
            hint=f"Beside the model, write own_rows = OwnedRows({model.__name__}, […]).",
            obj=model,
            id="api.E001",
        )
        for model in apps.get_models()
        if model not in {IdempotencyKey, *registry} and field(model, "user_id")
    ]


def problems(owned: OwnedRows) -> Iterator[checks.CheckMessage]:
    model, order = owned.model, field(owned.model, owned.order)

    def error(number: int, message: str, hint: str) -> checks.Error:
        return checks.Error(f"OwnedRows of {model._meta.label}: {message}", hint=hint, obj=model, id=f"api.E00{number}")

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
    for relation in model._meta.related_objects:
        if relation.on_delete is not models.DO_NOTHING:
            message = f"a delete would have to go on to {relation.related_model._meta.label}.{relation.field.name}."
            yield error(8, message, "Use on_delete=DO_NOTHING and let the database do it, or keep the id alone.")


def field(model: type[models.Model], name: str) -> Any:
    """The field of this very name, not the relation whose column has it."""
    return next((each for each in model._meta.get_fields() if each.name == name), None)
