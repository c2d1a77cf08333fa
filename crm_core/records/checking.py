"""What must fit together in a declaration before a table is made of it: a refused one leaves nothing behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import attrs
from sqlalchemy import MetaData

from crm_core.errors import DeclarationError, ValidationError
from crm_core.fields.field import Field
from crm_core.fields.kinds import TextKind
from crm_core.records.types import Exclusive, declared

__all__ = ["Options", "check_declaration", "check_field"]

_NOT_FIELDS = ("id", "version", "created_at", "created_by", "custom", "updated_at")


@attrs.frozen
class Options:
    """The options of a declaration that name fields."""

    title: str | None
    exclusive: Sequence[Exclusive]
    indexes: Sequence[tuple[str, ...]]
    technical_key: tuple[str, ...]
    found_as: tuple[str, ...] = ()


def check_field(where: str, record: str, field: Field) -> None:
    """Refuse a field whose default is no value of it, or whose erasure would leave no possible value."""
    if field.personal and not field.optional and type(field.kind) is not TextKind:
        _fail("{where}.{field}: a required {kind} field cannot be personal.",
              "Make it optional: erasing a person empties it.",
              where=where, record=record, field=field.name, kind=field.kind.name)  # fmt: skip
    if field.search and not isinstance(field.kind, TextKind):
        _fail("{where}.{field}: a {kind} field cannot be searched.",
              "Leave search=True to fields of text, e-mail addresses, telephone numbers and web addresses.",
              where=where, record=record, field=field.name, kind=field.kind.name)  # fmt: skip
    if not field.required and field.factory is None and not field.optional:
        try:
            field.check(field.default)
        except ValidationError as error:
            _fail("{where}.{field}: the default is no value of the field ({reason})", "Correct it.",
                  where=where, record=record, field=field.name, reason=error.problems[0].text())  # fmt: skip


def check_declaration(
    where: str, record: str, table: str, metadata: MetaData, fields: Sequence[Field], dated: bool, options: Options
) -> None:
    """Refuse names that are taken, and options that name no field."""
    other = declared.get(record)
    if other is not None:
        _fail("Two classes declare the record {record!r}: {one} and {two}.",
              "Rename one of them; a record is named <plugin>.<noun>.", record=record,
              one=f"{other.cls.__module__}.{other.cls.__qualname__}", two=where)  # fmt: skip
    if table in metadata.tables:
        _fail("{where}: the table {table} is the store's own.", "Choose another noun.", where=where, record=record,
              table=table)  # fmt: skip
    columns = [name for field in fields for name in field.column_names]
    columns += [f"{field.name}_key" for field in fields if field.folded]
    for column, count in Counter(columns).items():
        if count > 1:
            _fail("{where}: two fields need the column {column}.", "Rename one of them.", where=where, record=record,
                  column=column)  # fmt: skip
    names = {field.name for field in fields}

    def known(option: str, wanted: Iterable[str], allowed: Iterable[str]) -> None:
        for name in wanted:
            if name not in allowed:
                _fail("{where}: {option} names {name!r}, which is no field.", "Correct the name.", where=where,
                      record=record, option=option, name=name)  # fmt: skip

    stored = {*columns, *_NOT_FIELDS}
    known("title", [options.title] if options.title else [], names)
    for index in options.indexes:
        known("index", index, stored)
    known("technical_key", options.technical_key, stored)
    known("found_as", options.found_as, {"id", *(field.name for field in fields if field.target)})
    for exclusive in options.exclusive:
        known("exclusive", (*exclusive.fields, *(name for name, _ in exclusive.when)), names)
        if not dated:
            _fail("{where}: exclusive rows must hold for a time, but {where} is not Dated.", "Derive it from Dated.",
                  where=where, record=record)  # fmt: skip


def _fail(problem: str, mend: str, **values: Any) -> NoReturn:
    raise DeclarationError(problem, mend=mend, **values)
