"""
SQL that the ORM writes once: Django takes 300 µs to build and compile a query, as long as the rest of a request.

A query with a `Parameter` in place of each value becomes a `Statement`; a request only fills in the values.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Expression, Field, QuerySet, Value, fields
from django.db.models.sql import DeleteQuery, InsertQuery, UpdateQuery

Row = dict[str, Any]
Fields = Sequence["Field[Any, Any]"]

# The type of value that a field, of exactly this class, gives to the database as it is.
UNCHANGED: dict[type[Any], type[Any]] = {
    fields.CharField: str,
    fields.TextField: str,
    fields.BooleanField: bool,
    fields.BigAutoField: int,
    fields.BigIntegerField: int,
}
UNCHANGED_ON_POSTGRESQL = UNCHANGED | {fields.DateTimeField: datetime}


class Parameter(Expression):
    """Stands for a value in a query. Only a Statement can run such a query."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(output_field=field)
        self.name = name
        self.unchanged = (UNCHANGED_ON_POSTGRESQL if connection.vendor == "postgresql" else UNCHANGED).get(type(field))

    def prepared(self, value: Any, database: Any) -> Any:
        """As the field prepares it, which takes 20 calls even where it changes nothing."""
        return value if type(value) is self.unchanged else self.output_field.get_db_prep_save(value, database)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override] # it stands for its value
        return "%s", [self]


class Statement:
    """A compiled statement. Its rows are dictionaries by the names of `columns`."""

    def __init__(self, compiler: Any, sql: str, parameters: Sequence[Any], columns: Mapping[str, Any]) -> None:
        self.sql, self.parameters = sql, parameters
        self.names = list(columns)
        self.converters = compiler.get_converters(columns.values())  # PostgreSQL needs none
        self.convert = compiler.apply_converters

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        database = connections[DEFAULT_DB_ALIAS]  # `connection` would look it up at each use
        parameters = [
            each.prepared(values[each.name], database) if isinstance(each, Parameter) else each
            for each in self.parameters
        ]
        with database.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            rows = cursor.fetchall()
        if self.converters:
            rows = self.convert(rows, self.converters)
        return [dict(zip(self.names, row)) for row in rows]  # noqa: B905 - a check for each row

    def row(self, values: Mapping[str, Any]) -> Row | None:
        """The row of a statement that returns at most one; None if it returned none."""
        rows = self.rows(values)
        return rows[0] if rows else None


def select(queryset: QuerySet[Any], fields: Fields, limit: Parameter | None = None) -> Statement:
    compiler: Any = queryset.values(*[field.name for field in fields]).query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    if limit:  # the ORM would write the number into the SQL, one statement for each size of a page
        sql, parameters = f"SELECT * FROM ({sql}) AS page LIMIT %s", [*parameters, limit]  # noqa: S608 - the ORM's own
    return Statement(compiler, sql, parameters, columns(fields))


def aggregate(queryset: QuerySet[Any], **aggregates: Any) -> Statement:
    compiler: Any = (
        queryset.values(all=Value(1))
        .annotate(**aggregates)
        .values(*aggregates)
        .query.get_compiler(connection=connection)
    )
    sql, parameters = compiler.as_sql()
    return Statement(compiler, sql, parameters, compiler.query.annotation_select)


def insert(model: Any, values: Mapping[str, Parameter], fields: Fields) -> Statement:
    query = InsertQuery(model)
    given = [model._meta.get_field(name) for name in values]
    query.insert_values(given, [model(**{field.attname: values[field.name] for field in given})])
    compiler = query.get_compiler(connection=connection)
    [(sql, parameters)] = compiler.as_sql()
    return Statement(compiler, sql + returning(fields), parameters, columns(fields))


def update(queryset: QuerySet[Any], changes: Mapping[str, Any], fields: Fields) -> Statement:
    query: Any = queryset.query.chain(UpdateQuery)
    query.add_update_values(changes)
    compiler = query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    return Statement(compiler, sql + returning(fields), parameters, columns(fields))


def delete(queryset: QuerySet[Any], fields: Fields) -> Statement:
    compiler = queryset.query.chain(DeleteQuery).get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    return Statement(compiler, sql + returning(fields), parameters, columns(fields))


def columns(fields: Fields) -> dict[str, Any]:
    return {field.name: field.cached_col for field in fields}


def returning(fields: Fields) -> str:
    return " RETURNING " + ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
