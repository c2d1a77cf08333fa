"""What a mapping says: which columns of which files become which fields of which records.

Every class here is one table of the TOML file; its attributes are the keys that may stand there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

__all__ = ["FieldMapping", "ImportMapping", "Lookup", "PartMapping", "SectionMapping", "SourceMapping", "Transform"]


@attrs.frozen(kw_only=True)
class SourceMapping:
    """``[source]``: where the files come from.

    ``system`` names the source system, under which the keys of its records are remembered. ``encoding`` is one that
    Python knows, or ``auto``. ``delimiter`` stands between cells, or is ``auto``. ``null_values`` are cells that mean
    "nothing". ``time_zone`` is where the moments in the files were written down when they do not say so themselves;
    without it, the organisation's. ``sheet`` is the name or number (from 1) of the sheet of a spreadsheet; without it,
    the first that is shown. ``header_row`` is the row with the names of its columns; without it, the first that is not
    blank.
    """

    system: str
    encoding: str = "auto"
    delimiter: str = "auto"
    null_values: tuple[str, ...] = ("",)
    time_zone: str = ""
    sheet: str = ""
    header_row: int = 0


@attrs.frozen(kw_only=True)
class Transform:
    """One step from a cell to a value; ``options`` are the other keys of its table."""

    name: str
    options: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Lookup:
    """The id of a record that is known already.

    It is found by the key that ``system`` (this mapping's own when absent) knows it by, or with ``by`` by the value of
    one of its own fields. ``key`` is a column or a template; without it, the field's own value is looked up. ``take``
    gives the value of a field of the record found instead of its id. ``missing`` says what happens when there is none:
    ``reject`` the row, or leave the field ``empty``.
    """

    record: str
    system: str = ""
    key: str = ""
    by: str = ""
    take: str = ""
    missing: Literal["reject", "empty"] = "reject"


@attrs.frozen(kw_only=True)
class PartMapping:
    """Where a value comes from: one of ``column``, ``columns``, ``value`` and ``template``.

    ``columns`` hands a list to the first transform. ``default`` is taken where nothing comes out.
    """

    column: str = ""
    columns: tuple[str, ...] = ()
    value: Any = None
    template: str = ""
    transform: tuple[Transform, ...] = ()
    default: Any = None

    @property
    def sources(self) -> int:
        """How many sources it names."""
        return bool(self.column) + bool(self.columns) + (self.value is not None) + bool(self.template)


@attrs.frozen(kw_only=True)
class FieldMapping(PartMapping):
    """A field: a value, a ``lookup``, or the ``parts`` of an address or an amount."""

    lookup: Lookup | None = None
    parts: Mapping[str, PartMapping] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class SectionMapping:
    """``[[section]]``: one pass over one file that creates or updates records of one type.

    ``key`` is what the source system knows a row's record by. ``match`` is a field by whose value a record that is
    here already, but has no key yet, is taken for the row's. ``only_if``, ``skip_if`` and ``require`` test columns:
    rows that fail the first or pass the second are left out, those that fail the third are rejected. ``on_create`` says
    what happens to rows whose record is not here, ``on_update`` to those whose record is: ``date`` ends the dated row
    now and begins a new one. ``duplicates`` says which row counts when a key comes twice. The other keys are those of
    ``[source]``, for this file.
    """

    record: str
    file: str
    key: str
    name: str = ""
    fields: Mapping[str, FieldMapping] = attrs.field(factory=dict)
    match: str = ""
    only_if: Mapping[str, Any] = attrs.field(factory=dict)
    skip_if: Mapping[str, Any] = attrs.field(factory=dict)
    require: Mapping[str, Any] = attrs.field(factory=dict)
    on_create: Literal["write", "skip", "reject"] = "write"
    on_update: Literal["write", "skip", "date"] = "write"
    duplicates: Literal["reject", "first", "last"] = "reject"
    system: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    null_values: tuple[str, ...] | None = None
    time_zone: str | None = None
    sheet: str | None = None
    header_row: int | None = None


@attrs.frozen(kw_only=True)
class ImportMapping:
    """A whole mapping; ``path`` is the file it was read from, if there is one."""

    source: SourceMapping
    sections: tuple[SectionMapping, ...]
    path: Path | None = None

    @property
    def where(self) -> str:
        """The name of the file, for messages."""
        return str(self.path) if self.path else "the mapping"
