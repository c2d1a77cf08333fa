"""A run: organisation after organisation, user after user, until enough decisions were compared."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import attrs
import click
from structlog.testing import capture_logs

from crm_core.testing.conformance.databases import Databases
from torture.leaks.asker import Asker
from torture.leaks.commands import commands
from torture.leaks.company import SIZES, Company, Size, companies
from torture.leaks.exports import exports
from torture.leaks.questions import questions
from torture.leaks.refusals import refusals
from torture.leaks.statements import statements
from torture.leaks.tally import Tally
from torture.leaks.verbs import verbs
from torture.leaks.views import views

__all__ = ["GROUPS", "Run", "run"]

Group = Callable[[Asker], None]

GROUPS: Mapping[str, Group] = {
    "statements": statements,
    "questions": questions,
    "verbs": verbs,
    "refusals": refusals,
    "exports": exports,
    "views": views,
    "commands": commands,
}
"""What is asked, in the order in which it is asked."""

_USERS = 10
_SEVERAL: Mapping[str, int] = {"views": 3, "commands": 1}
"""Of groups that need the database a second time, without what a user does not see: how many users ask."""


@attrs.define
class Run:
    """What was asked so far: of the groups that are ``wanted`` those in ``asked``, until ``probes`` were compared."""

    tally: Tally = attrs.field(factory=Tally)
    organisations: int = 0
    users: int = 0
    records: int = 0
    types: int = 0
    probes: int = 0
    wanted: Collection[str] = ()
    asked: set[str] = attrs.field(factory=set)

    @property
    def left_out(self) -> list[str]:
        """The groups that were wanted, and never asked."""
        return [name for name in self.wanted if name not in self.asked]


def run(
    found: Run,
    address: str | None,
    folder: Path,
    *,
    probes: int,
    seed: int,
    groups: Mapping[str, Group] = GROUPS,
    sizes: Sequence[tuple[Size, int]] = SIZES,
) -> None:
    """Ask until ``probes`` decisions were compared, and note them.

    ``address`` is that of a PostgreSQL server, or SQLite is used.
    """
    databases = Databases(address, folder)
    made = companies(databases, seed, sizes)
    found.probes, found.wanted = probes, tuple(groups)
    try:
        while found.tally.total < probes:
            company = next(made)
            found.organisations += 1
            found.records += sum(map(len, company.organisation.oracle.rows.values()))
            found.types = len(company.organisation.oracle.types)
            _organisation(company, found, probes, groups)
    finally:
        made.close()
        databases.close()


def _organisation(company: Company, found: Run, probes: int, groups: Mapping[str, Group]) -> None:
    chance = random.Random(company.seed)
    users = sorted(company.organisation.logins)
    chosen = chance.sample(users, min(_USERS, len(users)))
    for number, user in enumerate(chosen):
        found.users += 1
        with company.opened() as crm:
            asker = Asker(company, crm, user, bool(number % 2), found.tally, chance)
            for name, group in groups.items():
                if found.tally.total >= probes and number >= _SEVERAL.get(name, 0):
                    return
                if number < _SEVERAL.get(name, len(chosen)):
                    found.tally.who = (
                        f"organisation {company.seed}, {asker.login}, {'wide' if asker.wide else 'narrow'}"
                    )
                    with capture_logs():
                        group(asker)
                    found.asked.add(name)
                    _tell(found)


def _tell(found: Run) -> None:
    tally = found.tally
    click.echo(
        f"\r{tally.total:,} probes, {found.organisations} organisations, {found.users} users; "
        f"leaks {tally.of('leak')}, wrongly hidden {tally.of('hidden')}  ",
        nl=False,
        err=True,
    )
