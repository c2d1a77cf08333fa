"""What people look at takes as many statements for two hundred customers, or rows of one customer, as for ten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from crm_core.domain.accounts import Account
from crm_core.testing.conformance.asking import ASKED, arguments, implementations, place_of
from crm_core.testing.conformance.commanding import run_command
from crm_core.testing.conformance.growing import customers, multiply_all
from crm_core.testing.conformance.population import PRINCIPAL, SEES_ALL, Population, company, populate
from crm_core.testing.conformance.report import Check, Finding
from crm_core.testing.conformance.views import OVERVIEWS
from crm_core.testing.statements import counted

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK"]

NAME = "constant-statements"
FEW, MANY = 10, 200
_SLACK = 4
"""So many statements more may depend on what the rows say."""

Counts = dict[str, tuple[str, int]]
"""How many statements each part runs, with its name, by its place."""


def _look(subject: Subject) -> Iterator[Finding]:
    with subject.crm() as crm:
        population = populate(subject, crm, company(crm), each=subject.examples, seed=subject.seeds[0])
        owner = population.ids["user"][0]
        ids: dict[str, Sequence[int]] = dict(customers(crm, MANY, owner))
        ids |= multiply_all(subject, crm, population, ids, MANY, NAME)
        accounts = list(ids["account"])
        few, many = _of_many(subject, crm, accounts[:FEW]), _of_many(subject, crm, accounts)
        yield from _compared(
            few,
            many,
            "{name} runs {least} statements for {few} customers and {most} for {many}.",
            "Ask about all of them at once, where(Record.account_id.in_(accounts)), and sort the rows after.",
        )
        one = customers(crm, 1, owner)
        few, many = _of_one(subject, crm, population, one, FEW), _of_one(subject, crm, population, one, MANY - FEW)
        yield from _compared(
            few,
            many,
            "{name} runs {least} statements for a customer with {few} rows of each record and {most} for one with "
            "{many}.",
            "Ask once about all that the rows refer to, where(Record.id.in_(ids)), or join it; what a row leads to by "
            "a navigation is asked for each row.",
        )
        yield from _compared(
            _listed(subject, crm, FEW),
            _listed(subject, crm, MANY),
            "{name} runs {least} statements for {few} rows and {most} for {many}.",
            "Let nothing that happens when a row is loaded, or that a field is computed from, ask the database.",
        )


def _compared(few: Counts, many: Counts, what: str, mend: str) -> Iterator[Finding]:
    for where, (name, least) in few.items():
        most = many[where][1]
        if most > least + _SLACK:
            values = {"name": name, "least": least, "most": most, "few": FEW, "many": MANY}
            yield Finding(NAME, what, where, mend, values)


def _of_many(subject: Subject, crm: Crm, accounts: Sequence[int]) -> Counts:
    """What the plugin tells about many customers."""
    found: Counts = {}
    with crm.session(SEES_ALL, read_only=True) as session:
        asked = arguments(crm, session, accounts)
        for call in implementations(crm, subject.plugin, ASKED):
            list(call(asked[call.hook]) or ())  # what a session learns once is no matter
            with counted(crm) as seen:
                list(call(asked[call.hook]) or ())
            found[place_of(subject, call)] = (call.hook, len(seen))
    return found


def _of_one(
    subject: Subject, crm: Crm, population: Population, customer: Mapping[str, Sequence[int]], more: int
) -> Counts:
    """What the kernel shows of one customer who has so many more rows, the plugin's parts within it."""
    multiply_all(subject, crm, population, customer, more, NAME)
    found: Counts = {}
    for name, look in OVERVIEWS.items():
        with crm.session(SEES_ALL, read_only=True) as session:
            account = session.require(Account, customer["account"][0])
            look(session, account)
            session.expunge_all()
            account = session.require(Account, account.id)
            with counted(crm) as seen:
                look(session, account)
        found[f"{subject.plugin}: {name}"] = (name, len(seen))
    return found


def _listed(subject: Subject, crm: Crm, limit: int) -> Counts:
    """Pages of the plugin's records, and the command that prints one."""
    found: Counts = {}
    for record_type in subject.types:
        with crm.system_session(PRINCIPAL, read_only=True) as session, counted(crm) as seen:
            for row in session.list(record_type.cls, limit=limit, all_dates=True):
                for field in record_type.fields:
                    getattr(row, field.name)
        found[record_type.name] = (f"A page of {record_type.name}", len(seen))
        for form in ((), ("--json",)):
            line = ["list", record_type.name, "--all-dates", "--limit", str(limit), *form]
            with counted(crm) as seen:
                run_command(None, SEES_ALL, line, crm)
            said = " ".join(["crm", *line[:3], *form])
            found[said] = (f"'{said}'", len(seen))
    return found


CHECK = Check(
    NAME,
    "Its parts of what people look at take as many statements for 200 customers as for 10; so do the kernel's views of "
    "one customer, and pages and lists of its records, for 200 of its rows.",
    _look,
    database=True,
    alike=True,
)
