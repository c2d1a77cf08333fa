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

_NONE_KNOWN = object()


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
    if value is _NONE_KNOWN:
        question = f"Which value do existing rows get in {op.table}.{op.column.name}? Write it below, remove this line."
        lines.append(f"raise NotImplementedError({question!r})")
        value = None
    column = f"sa.column({op.column.name!r}, {_repr_type(op.column.type, context)})"
    written = f"update().values({{{op.column.name!r}: {value!r}}})"
    lines.append(f"op.execute(sa.table({op.table!r}, {column}).{written})")
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
        if isinstance(part, ops.AddColumnOp) and not part.column.nullable and part.column.server_default is None:
            column = Column(part.column.name, part.column.type)  # a new one: that one is the record's own
            yield ops.AddColumnOp(op.table_name, column)
            yield _Fill(op.table_name, column, _default(tables, op.table_name, column.name))
            rest.append(ops.AlterColumnOp(op.table_name, column.name, existing_type=column.type, modify_nullable=False))
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


def _default(tables: Sequence[Table], table_name: str, column: str) -> Any:
    record_type = next((declared.by_table.get(table) for table in tables if table.name == table_name), None)
    field = record_type.field_of_column.get(column) if record_type else None
    if field is None or field.required or column not in field.column_names:
        return _NONE_KNOWN
    value = field.check(field.initial())
    if value is None:
        return _NONE_KNOWN
    return _written(field.kind.split(value)[field.column_names.index(column)])


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
            return _NONE_KNOWN
