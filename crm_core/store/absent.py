"""Record types whose plugin is not loaded: what the kernel's catalogue knows of them.

A plugin that is switched off, broken or gone leaves tables and journal entries. Neither the erasure of a person nor
who reads a restricted field may depend on its code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.errors import Problem
from crm_core.fields import Field
from crm_core.records import RecordType
from crm_core.store.marks import ERASED
from crm_core.store.tables import RECORD_TYPE
from crm_core.store.values import column_values, decode_values, encode_values, key_column

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.session import CrmSession

__all__ = ["Absent", "about", "absent", "absent_of", "absent_type", "known_types", "not_loaded"]


@attrs.frozen(eq=False)
class Absent:
    """A record type by what stands in the catalogue.

    ``names`` are its personal fields, by their own names and those of their columns; ``tombstone`` what replaces them
    in a row, by column; ``telling`` those by which people know a person; ``custom`` its personal custom fields.
    ``targets`` gives for each reference the record type that it points to, ``restricted`` for each closed field (and
    each of its columns) the permission that opens it.
    """

    name: str
    plugin: str
    table: str
    label: str
    names: frozenset[str] = frozenset()
    tombstone: Mapping[str, Any] = attrs.field(factory=dict)
    telling: frozenset[str] = frozenset()
    custom: frozenset[str] = frozenset()
    targets: Mapping[str, str] = attrs.field(factory=dict)
    restricted: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def extends(self) -> str | None:
        """The record type that it extends, if it is an extension."""
        return self.targets.get("id")


def about(record_type: RecordType, custom: Mapping[str, Field]) -> str:
    """What the catalogue keeps of a type, as JSON."""
    tombstone: dict[str, Any] = {}
    for field in record_type.fields:
        if field.personal:
            tombstone |= column_values(field, None if field.optional else ERASED)
    targets = {field.name: field.target for field in record_type.refs}
    if record_type.extends:
        targets["id"] = record_type.extends
    closed = [(field, str(field.restricted)) for field in record_type.restricted]
    return encode_values(
        {
            "names": sorted(
                name
                for field in record_type.fields
                if field.personal
                for name in (field.name, key_column(field), *field.column_names)
            ),
            "telling": sorted(field.name for field in record_type.fields if field.personal and field.search),
            "tombstone": tombstone,
            "custom": sorted(name for name, field in custom.items() if field.personal),
            "targets": targets,
            "restricted": {
                name: permission
                for field, permission in closed
                for name in (field.name, key_column(field), *field.column_names)
            },
        }
    )


def known_types(connection: Connection) -> dict[str, Absent]:
    """Every record type that this database was ever used with."""
    rows = connection.execute(select(RECORD_TYPE).order_by(RECORD_TYPE.c.name))
    return {row.name: absent_of(row._mapping) for row in rows}


def absent(session: CrmSession) -> list[Absent]:
    """The known types that are not in the build."""
    query = select(RECORD_TYPE).where(RECORD_TYPE.c.name.not_in(sorted(session.types))).order_by(RECORD_TYPE.c.name)
    return [absent_of(row._mapping) for row in session.core(query)]


def absent_type(session: CrmSession, name: str) -> Absent | None:
    """One of them; ``None`` for a type of the build, and for one that was never here."""
    if name in session.types:
        return None
    row = session.core(select(RECORD_TYPE).where(RECORD_TYPE.c.name == name)).first()
    return None if row is None else absent_of(row._mapping)


def not_loaded(name: str, plugin: str) -> Problem:
    """That a known type's plugin is not loaded, where nobody knows why."""
    return Problem(
        name, "The record type {name!r} belongs to the plugin {plugin}, which is not loaded.", "Load the plugin.",
        {"name": name, "plugin": plugin},
    )  # fmt: skip


def absent_of(row: Any) -> Absent:
    """A row of the catalogue."""
    known = decode_values(None, row["about"])
    return Absent(
        row["name"], row["plugin"], row["table"], row["label"],
        frozenset(known.get("names", ())), known.get("tombstone", {}), frozenset(known.get("telling", ())),
        frozenset(known.get("custom", ())), known.get("targets", {}), known.get("restricted", {}),
    )  # fmt: skip
