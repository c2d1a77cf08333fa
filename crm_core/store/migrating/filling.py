"""What the rows that are there already get, when a column is added that must be filled or changes its meaning.

Imported only to make a revision, as it needs Alembic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type, renderers
from alembic.operations import ops
from sqlalchemy import Column, Table

from crm_core.fields.columns import Scaled
from crm_core.records import declared

__all__ = ["filled"]

_EMPTY = object()
_UNKNOWN = object()


class _Fill(ops.MigrateOperation):
    """Write ``value`` into all rows of a column, or, where it is not known, have the author say it."""

    def __init__(self, table: str, column: Column[Any], value: Any) -> None:
        self.table, self.column, self.value = table, column, value


class _Rescale(ops.MigrateOperation):
    """On SQLite a changed scale changes the meaning of what is stored, and only the author knows the rounding."""

    def __init__(self, table: str, column: str, before: int, after: int) -> None:
        self.problem = (
            f"{table}.{column} goes from {before} to {after} decimals: on SQLite, multiply or divide its values "
            "here by hand, then remove this line. See the guide on migrations."
        )


@renderers.dispatch_for(_Fill)
def _fill_code(context: AutogenContext, op: _Fill) -> list[str]:
    value = op.value
    lines = []
    if value is _UNKNOWN:
        question = f"Which value do existing rows get in {op.table}.{op.column.name}? Write it below, remove this line."
        lines.append(f"raise NotImplementedError({question!r})")
        value = None
    column = f"sa.column({op.column.name!r}, {_repr_type(op.column.type, context)})"
    lines.append(f"table = sa.table({op.table!r}, {column})")
    lines.append(f"op.execute(table.update().values({{{op.column.name!r}: {value!r}}}))")
    return lines


@renderers.dispatch_for(_Rescale)
def _rescale_code(_context: AutogenContext, op: _Rescale) -> list[str]:
    return [f"raise NotImplementedError({op.problem!r})"]


def filled(op: ops.ModifyTableOps, tables: Sequence[Table]) -> Iterator[ops.MigrateOperation]:
    """``op`` in steps that a table with rows can take: add a column empty, fill it, then demand that it be filled.

    The values are the defaults of the fields behind the columns of ``tables``.
    """
    rest: list[Any] = []
    for part in op.ops:
        if isinstance(part, ops.AddColumnOp) and part.column.server_default is None:
            value = _for_rows_that_are_there(tables, op.table_name, part.column)
            if value is not _EMPTY:
                column = Column(part.column.name, part.column.type)  # a new one: that one is the record's own
                yield ops.AddColumnOp(op.table_name, column)
                yield _Fill(op.table_name, column, value)
                if not part.column.nullable:
                    rest.append(_demanded(op.table_name, column))
                continue
        if (
            isinstance(part, ops.AlterColumnOp)
            and isinstance(part.existing_type, Scaled)
            and isinstance(part.modify_type, Scaled)
        ):
            yield _Rescale(op.table_name, part.column_name, part.existing_type.scale, part.modify_type.scale)
        rest.append(part)
    if rest:
        yield ops.ModifyTableOps(op.table_name, rest, schema=op.schema)


def _demanded(table: str, column: Column[Any]) -> ops.AlterColumnOp:
    return ops.AlterColumnOp(table, column.name, existing_type=column.type, modify_nullable=False)


def _for_rows_that_are_there(tables: Sequence[Table], table_name: str, column: Column[Any]) -> Any:
    record_type = next((declared.by_table.get(table) for table in tables if table.name == table_name), None)
    field = record_type.field_of_column.get(column.name) if record_type else None
    if field is None or field.optional or column.name not in field.column_names:
        return _EMPTY if column.nullable else _UNKNOWN
    if field.required:
        return _UNKNOWN
    # Of a value in several columns each may be empty: an address without a street.
    part = field.kind.split(field.check(field.initial()))[field.column_names.index(column.name)]
    return _EMPTY if part is None else _written(part)


def _written(value: Any) -> Any:
    """A value whose ``repr`` can stand in a file and that our column types take."""
    match value:
        case Enum():
            return value.value
        case Decimal():
            return f"{value:f}"
        case frozenset():
            return sorted(value)
        case bool() | int() | str():
            return value
        case _:
            return _UNKNOWN
