"""Fields as values: a column, a part of several columns, or an entry of the JSON column of custom fields."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs
from sqlalchemy import FromClause, String, func, literal

from crm_core.expressions import dialects
from crm_core.expressions.environment import Row, World
from crm_core.expressions.nodes import Evaluate, Node, Scope, Sort, Sql
from crm_core.expressions.steps import Path, reader
from crm_core.fields import FOLD_MARK, Field, fold, sort_key
from crm_core.fields.composites import ADDRESS_PARTS
from crm_core.fields.kinds import ChoiceKind, TextKind
from crm_core.records import Record, RecordType

__all__ = ["Leaf", "sort_of"]

_SORTS = {
    "choice": Sort.CHOICE, "number": Sort.NUMBER, "ref": Sort.NUMBER, "money": Sort.MONEY, "day": Sort.DAY,
    "moment": Sort.MOMENT, "flag": Sort.FLAG, "tags": Sort.TAGS, "json": Sort.JSON, "address": Sort.ADDRESS,
}  # fmt: skip


def sort_of(field: Field) -> Sort:
    """What the values of a field are, to the filter language."""
    return Sort.TEXT if isinstance(field.kind, TextKind) else _SORTS[field.kind.name]


@attrs.frozen
class Leaf(Node):
    """A field of the record at the end of ``path``, or the ``part`` of it: an amount, a currency, a city."""

    record_type: RecordType
    field: Field
    path: Path
    part: str | None = None
    custom: bool = False

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.field.name}.{self.part}" if self.part else self.field.name

    @property
    def choices(self) -> list[str] | None:
        """The values of a choice field."""
        kind = self.field.kind
        return [member.value for member in kind.enum] if isinstance(kind, ChoiceKind) else None

    @property
    def nullable(self) -> bool:
        """Whether the column can be null."""
        return self.custom or bool(self.path.steps) or self.field.optional or self.part is not None

    def sql(self, scope: Scope) -> Sql:
        return self.path.sql(scope, self._pick_custom if self.custom else self._pick)

    def key_sql(self, scope: Scope) -> Sql:
        """The stored sort key of a folded text."""
        return self.path.sql(scope, lambda table: table.c[f"{self.field.name}_key"])

    def folded_sql(self, scope: Scope) -> Sql:
        """The folded text, which stands in the stored key after the mark."""
        return self.path.sql(scope, self._pick_folded)

    def _pick_folded(self, table: FromClause) -> Sql:
        key = table.c[f"{self.field.name}_key"]
        return func.substr(key, dialects.position_in(key, literal(FOLD_MARK)) + 1, type_=String())

    def _pick(self, table: FromClause) -> Sql:
        name = self.field.name
        if self.part:
            return table.c[f"{name}_{self.part}"]
        if self.sort is Sort.MONEY:
            return table.c[f"{name}_amount"]
        if self.sort is Sort.ADDRESS:
            return func.coalesce(*(table.c[f"{name}_{part}"] for part, _ in ADDRESS_PARTS))
        return table.c[name]

    def _pick_custom(self, table: FromClause) -> Sql:
        column, name = table.c.custom, self.field.name
        match self.sort:
            case Sort.NUMBER:
                return dialects.json_number(column, self.scale, *((name, self.part) if self.part else (name,)))
            case Sort.DAY:
                return dialects.json_day(column, name)
            case Sort.MOMENT:
                return dialects.json_moment(column, name)
            case Sort.FLAG:
                return dialects.json_flag(column, name)
            case Sort.TAGS:
                return dialects.json_tags(column, name)
            case _:
                return dialects.json_text(column, *((name, self.part) if self.part else (name,)))

    def memory(self) -> Evaluate:
        read = self._reader()
        if not self.path.steps:
            if self._plain:
                return _plain_reader(self.field.name)
            return lambda row, world: read(row)
        walk = self.path.memory()

        def stepped(row: Row, world: World | None) -> Any:
            here = walk(row, world)
            return None if here is None else read(here)

        return stepped

    @property
    def _plain(self) -> bool:
        return not self.custom and not self.part and self.sort is not Sort.CHOICE

    def folded_memory(self) -> Evaluate:
        """The folded text, by the same way as the stored key where the text itself holds the mark."""
        value, surname = self.memory(), self.field.surname

        def folded(row: Row, world: World | None) -> str | None:
            text = value(row, world)
            if text is None:
                return None
            return fold(text) if FOLD_MARK not in text else sort_key(text, surname=surname).partition(FOLD_MARK)[2]

        return folded

    def _reader(self) -> Callable[[Row], Any]:
        read = _custom_reader(self.field) if self.custom else reader(self.field.name)
        part = self.part
        if part:

            def read_part(row: Row) -> Any:
                value = read(row)
                return None if value is None else getattr(value, part)

            return read_part
        if self.sort is Sort.CHOICE:

            def read_choice(row: Row) -> Any:
                value = read(row)
                return value.value if isinstance(value, Enum) else value

            return read_choice
        return read


def _plain_reader(name: str) -> Evaluate:
    """The commonest leaf without a call in between."""

    def read(row: Row, world: World | None) -> Any:
        return getattr(row, name) if isinstance(row, Record) else row.get(name)

    return read


def _custom_reader(field: Field) -> Callable[[Row], Any]:
    all_custom, name, decode = reader("custom"), field.name, field.kind.decode

    def read(row: Row) -> Any:
        values = all_custom(row)
        value = values.get(name) if values else None
        return None if value is None else decode(value)

    return read
