"""Many rows of every record, multiplied from a few that the plugin accepts; and what a look at them costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.errors import CrmError
from crm_core.testing.conformance.population import PRINCIPAL, Population
from crm_core.testing.conformance.states import declared_values

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.records import RecordType
from crm_core.testing.conformance.subject import Subject

__all__ = ["customers", "multiply", "samples"]

CUSTOMERS = ("account", "contact")


def _of_customers(record_type: RecordType) -> bool:
    """Whether each customer has records of a type of their own; others, such as programmes, are everybody's."""
    return record_type.name in CUSTOMERS or any(field.target in CUSTOMERS for field in record_type.refs)


def customers(crm: Crm, count: int) -> dict[str, list[int]]:
    """So many new accounts, each with a person; their ids, in order."""
    with crm.system_session(PRINCIPAL) as session:
        accounts = session.add_many(Account, [{"name": f"Customer {number}"} for number in range(count)])
        people = session.add_many(Contact, [{"name": f"Buyer {number}"} for number in range(count)])
        pairs = zip(accounts, people, strict=True)
        session.add_many(Affiliation, [{"account_id": account, "contact_id": person} for account, person in pairs])
    return {"account": accounts, "contact": people}


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


def multiply(
    crm: Crm, record_type: RecordType, some: Sequence[Mapping[str, Any]], ids: Mapping[str, Sequence[int]], count: int
) -> list[int] | CrmError:
    """Write so many rows like ``some``, each about the next one of ``ids``; their ids, or why they were refused."""
    rows: list[dict[str, Any]] = []
    for number in range(count):
        row = dict(some[number % len(some)])
        for field in record_type.refs:
            there = ids.get(str(field.target))
            if there and row[field.name] is not None and _of_customers(crm.types[str(field.target)]):
                row[field.name] = there[number % len(there)]
        if record_type.extends is not None:
            row["id"] = ids[record_type.extends][number]
        rows.append(row)
    try:
        with crm.system_session(PRINCIPAL) as session:
            return session.add_many(record_type.cls, rows)
    except CrmError as error:
        return error
