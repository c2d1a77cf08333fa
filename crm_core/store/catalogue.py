"""Catalogues kept in the database, because they must outlive the plugins they describe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import delete, insert, select

from crm_core.errors import BuildError, Problem
from crm_core.fields.kinds import RefKind
from crm_core.records import Types
from crm_core.store.absent import about
from crm_core.store.policy import Policy
from crm_core.store.tables import CUSTOM_FIELD, RECORD_TYPE, REFERENCE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["SOFT", "Reference", "alone", "read_references", "write_catalogues"]


SOFT = "soft"
"""The action of references that no foreign key keeps."""

# "crm_tell" in ASCII, where "crm_core" is the lock of migrations.
_LOCK = 0x63726D5F74656C6C


@attrs.frozen
class Reference:
    """A column that refers to a table, of whatever plugin."""

    table: str
    column: str
    target: str
    action: str
    type: str
    plugin: str
    type_column: str | None = None


def read_references(connection: Connection) -> dict[str, list[Reference]]:
    """All references by the table they point to; by ``soft`` those that no foreign key keeps."""
    found: dict[str, list[Reference]] = {}
    for row in connection.execute(select(REFERENCE).order_by(REFERENCE.c.table, REFERENCE.c.column)):
        found.setdefault(SOFT if row.action == SOFT else row.target, []).append(Reference(*row))
    return found


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Wait for others who prepare the same database, and let them wait: they would write the same rows.

    On SQLite each of their transactions excludes the others by itself.
    """
    with engine.begin() if engine.dialect.name == "postgresql" else nullcontext() as connection:
        if connection is not None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield


def write_catalogues(connection: Connection, types: Types, policy: Policy) -> None:
    """Bring the catalogues up to date for the plugins of this build; those of others stay as they are."""
    tables = [each.table.name for each in types.values()]
    connection.execute(delete(RECORD_TYPE).where(RECORD_TYPE.c.name.in_(types)))
    connection.execute(delete(REFERENCE).where(REFERENCE.c.table.in_(tables)))
    records = [
        {
            "name": each.name,
            "plugin": each.plugin,
            "table": each.table.name,
            "label": each.label,
            "about": about(each, policy.custom.get(each.name, {})),
        }
        for each in types.values()
    ]
    # An empty list would be one row of defaults.
    for table, rows in ((RECORD_TYPE, records), (REFERENCE, [*_references(types), *_soft(types, policy)])):
        if rows:
            connection.execute(insert(table), rows)
    _write_custom(connection, types, policy)


def _references(types: Types) -> Iterator[dict[str, Any]]:
    for record_type in types.values():
        references = [(field.name, field.kind) for field in record_type.refs]
        if record_type.extends:
            references.append(("id", RefKind(record_type.extends)))
        for column, kind in references:
            assert isinstance(kind, RefKind)
            yield {
                "table": record_type.table.name,
                "column": column,
                "target": types[kind.target].table.name,
                "action": kind.on_delete,
                "type": record_type.name,
                "plugin": record_type.plugin,
                "type_column": None,
            }


def _soft(types: Types, policy: Policy) -> Iterator[dict[str, Any]]:
    for soft in policy.references:
        owner = types.get(soft.record)
        if owner is not None:
            yield {
                "table": owner.table.name,
                "column": soft.id_field,
                "target": "" if soft.target is None else types[soft.target].table.name,
                "action": SOFT,
                "type": owner.name,
                "plugin": owner.plugin,
                "type_column": soft.type_field,
            }


def _write_custom(connection: Connection, types: Types, policy: Policy) -> None:
    # Fields on records of plugins that are switched off stay as they are.
    known = {(row.type, row.name): row.kind for row in connection.execute(select(CUSTOM_FIELD)) if row.type in types}
    problems = []
    wanted = {
        (type_name, name): field.kind.name
        for type_name, fields in policy.custom.items()
        for name, field in fields.items()
    }
    for key, kind in wanted.items():
        had = known.get(key)
        if had is None:
            connection.execute(insert(CUSTOM_FIELD).values(type=key[0], name=key[1], kind=kind, retired=False))
        elif had != kind:
            problems.append(
                Problem(
                    f"custom_fields.{key[0]}.{key[1]}",
                    "This name was used for a field of kind {had}; it cannot become {kind}.",
                    "Choose another name: old records and the journal still hold the old values.",
                    {"had": had, "kind": kind},
                )
            )
    if problems:
        raise BuildError("The custom fields do not fit this database.", problems)
    for type_name, name in known:
        connection.execute(
            CUSTOM_FIELD.update()
            .where(CUSTOM_FIELD.c.type == type_name, CUSTOM_FIELD.c.name == name)
            .values(retired=(type_name, name) not in wanted)
        )
