"""Record types and the process-wide registry of them.

Mapping a class is process-wide, so declarations are too; which of them a CRM uses is decided by its build.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
from sqlalchemy import ForeignKeyConstraint, MetaData, Table
from sqlalchemy.orm import Mapped, registry

from crm_core.errors import DeclarationError, NotFound, nearest
from crm_core.fields.field import Field
from crm_core.fields.kinds import RefKind
from crm_core.records.access import Access

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["KERNEL", "Exclusive", "ParentField", "Record", "RecordType", "Types", "declared", "type_of"]

KERNEL = "crm"
"""The plugin name under which the kernel's own records are kept."""


class Record:
    """Base of every record class; the columns here are the store's to write.

    ``id`` is unique over all record types and given when the record is added to a session. ``version`` counts the
    writes and guards against lost updates. ``created_by`` is the id of a user, or absent for system work. ``custom``
    holds the build's custom fields by name.
    """

    crm_type: ClassVar[RecordType]

    if TYPE_CHECKING:
        id: Mapped[int]
        version: Mapped[int]
        created_at: Mapped[dt.datetime]
        created_by: Mapped[int | None]
        updated_at: Mapped[dt.datetime]
        custom: Mapped[Mapping[str, Any]]

    def __repr__(self) -> str:
        return f"<{type(self).crm_type.name} {self.__dict__.get('id', 'new')}>"


@attrs.frozen
class Exclusive:
    """At any instant at most one row per ``fields`` (among those where ``when`` holds) is valid, future rows included.

    ``when`` maps field names to the value they must have for the rule to apply.
    """

    fields: tuple[str, ...]
    when: tuple[tuple[str, Any], ...] = ()


@attrs.frozen
class ParentField:
    """A read-only navigation from a reference field to the record it points to."""

    name: str
    field: str


@attrs.frozen(eq=False)
class RecordType:
    """All that follows from one record declaration."""

    name: str
    plugin: str
    cls: type[Record]
    table: Table
    fields: tuple[Field, ...]
    parents: tuple[ParentField, ...]
    access: Access
    dated: bool
    label: str
    doc: str
    title: str | None
    extends: str | None
    exclusive: tuple[Exclusive, ...]
    poolable: bool = False
    """Whether records without an owner wait in pools."""
    found_as: tuple[str, ...] = ()
    """The references (or ``id``, of an extension) of which the first filled one is what a search shows instead."""

    @functools.cached_property
    def by_name(self) -> dict[str, Field]:
        """Declared fields by name."""
        return {field.name: field for field in self.fields}

    @functools.cached_property
    def refs(self) -> tuple[Field, ...]:
        """The reference fields."""
        return tuple(field for field in self.fields if isinstance(field.kind, RefKind))

    @functools.cached_property
    def restricted(self) -> tuple[Field, ...]:
        """Fields that need a permission of their own to be read."""
        return tuple(field for field in self.fields if field.restricted)

    @functools.cached_property
    def field_of_column(self) -> dict[str, Field]:
        """The declared field behind each column name, sort keys included."""
        columns = {name: field for field in self.fields for name in field.column_names}
        return columns | {f"{field.name}_key": field for field in self.fields if field.folded}

    def field(self, name: str) -> Field:
        """The field called ``name``; :class:`NotFound` with the nearest names otherwise."""
        try:
            return self.by_name[name]
        except KeyError:
            raise NotFound(
                "{record} has no field {field!r}.",
                mend="Did you mean {near}?",
                record=self.name,
                field=name,
                near=nearest(name, self.by_name),
            ) from None

    def permission(self, verb: str) -> str:
        """The name of a permission on this type: ``account.update``."""
        return f"{self.name}.{verb}"


class Types(Mapping[str, RecordType]):
    """The record types of one build (or, in :data:`declared`, of the process)."""

    def __init__(self, types: Iterable[RecordType] = ()) -> None:
        self._types: dict[str, RecordType] = {}
        self.by_table: dict[Table, RecordType] = {}
        self.by_class: dict[type, RecordType] = {}
        for record_type in types:
            self.add(record_type)

    def add(self, record_type: RecordType) -> None:
        """Take in a type; :class:`DeclarationError` when its name or table is taken."""
        other = self._types.get(record_type.name)
        if other is not None and other.cls is not record_type.cls:
            raise DeclarationError(
                "Two classes declare the record {record!r}: {one} and {two}.",
                mend="Rename one of them; a record is named <plugin>.<noun>.",
                record=record_type.name,
                one=f"{other.cls.__module__}.{other.cls.__qualname__}",
                two=f"{record_type.cls.__module__}.{record_type.cls.__qualname__}",
            )
        self._types[record_type.name] = record_type
        self.by_table[record_type.table] = record_type
        self.by_class[record_type.cls] = record_type

    def __getitem__(self, name: str) -> RecordType:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def find(self, name: str) -> RecordType:
        """The type called ``name``; :class:`NotFound` with the nearest names otherwise."""
        try:
            return self._types[name]
        except KeyError:
            raise NotFound(
                "There is no record type {name!r} in this build.",
                mend="Did you mean {near}?",
                name=name,
                near=nearest(name, self._types),
            ) from None

    def extensions(self, target: str) -> tuple[RecordType, ...]:
        """The types that extend ``target``."""
        return tuple(record_type for record_type in self.values() if record_type.extends == target)

    def referring(self, target: str) -> tuple[tuple[RecordType, Field], ...]:
        """Every reference to ``target`` in this build, in order of name."""
        return tuple(
            (self[name], field) for name in sorted(self) for field in self[name].refs if field.target == target
        )


declared = Types()
"""Every record type that was declared in this process."""


def type_of(record: Record | type[Record]) -> RecordType:
    """The record type of a record or of its class."""
    return record.crm_type


@functools.cache
def mapper_registry(plugin: str) -> registry:
    """One SQLAlchemy registry per plugin, so that a broken plugin cannot break the kernel's classes."""
    return registry(metadata=MetaData())


def short_name(name: str) -> str:
    """A name of at most 63 bytes, PostgreSQL's limit; two that differ stay different."""
    return name if len(name) <= 63 else f"{name[:54]}_{zlib.crc32(name.encode()):08x}"


def link(types: Types) -> None:
    """Give the tables their foreign keys, now that every target is known; harmless when repeated.

    Foreign keys are checked at commit, because records refer to each other by id before they are written.
    """
    for record_type in types.values():
        present = {tuple(constraint.column_keys) for constraint in record_type.table.foreign_key_constraints}
        pairs = [(field.name, field.kind) for field in record_type.refs]
        if record_type.extends:
            pairs.append(("id", RefKind(record_type.extends)))
        for name, kind in pairs:
            assert isinstance(kind, RefKind)
            if (name,) in present:
                continue
            target = types.get(kind.target)
            if target is None:
                raise DeclarationError(
                    "{record}.{field} refers to {target!r}, which no plugin of this build declares.",
                    mend="Correct the name, or require the plugin that declares it.",
                    plugin=record_type.plugin,
                    record=record_type.name,
                    field=name,
                    target=kind.target,
                )
            if kind.on_delete == "restrict" and target.plugin != record_type.plugin:
                raise DeclarationError(
                    "{record}.{field} would block deletes of another plugin's {target}.",
                    mend="Use on_delete='cascade' or 'clear', and object in crm_check_changes.",
                    plugin=record_type.plugin,
                    record=record_type.name,
                    field=name,
                    target=kind.target,
                )
            record_type.table.append_constraint(
                ForeignKeyConstraint(
                    [record_type.table.c[name]],
                    [target.table.c.id],
                    name=short_name(f"fk_{record_type.table.name}_{name}"),
                    ondelete={"cascade": "CASCADE", "clear": "SET NULL", "restrict": None}[kind.on_delete],
                    deferrable=True,
                    initially="DEFERRED",
                )
            )
