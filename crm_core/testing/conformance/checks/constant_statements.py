"""What people look at takes as many statements for two hundred customers as for ten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from crm_core.errors import CrmError
from crm_core.testing.conformance.asking import ASKED, arguments, implementations, place_of
from crm_core.testing.conformance.growing import customers, multiply, samples
from crm_core.testing.conformance.population import PRINCIPAL, company, populate
from crm_core.testing.conformance.report import Check, Finding
from crm_core.testing.statements import counted

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "constant-statements"
FEW, MANY = 10, 200
_SLACK = 4
"""So many statements more may depend on what the rows say."""


def _look(subject: Subject) -> Iterator[Finding]:
    with subject.crm() as crm:
        population = populate(subject, crm, company(crm), each=subject.examples, seed=subject.seeds[0])
        some = samples(subject, crm, population)
        ids: dict[str, Sequence[int]] = dict(customers(crm, MANY))
        for record_type in subject.types:
            if not some[record_type.name]:
                continue
            made = multiply(crm, record_type, some[record_type.name], ids, MANY)
            if isinstance(made, CrmError):
                subject.note(NAME, "Rows of {record} could not be multiplied: {reason}", record=record_type.name,
                             reason=" ".join(made.text().split())[:200])  # fmt: skip
            else:
                ids[record_type.name] = made
        accounts = list(ids["account"])
        few, many = _counts(subject, crm, accounts[:FEW]), _counts(subject, crm, accounts)
        for where, (name, least) in few.items():
            most = many[where][1]
            if most > least + _SLACK:
                yield Finding(
                    NAME,
                    "{name} runs {least} statements for {few} and {most} for {many}.",
                    where,
                    "Ask about all of them at once, where(Record.account_id.in_(accounts)), and sort the rows after.",
                    {"name": name, "least": least, "most": most, "few": FEW, "many": MANY},
                )


def _counts(subject: Subject, crm: Crm, accounts: Sequence[int]) -> dict[str, tuple[str, int]]:
    """How many statements each part runs, by its place."""
    found: dict[str, tuple[str, int]] = {}
    with crm.session("zhou", read_only=True) as session:
        asked = arguments(crm, session, accounts)
        for call in implementations(crm, subject.plugin, ASKED):
            list(call(asked[call.hook]) or ())  # what a session learns once is no matter
            with counted(crm) as seen:
                list(call(asked[call.hook]) or ())
            found[place_of(subject, call)] = (call.hook, len(seen))
    with crm.system_session(PRINCIPAL, read_only=True) as session:
        for record_type in subject.types:
            with counted(crm) as seen:
                page = session.list(record_type.cls, limit=len(accounts))
                for row in page:
                    for field in record_type.fields:
                        getattr(row, field.name)
            found[record_type.name] = (f"A page of {record_type.name}", len(seen))
    return found


CHECK = Check(
    NAME,
    "Its parts of what people look at, and pages of its records, take as many statements for 200 customers as for 10.",
    _look,
    database=True,
)
