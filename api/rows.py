"""Layer 3: the rows of one user, and nobody else's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, models
from django.db.models import Count, ExpressionWrapper, F, Func, Q, Sum, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from api import statements
from api.statements import Parameter, Row, Statement

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
PAGE = 1000  # rows in one statement, and in memory, when a whole list is read
MOST = PAGE + 1  # the highest limit of a statement

registry: dict[type[models.Model], "OwnedRows"] = {}
"""All resources by model: erasure, export and the checks go through them."""


class Place(NamedTuple):
    """The position of a row in a list: the value of its ordering field, and its id, which breaks ties."""

    value: Any
    id: int


class OwnedRows:
    """
    The rows of `model`, each of which belongs to one user: `own_tasks.of("alice")` is the only way to reach them.

    A row is a dictionary of `fields`. Lists are ordered by the field `order`, ties by `id`. The model needs a `user_id`
    and an `updated_at`, which moves forward with every revision; api/checks.py reports what the model must not have.
    This is not a queryset: statements are compiled once, so a filter that was chained to one would be lost.
    """

    def __init__(self, model: type[models.Model], fields: Sequence[str], order: str = "created_at") -> None:
        self.model, self.fields, self.order = model, list(fields), order
        self.compiled: dict[tuple[Any, ...], Statement] = {}
        registry.setdefault(model, self)

    def __repr__(self) -> str:
        return f"<OwnedRows of {self.label}>"

    def of(self, user_id: str) -> "UserRows":
        return UserRows(self, user_id, tuple(self.fields))

    @property
    def label(self) -> str:
        """The unique name of this resource, such as `tasks.task`."""
        return self.model._meta.label_lower

    @property
    def noun(self) -> str:
        """The word for one row: `task`."""
        return str(self.model._meta.verbose_name)

    @property
    def nouns(self) -> str:
        """The word for several rows: `tasks`."""
        return str(self.model._meta.verbose_name_plural)

    def statement(self, build: Callable[..., Statement], *key: Any) -> Statement:
        """What `build` makes for `key`, compiled once. `key` never holds a caller's value, so memory is bounded."""
        compiled = self.compiled.get((build, *key))
        if compiled is None:
            compiled = self.compiled[build, *key] = build(self, *key)
        return compiled

    def field(self, name: str) -> Any:
        return self.model._meta.get_field(name)

    def parameter(self, name: str) -> Parameter:
        return Parameter(name, self.field(name))

    def shown(self, names: Sequence[str]) -> list[Any]:
        return [self.field(name) for name in names]

    def written(self) -> list[Any]:
        """The fields that an INSERT sends; the database fills in the others."""
        return [
            field
            for field in self.model._meta.concrete_fields
            if not (field.primary_key or field.generated) and field.db_default is models.NOT_PROVIDED
        ]

    def owned(self) -> models.QuerySet[Any]:
        return self.model._base_manager.filter(user_id=self.parameter("user_id"))

    def where(self, names: Sequence[str]) -> models.QuerySet[Any]:
        rows = self.owned()
        for name in names:  # `IN`: Django makes a bare `WHERE completed` otherwise, for which SQLite uses no index
            rows = rows.filter(**{f"{name}__in": [Parameter(f"where_{name}", self.field(name))]})
        return rows

    def one(self, versions: int) -> models.QuerySet[Any]:
        """One row, if it is in one of so many given versions; 0 means in any version."""
        row = self.owned().filter(id=self.parameter("id"))
        times = [Parameter(f"version{number}", self.field("updated_at")) for number in range(versions)]
        return row.filter(updated_at__in=times) if times else row


class UserRows:
    """One user's rows of one model. No argument reaches another user's rows, not even the id of one."""

    def __init__(self, owned: OwnedRows, user_id: str, names: tuple[str, ...]) -> None:
        self.owned, self.user_id, self.names = owned, user_id, names

    def only(self, *names: str) -> "UserRows":
        """The same rows with these fields only."""
        return UserRows(self.owned, self.user_id, tuple(dict.fromkeys(names)))

    def page(
        self,
        *,
        where: Mapping[str, Any] | None = None,
        order: str | None = None,
        descending: bool = False,
        after: Place | None = None,
        limit: int | None = None,
    ) -> list[Row]:
        """
        The rows whose fields equal `where`, ordered by `order`, then `id`; with `after`, only those behind that place.

        It is one statement. `limit` is at most MOST.
        """
        where, order = where or {}, order or self.owned.order
        key = tuple(where), order, descending, after is not None, limit is not None, self.names
        place = {"place": after.value, "id": after.id} if after else {}
        values = {"user_id": self.user_id, "limit": limit} | {f"where_{name}": where[name] for name in where} | place
        return self.owned.statement(page, *key).rows(values)

    def pages(self, *, order: str | None = None, **arguments: Any) -> Iterator[list[Row]]:
        """The same rows as `page` without a limit, PAGE at a time; nothing for an empty list."""
        after, order = None, order or self.owned.order
        while rows := self.page(order=order, after=after, limit=PAGE, **arguments):
            yield rows
            if len(rows) < PAGE:
                break
            after = Place(rows[-1][order], rows[-1]["id"])

    def versions(self, *, where: Mapping[str, Any] | None = None) -> tuple[int, int, int]:
        """
        The number of rows, and the sums of their ids and of their versions, in microseconds since 1970.

        One of these changes whenever a row is made, deleted or revised: ids are given once, and versions grow.
        `versions_of` computes the same from rows that were read.
        """
        where = where or {}
        values = {"user_id": self.user_id} | {f"where_{name}": where[name] for name in where}
        [sums] = self.owned.statement(versions, tuple(where)).rows(values)
        return sums["rows"], int(sums["ids"] or 0), int(sums["times"] or 0)

    def row(self, id: int) -> Row | None:  # noqa: A002 - the column's name
        return self.owned.statement(row, self.names).row({"user_id": self.user_id, "id": id})

    def make(self, **values: Any) -> Row:
        """Insert a row and return it. A field that is not given gets its default, evaluated now."""
        now = timezone.now()
        for field in self.owned.written():
            if field.name not in values:
                values[field.name] = now if field.default is timezone.now else field.get_default()
        return self.owned.statement(insert, self.names, tuple(values)).rows(values | {"user_id": self.user_id})[0]

    def revise(self, id: int, *, as_of: Sequence[datetime] | None = None, **changes: Any) -> Row | None:  # noqa: A002 - likewise
        """
        Write `changes` and no other column, and return the row. `updated_at` moves forward even if the clock does not.

        None if there is no such row, or if `as_of` does not have its `updated_at`: nothing can come between this
        comparison and the write.
        """
        values = changes | {"user_id": self.user_id, "id": id, "updated_at": timezone.now()}
        return self.conditionally(as_of, values, update, tuple(changes))

    def remove(self, id: int, *, as_of: Sequence[datetime] | None = None) -> Row | None:  # noqa: A002 - likewise
        """Delete the row and return it; None as for `revise`."""
        return self.conditionally(as_of, {"user_id": self.user_id, "id": id}, delete)

    def conditionally(
        self, as_of: Sequence[datetime] | None, values: dict[str, Any], build: Callable[..., Statement], *key: Any
    ) -> Row | None:
        if as_of is None:
            return self.owned.statement(build, self.names, 0, *key).row(values)
        if not as_of:
            return None
        room = 1 << (len(as_of) - 1).bit_length()  # a power of two, so that few statements serve every number of tags
        times = [*as_of, *[as_of[0]] * (room - len(as_of))]
        values |= {f"version{number}": time for number, time in enumerate(times)}
        return self.owned.statement(build, self.names, room, *key).row(values)


def versions_of(rows: Sequence[Row]) -> tuple[int, int, int]:
    times = [(row["updated_at"] - EPOCH) // MICROSECOND for row in rows]
    return len(rows), sum([row["id"] for row in rows]), sum(times)


# The statements: each function gets all that the SQL depends on


def page(
    owned: OwnedRows, where: tuple[str, ...], order: str, descending: bool, after: bool, limited: bool, names: Any
) -> Statement:
    rows, place, id_ = owned.where(where), Parameter("place", owned.field(order)), owned.parameter("id")
    beyond, at_or_beyond = ("lt", "lte") if descending else ("gt", "gte")
    if after:  # the plain bound lets the index begin there
        rows = rows.filter(
            Q(**{f"{order}__{beyond}": place}) | Q(**{f"id__{beyond}": id_}), **{f"{order}__{at_or_beyond}": place}
        )
    sign = "-" if descending else ""
    rows = rows.order_by(f"{sign}{order}", f"{sign}id")
    if not limited:
        return statements.select(rows, owned.shown(names))
    # For an unknown limit PostgreSQL expects a tenth of all rows, and sorts them. The constant inside prevents that.
    return statements.select(rows[:MOST], owned.shown(names), Parameter("limit", models.IntegerField()))


def versions(owned: OwnedRows, where: tuple[str, ...]) -> Statement:
    if connection.vendor == "postgresql":
        epoch = Func(
            F("updated_at"), template="EXTRACT(EPOCH FROM %(expressions)s)", output_field=models.DecimalField()
        )
        times: Any = Sum(epoch) * 1_000_000
    else:
        times = Sum(ExpressionWrapper(F("updated_at") - Value(EPOCH), output_field=models.BigIntegerField()))
    return statements.aggregate(owned.where(where), rows=Count("*"), ids=Sum("id"), times=times)


def row(owned: OwnedRows, names: Any) -> Statement:
    return statements.select(owned.one(0), owned.shown(names))


def insert(owned: OwnedRows, names: Any, given: tuple[str, ...]) -> Statement:
    return statements.insert(owned.model, {name: owned.parameter(name) for name in given}, owned.shown(names))


def update(owned: OwnedRows, names: Any, versions: int, changed: tuple[str, ...]) -> Statement:
    changes = {name: owned.parameter(name) for name in changed}
    later = Greatest(owned.parameter("updated_at"), a_microsecond_after("updated_at"))
    return statements.update(owned.one(versions), changes | {"updated_at": later}, owned.shown(names))


def delete(owned: OwnedRows, names: Any, versions: int) -> Statement:
    return statements.delete(owned.one(versions), owned.shown(names))


def a_microsecond_after(name: str) -> Any:
    """On PostgreSQL by IMMUTABLE functions only: Citus demands them in a write to a distributed table."""
    if connection.vendor != "postgresql":
        return F(name) + timedelta(microseconds=1)
    template = "(%(expressions)s AT TIME ZONE 'UTC' + INTERVAL '1 microsecond') AT TIME ZONE 'UTC'"
    return Func(F(name), template=template, output_field=models.DateTimeField())
