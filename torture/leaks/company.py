"""Organisations with every plugin at once: roles, places, ownership, shares, pools, and rows of all record types."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import json
import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from crm_core import Crm, CrmSession
from crm_core.assembly.discovery import installed
from crm_core.assembly.load import assemble
from crm_core.store.differences import RAW
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.testing.conformance.databases import Databases
from crm_core.testing.conformance.marks import Lively, Mark, marks_in, owners
from crm_core.testing.conformance.oracle import Oracle, honest_roles, rows_of
from crm_core.testing.conformance.organisations import Organisation, Size, company, sign
from crm_core.testing.conformance.population import PRINCIPAL, populate
from crm_core.testing.conformance.subject import Subject
from torture.leaks.kernel_rows import further_rows, past

__all__ = ["SIZES", "Company", "Size", "companies"]

SIZES: Sequence[tuple[Size, int]] = (
    (Size(units=6, users=10, accounts=14, people=12, activities=20, shares=10), 8),
    (Size(units=9, users=14, accounts=30, people=30, activities=50, shares=20), 16),
    (Size(units=14, users=20, accounts=80, people=70, activities=120, shares=50), 30),
)
"""How large organisations are, in turns, with how many rows of each record of a plugin."""

_SCOPES = ("own", "unit", "subtree", "all")
_POOL_FIELDS = ["name", "grade"]


class Together(Subject):
    """Every installed plugin in one build, with further sections of the build file."""

    def __init__(self, databases: Databases, sections: Mapping[str, Any], now: dt.datetime) -> None:
        found = sorted(installed(), key=lambda each: each.name)
        super().__init__(found[0], databases, config=sections)
        self.names = tuple(each.name for each in found)
        self.now = now

    @property
    def config(self) -> dict[str, Any]:
        """The build file with all of them."""
        return self.config_of(*self.names)


class Company:
    """One organisation in a database, and how to open it.

    ``marks`` are those of its rows and of its journal: whose a word is that stands there, or stood there once.
    ``change_sets`` are the ids of all, with the user who made each.
    """

    def __init__(
        self,
        subject: Together,
        address: str,
        seed: int,
        organisation: Organisation,
        marks: Mapping[str, Sequence[Mark]],
        change_sets: Mapping[int, int | None],
    ) -> None:
        self.subject = subject
        self.marks = marks
        self.change_sets = change_sets
        self.address = address
        self.seed = seed
        self.organisation = organisation

    @property
    def template(self) -> str:
        """The name of the database that copies are made of."""
        return f"company {self.seed}"

    @contextmanager
    def opened(self, address: str | None = None) -> Iterator[Crm]:
        """The build on this database, or on a copy of it; its clock stands still."""
        with _opened(self.subject, address or self.address, self.subject.now) as crm:
            yield crm

    @property
    def hints(self) -> bool:
        """Whether departments are warned of what others spend on a prospect, whose touches they do not see."""
        return _hints(self.seed)

    @functools.cached_property
    def about(self) -> Mapping[int, int]:
        """How many records hang directly on each account: what a view of it could tell of, besides itself."""
        rows = self.organisation.oracle.rows
        counted = dict.fromkeys(rows["account"], 1)
        for name, record_type in self.organisation.oracle.types.items():
            fields = [field.name for field in record_type.refs if field.target == "account"]
            fields += ["id"] if record_type.extends == "account" else []
            for row in rows[name].values():
                for account in {row[field] for field in fields} - {None}:
                    counted[account] += 1
        return counted


def companies(
    databases: Databases, seed: int, sizes: Sequence[tuple[Size, int]] = SIZES
) -> Generator[Company, None, None]:
    """Organisations without end, each on a database that goes with the next one."""
    for number in itertools.count():
        size, each = sizes[number % len(sizes)]
        with _made(databases, seed * 1000 + number, size, each) as made:
            yield made


@contextmanager
def _made(databases: Databases, seed: int, size: Size, each: int) -> Iterator[Company]:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    subject = Together(databases, _sections(random.Random(seed), hints=_hints(seed)), now)

    def prepare(address: str) -> None:
        _invent(subject, address, seed, size, each)

    with databases.new(f"company {seed}", prepare) as address:
        with _opened(subject, address, now) as crm, crm.system_session(PRINCIPAL, read_only=True) as session:
            rows = rows_of(session)
            types = crm.build.types
            marks = {**_past_marks(session), **owners(rows, types)}
            made = session.core(select(CHANGE_SET.c.id, CHANGE_SET.c.user_id)).all()
            oracle = Oracle(types, honest_roles(crm.build), rows, now)
        logins = {id_: row["login"] for id_, row in rows["user"].items()}
        organisation = Organisation(seed, now, logins, oracle, marks)
        yield Company(subject, address, seed, organisation, marks, {row.id: row.user_id for row in made})


def _past_marks(session: CrmSession) -> dict[str, list[Mark]]:
    """Whose the words are that the journal holds."""
    found: dict[str, list[Mark]] = {}
    for row in session.core(select(CHANGE.c.type, CHANGE.c.record_id, CHANGE.c.before, CHANGE.c.after)):
        for values in (row.before, row.after):
            for name, value in _fields(json.loads(values) if values else {}):
                for word in marks_in(str(value)):
                    mark = Mark(row.type, row.record_id, name)
                    if mark not in found.setdefault(word, []):
                        found[word].append(mark)
    return found


def _fields(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values by field, also where a row was kept as it lay in its table."""
    for name, value in values.items():
        if name == RAW:
            yield from _fields(value)
        else:
            yield name, value


@contextmanager
def _opened(subject: Together, address: str, now: dt.datetime) -> Iterator[Crm]:
    with Crm.open(subject.config, database=address, check=False, clock=lambda: now) as crm:
        yield crm


def _invent(subject: Together, address: str, seed: int, size: Size, each: int) -> None:
    """Written a month ago, changed a week ago, so that there is a past that differs."""
    chance = random.Random(seed)
    lively = Lively(chance, subject.now, _soft(subject))
    with _opened(subject, address, subject.now - dt.timedelta(days=30)) as crm:
        crm.migrate()
        roles = [name for name in sorted(crm.build.policy.roles) if name.startswith("made_")]
        roles += ["sales", "manager", "steward", "administrator", "sales", "manager"]
        with crm.system_session(PRINCIPAL) as session:
            population = company(session, chance, lively, roles, size, [*roles, "reader", "editor"])
        populate(subject, crm, population, each=each, seed=seed, liven=lively)
        further_rows(subject, crm, population, chance, lively, each)
    with _opened(subject, address, subject.now - dt.timedelta(days=7)) as crm:
        past(crm, chance, lively)
        with crm.system_session(PRINCIPAL) as session:
            sign(session, chance, population.ids["user"])


def _soft(subject: Together) -> list[tuple[str, str]]:
    """Halves of soft references, which no word may replace."""
    return [
        (reference.record, name)
        for reference in subject.build.policy.references
        for name in (reference.id_field, reference.type_field)
        if name is not None
    ]


def _hints(seed: int) -> bool:
    return seed % 4 == 3


def _sections(chance: random.Random, *, hints: bool) -> dict[str, Any]:
    """Roles that reach differently for different records, pools, duties, fields of the customer's own, key fields."""
    plain = assemble({"crm": {"plugins": [each.name for each in installed()]}}, strict=True)
    permissions = sorted(plain.policy.permissions)
    roles = {f"made_{number}": {"permissions": _role(chance, permissions)} for number in range(9)}
    return {
        "crm": {"creator_owns": chance.random() < 0.5},
        "roles": {**roles, "made_nothing": {"permissions": {}}},
        "pools": {
            "best": {
                "where": 'grade == "A"', "roles": ["sales", "made_0", "made_1"], "show": _POOL_FIELDS,
                "recycle": [{"without": "held_activity", "days": 5}],
            },
            "rest": {"roles": ["made_2", "manager"], "show": ["name", "industry"]},
        },
        "custom_fields": {"account": {"motto": {"kind": "text"}}, "contact": {"hobby": {"kind": "text"}}},
        "duties": {
            "people": {"record": "contact", "who": ["owner", "collaborator"], "every_days": 3},
            "firms": {"record": "account", "who": ["owner"], "every_days": 10, "each": True},
        },
        "plugins": {"industrial": {"second_department_days": 90 if hints else 0}},
        "steward": {"key_fields": {"account": ["registration_number"]}, "stale_days": 10},
    }  # fmt: skip


def _role(chance: random.Random, permissions: Sequence[str]) -> dict[str, str]:
    """Mostly one scope, here and there another one or none; writing less often than reading."""
    usual = chance.choice((None, *_SCOPES, "own", "subtree"))
    granted: dict[str, str] = {}
    for permission in permissions:
        reads = permission.rpartition(".")[2].startswith("read")
        scope = usual if chance.random() < (0.8 if reads else 0.4) else chance.choice((None, None, *_SCOPES))
        if scope is not None and (reads or chance.random() < 0.5):
            granted[permission] = scope
    if chance.random() < 0.7:
        granted["account.read"] = granted.get("account.read") or chance.choice(_SCOPES)
    return granted
