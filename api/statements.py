"""
SQL that the ORM writes once. To build and compile a query takes Django 300 µs, more than all the rest of a request.

A query that has a `Parameter` wherever a request brings a value becomes a `Statement`; a request only fills those in.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Expression, Model, QuerySet
from django.db.models.sql import DeleteQuery, InsertQuery, UpdateQuery

Row = dict[str, Any]


class Parameter(Expression):
    """The place of a value in a query, which can then be run as a Statement only."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override] # it stands for its value
        return "%s", [self]


class Statement:
    """One statement, and the fields of the rows that it gives."""

    def __init__(self, compiler: Any, sql: str, parameters: Sequence[Any], fields: Sequence[Any]) -> None:
        self.sql, self.parameters = sql, parameters
        self.names = [field.name for field in fields]
        self.converters = compiler.get_converters([field.cached_col for field in fields])  # PostgreSQL needs none
        self.convert = compiler.apply_converters

    def rows(self, **values: Any) -> list[Row]:
        parameters = [
            each.output_field.get_db_prep_value(values[each.name], connection) if isinstance(each, Parameter) else each
            for each in self.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            rows = cursor.fetchall()
        if self.converters:
            rows = self.convert(rows, self.converters)
        return [dict(zip(self.names, row)) for row in rows]  # noqa: B905 - a check for each row

    def row(self, **values: Any) -> Row | None:
        """The row of a statement that gives one at most."""
        return next(iter(self.rows(**values)), None)


def select(queryset: QuerySet[Any], fields: Sequence[Any]) -> Statement:
    compiler: Any = queryset.values(*[field.name for field in fields]).query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    return Statement(compiler, sql, parameters, fields)


def insert(instance: Model, fields: Sequence[Any]) -> Statement:
    query = InsertQuery(type(instance))
    query.insert_values([field for field in instance._meta.concrete_fields if not field.primary_key], [instance])
    compiler = query.get_compiler(connection=connection)
    [(sql, parameters)] = compiler.as_sql()
    return Statement(compiler, sql + returning(fields), parameters, fields)


def update(queryset: QuerySet[Any], changes: dict[str, Any], fields: Sequence[Any]) -> Statement:
    query: Any = queryset.query.chain(UpdateQuery)
    query.add_update_values(changes)
    compiler = query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    return Statement(compiler, sql + returning(fields), parameters, fields)


def delete(queryset: QuerySet[Any], fields: Sequence[Any]) -> Statement:
    compiler = queryset.query.chain(DeleteQuery).get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    return Statement(compiler, sql + returning(fields), parameters, fields)


def returning(fields: Sequence[Any]) -> str:
    return " RETURNING " + ", ".join(connection.ops.quote_name(field.column) for field in fields)
