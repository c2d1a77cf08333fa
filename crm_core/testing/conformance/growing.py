"""Many rows of every record, multiplied from a few that the plugin accepts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.errors import CrmError
from crm_core.testing.conformance.intervals import spread
from crm_core.testing.conformance.population import PRINCIPAL, Population
from crm_core.testing.conformance.report import one_line
from crm_core.testing.conformance.states import declared_values

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.records import RecordType
    from crm_core.testing.conformance.subject import Subject

__all__ = ["customers", "multiply", "multiply_all", "samples"]

CUSTOMERS = ("account", "contact")


def _of_customers(record_type: RecordType) -> bool:
    """Whether each customer has records of a type of their own; others, such as programmes, are everybody's."""
    return record_type.name in CUSTOMERS or any(field.target in CUSTOMERS for field in record_type.refs)


def customers(crm: Crm, count: int, owner: int) -> dict[str, list[int]]:
    """So many new accounts of an ``owner``, each with a person and a call; their ids by record type, in order."""
    with crm.system_session(PRINCIPAL) as session:
        accounts = session.add_many(Account, [{"name": f"Customer {number}"} for number in range(count)])
        people = session.add_many(Contact, [{"name": f"Buyer {number}"} for number in range(count)])
        pairs = list(zip(accounts, people, strict=True))
        owned = {"user_id": owner, "role": OwnershipRole.OWNER}
        session.add_many(Ownership, [{"account_id": account, **owned} for account in accounts])
        session.add_many(Affiliation, [{"account_id": account, "contact_id": person} for account, person in pairs])
        start = session.now - dt.timedelta(days=1)
        call = {"kind": "call", "subject": "First call", "planned_start": start, "user_id": owner}
        calls = session.add_many(
            Activity, [{"account_id": account, "contact_id": person, **call} for account, person in pairs]
        )
    return {"account": accounts, "contact": people, "activity": calls}


def samples(subject: Subject, crm: Crm, population: Population) -> dict[str, list[dict[str, Any]]]:
    """Values of rows that were accepted, by record type."""
    found: dict[str, list[dict[str, Any]]] = {}
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        for record_type in subject.types:
            rows = session.list(record_type.cls, limit=None, all_dates=True)
            found[record_type.name] = [
                declared_values(record_type, row) for row in rows if row.id in population.ids[record_type.name]
            ]
    return found


def multiply_all(
    subject: Subject,
    crm: Crm,
    population: Population,
    ids: Mapping[str, Sequence[int]],
    count: int,
    check: str,
) -> dict[str, list[int]]:
    """Write so many rows of every record of the plugin, about those ``ids``; their own ids by record type.

    What could not be multiplied is noted as a remark to ``check``.
    """
    some = samples(subject, crm, population)
    found: dict[str, list[int]] = {}
    for record_type in subject.types:
        if not some[record_type.name]:
            continue
        made = multiply(crm, record_type, some[record_type.name], {**ids, **found}, count)
        if isinstance(made, CrmError):
            subject.note(check, "Rows of {record} could not be multiplied: {reason}", record=record_type.name,
                         reason=one_line(made))  # fmt: skip
        else:
            found[record_type.name] = made
    return found


def multiply(
    crm: Crm, record_type: RecordType, some: Sequence[Mapping[str, Any]], ids: Mapping[str, Sequence[int]], count: int
) -> list[int] | CrmError:
    """Write so many rows like ``some``, each about the next one of ``ids``; their ids, or why they were refused.

    Of an extension there are as many as there are records that have none. Where only one row may hold at a time, rows
    follow one another.
    """
    rows: list[dict[str, Any]] = []
    free = iter(() if record_type.extends is None else _without(crm, record_type, ids[record_type.extends]))
    for number in range(count):
        row = dict(some[number % len(some)])
        for field in record_type.refs:
            there = ids.get(str(field.target))
            if there and row[field.name] is not None and _of_customers(crm.types[str(field.target)]):
                row[field.name] = there[number % len(there)]
        if record_type.extends is not None:
            extended = next(free, None)
            if extended is None:
                break
            row["id"] = extended
        rows.append(row)
    try:
        with crm.system_session(PRINCIPAL) as session:
            return session.add_many(record_type.cls, spread(session, record_type, rows))
    except CrmError as error:
        return error


def _without(crm: Crm, record_type: RecordType, ids: Sequence[int]) -> list[int]:
    """Those that have no extension of this type yet."""
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        there = set(session.core(select(record_type.table.c.id)).scalars())
    return [id_ for id_ in ids if id_ not in there]
