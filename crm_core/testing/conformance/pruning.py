"""A database as if there were nothing but what one user sees: what they are shown must be the same there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from crm_core.records import RecordType
from crm_core.store.values import column_values
from crm_core.testing.conformance.population import PRINCIPAL

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.oracle import Row
    from crm_core.testing.conformance.organisations import Organisation

__all__ = ["prune"]

Key = tuple[str, int]
_GRANTS = ("unit", "user", "membership", "ownership", "share")
"""Who sees what follows from these."""


def prune(crm: Crm, organisation: Organisation, user: int) -> None:
    """Take away, past the journal, every row that a user may not see, and the restricted values that they may not read.

    What a visible row refers to stays, lest the reference lead nowhere, and so does what sight follows from.
    """
    with crm.system_session(PRINCIPAL) as session:
        gone = _gone(crm, organisation, user)
        for record_type in crm.types.values():
            ids = sorted(id_ for record, id_ in gone if record == record_type.name)
            if ids:
                session.core(delete(record_type.table).where(record_type.table.c.id.in_(ids)))
            closed = [
                field
                for field in record_type.restricted
                if field.optional and not organisation.oracle.reads(user, str(field.restricted))
            ]
            for field in closed:
                session.core(update(record_type.table).values(**column_values(field, None)))


def _gone(crm: Crm, organisation: Organisation, user: int) -> set[Key]:
    oracle = organisation.oracle
    gone = {
        (record, id_)
        for record, rows in oracle.rows.items()
        if record not in _GRANTS
        for id_ in rows
        if not oracle.sees(user, record, id_) and not _is_told(organisation, user, record, rows[id_])
    }
    kept = [key for key in _keys(organisation) if key not in gone and key[0] not in ("ownership", "share")]
    while kept:
        needed = {target for key in kept for target in _targets(crm, key, oracle.rows[key[0]][key[1]])} & gone
        gone -= needed
        kept = list(needed)
    for record in ("ownership", "share"):
        gone |= {(record, id_) for id_, row in oracle.rows[record].items() if ("account", row["account_id"]) in gone}
    return gone


def _is_told(organisation: Organisation, user: int, record: str, row: Row) -> bool:
    """That something was merged into a record is told to whoever sees that one."""
    return record == "redirect" and organisation.oracle.sees(user, row["record_type"], row["target_id"])


def _keys(organisation: Organisation) -> Iterator[Key]:
    for record, rows in organisation.oracle.rows.items():
        for id_ in rows:
            yield record, id_


def _targets(crm: Crm, key: Key, row: Row) -> Iterator[Key]:
    record_type: RecordType = crm.types[key[0]]
    if record_type.extends is not None:
        yield record_type.extends, key[1]
    for field in record_type.refs:
        if row[field.name] is not None:
            yield str(field.target), row[field.name]
    for reference in crm.build.policy.references:
        if reference.record == key[0] and row[reference.id_field] is not None:
            target = reference.target or (row[reference.type_field] if reference.type_field else None)
            if target is not None:
                yield target, row[reference.id_field]
