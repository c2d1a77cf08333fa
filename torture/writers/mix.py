"""What people do all day, mixed at random: one person's part of it, in one process."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
from sqlalchemy import select

from crm_core import (
    Account,
    Activity,
    Conflict,
    Contact,
    Crm,
    CrmError,
    contacts,
    jobs,
    ownership,
    pools,
)
from crm_core.exchange import run_import
from crm_core.jobs import Worker
from crm_core.store import feed
from crm_core.store.changes import ChangeSet
from crm_core.views import overview
from torture.faults.ground import Ground, write_rows

__all__ = ["Done", "Follower", "Reader", "Writer", "counted"]

_TRIES = 30
_SHARED, _OWN = 6, 6
"""Rows of an import that all have in common, and those of one's own."""


@attrs.define
class Done:
    """What one process did, and what it was told.

    ``counts`` counts by what was done and how it ended (``done``, ``conflict``, ``refused``, ``error``). ``raised`` is
    by how much somebody raised each of the numbers that all raise, ``names`` what they called the accounts that nobody
    else renames, ``claimed`` the accounts that were theirs once, ``told`` the change sets that were committed.
    ``errors`` are failures that a user would not understand.
    """

    counts: dict[str, dict[str, int]] = attrs.field(factory=dict)
    raised: dict[str, int] = attrs.field(factory=dict)
    names: dict[str, str] = attrs.field(factory=dict)
    claimed: list[tuple[int, str]] = attrs.field(factory=list)
    told: list[int] = attrs.field(factory=list)
    errors: list[str] = attrs.field(factory=list)
    slowest: float = 0.0

    def count(self, what: str, how: str) -> None:
        """One more that ended so."""
        ended = self.counts.setdefault(what, {})
        ended[how] = ended.get(how, 0) + 1

    def write(self, file: Path) -> None:
        """For the process that judges."""
        file.write_text(json.dumps(attrs.asdict(self)), encoding="utf-8")


class _Person:
    """Somebody who does this and that, by chance: how often of all, and what, by its name.

    ``_foreseen`` are errors that a user understands, each with how what meets one counts.
    """

    _foreseen: ClassVar[Sequence[tuple[type[CrmError], str]]] = ()
    _kinds: Mapping[str, tuple[int, Callable[[], object]]]

    def __init__(self, ground: Ground, crm: Crm, number: int, seed: int) -> None:
        self.ground, self.crm, self.number = ground, crm, number
        self.chance = random.Random(f"{type(self).__name__} {seed} {number}")
        self.facts: Mapping[str, Any] = ground.facts
        self.login = self.facts["sellers"][number % len(self.facts["sellers"])]
        self.done = Done()

    def until(self, end: float) -> Done:
        """Go on until a moment (of the monotonic clock), and finish what was begun."""
        weights = [weight for weight, _ in self._kinds.values()]
        while time.monotonic() < end:
            (what,) = self.chance.choices(list(self._kinds), weights)
            began = time.monotonic()
            self.done.count(what, self._ended(what))
            self.done.slowest = max(self.done.slowest, time.monotonic() - began)
        return self.done

    def _ended(self, what: str) -> str:
        try:
            self._kinds[what][1]()
        except Exception as error:
            for kind, how in self._foreseen:
                if isinstance(error, kind):
                    return how
            self.done.errors.append(f"{what}: {type(error).__name__}: {error}"[:300])
            return "error"
        return "done"


class Writer(_Person):
    """A salesperson with all that happens around one."""

    _foreseen = ((Conflict, "conflict"), (CrmError, "refused"))

    def __init__(self, ground: Ground, crm: Crm, number: int, seed: int) -> None:
        super().__init__(ground, crm, number, seed)
        self.own: list[int] = self.facts["own"][number]
        self._numbers = 0
        self._kinds = {
            "create": (4, self._create),
            "edit the same": (4, self._raise),
            "edit others": (4, self._rename),
            "claim": (3, self._claim),
            "give back": (1, self._release),
            "transfer": (3, self._transfer),
            "import": (1, self._import),
            "worker": (2, self._work),
        }

    def _told(self, change_set: int | None) -> None:
        if change_set is not None:
            self.done.told.append(change_set)

    def _name(self, word: str) -> str:
        self._numbers += 1
        return f"{word} {self.number}-{self._numbers}"

    def _create(self) -> None:
        with self.crm.session(self.login) as session:
            account = session.add_one(Account(name=self._name("Made")))
            contacts.affiliate(session, session.add_one(Contact(name=self._name("Person"))), account)
        self._told(session.last_change_set)

    def _raise(self) -> None:
        """Somebody else may have raised it since: then it is read and raised anew, as a user would."""
        id_ = self.chance.choice(self.facts["hot"])
        for _ in range(_TRIES):
            try:
                with self.crm.system_session("writer", reason=self.login) as session:
                    account = session.require(Account, id_)
                    account.employees = (account.employees or 0) + 1
            except Conflict:
                self.done.count("edit the same", "conflict")
                continue
            self._told(session.last_change_set)
            self.done.raised[str(id_)] = self.done.raised.get(str(id_), 0) + 1
            return

    def _rename(self) -> None:
        id_, name = self.chance.choice(self.own), self._name("Renamed")
        with self.crm.system_session("writer", reason=self.login) as session:
            session.require(Account, id_).name = name
            session.add(Activity(kind="visit", account_id=id_, subject=name))
        self._told(session.last_change_set)
        self.done.names[str(id_)] = name

    def _claim(self) -> None:
        id_ = self.chance.choice(self.facts["free"])
        with self.crm.session(self.login, reason="mine") as session:
            pools.claim(session, "all", id_)
        self._told(session.last_change_set)
        self.done.claimed.append((id_, self.login))

    def _release(self) -> None:
        if not self.done.claimed:
            return
        id_, _ = self.chance.choice(self.done.claimed)
        with self.crm.session(self.login) as session:
            pools.release(session, id_, reason="enough")
        self._told(session.last_change_set)

    def _transfer(self) -> None:
        id_ = self.chance.choice(self.facts["owned"])
        to = self.chance.choice(self.facts["sellers"])
        with self.crm.session("director", reason="balance") as session:
            ownership.transfer(session, session.require(Account, id_), to=to)
        self._told(session.last_change_set)

    def _import(self) -> None:
        """Rows of one's own come first, so that a transaction which began early changes late what all change."""
        folder = self.ground.folder / f"import-{self.number}"
        first = 10_000 + self.number * 100
        numbers = [*range(first, first + _OWN), *range(_SHARED)]
        if self.chance.random() < 0.5:
            numbers.reverse()
        write_rows(folder, numbers, self._name("imported"))
        report = run_import(self.crm, folder / "mapping.toml", folder)
        self._told(report.change_set)
        if report.rejected:
            # There is nothing wrong with any row, so that none may be refused because somebody else was writing.
            raise RuntimeError(f"{report.rejected} rows were rejected: {report.first_rejects[0].reason}")

    def _work(self) -> None:
        with self.crm.system_session("writer") as session:
            jobs.enqueue(session, "tortured.count", {"number": self.number})
        Worker(self.crm, poll=0.01).once()


class Reader(_Person):
    """Somebody who only looks, and looks at everything: nothing of that may be refused."""

    def __init__(self, ground: Ground, crm: Crm, number: int, seed: int) -> None:
        super().__init__(ground, crm, number, seed)
        self._kinds = {
            "page": (1, self._page), "search": (1, self._search), "overview": (1, self._overview),
            "past": (1, self._past),
        }  # fmt: skip

    def _page(self) -> None:
        with self.crm.session(self.login, read_only=True) as session:
            session.list(Account, order="name")
            session.count(Account)

    def _search(self) -> None:
        with self.crm.session(self.login, read_only=True) as session:
            session.search("Firm")

    def _overview(self) -> None:
        with self.crm.session("director", read_only=True) as session:
            overview(session, session.require(Account, self.chance.choice(self.facts["hot"])))

    def _past(self) -> None:
        with self.crm.store.reading() as connection:
            moment = self.crm.store.clock()
            connection.execute(select(1))
        with self.crm.session("director", as_of=moment) as session:
            session.list(Account, limit=20)


class Follower:
    """A consumer of the feed that keeps a copy of every record by nothing but what it is told."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.position = feed.Position()
        self.told: list[int] = []
        self.copy: dict[tuple[str, int], dict[str, Any]] = {}

    def read(self, page: int = 50) -> int:
        """Read on; returns how many change sets there were."""
        with self.crm.store.reading() as connection:
            found = feed.read(connection, self.crm.types, self.position, page)
        for position, each in found:
            self.position = position
            self._take(each)
        return len(found)

    def _take(self, change_set: ChangeSet) -> None:
        self.told.append(change_set.id)
        for change in change_set.changes:
            key = (change.type, change.id)
            if change.operation == "delete":
                self.copy.pop(key, None)
                continue
            values = {**self.copy.get(key, {}), **{k: v for k, v in change.after.items() if k != "custom"}}
            if "custom" in change.after:
                values["custom"] = {**values.get("custom", {}), **change.after["custom"]}
            self.copy[key] = values


def counted(done: list[Done]) -> dict[str, Counter[str]]:
    """What all of them did, by kind."""
    found: dict[str, Counter[str]] = {}
    for each in done:
        for what, ended in each.counts.items():
            found.setdefault(what, Counter()).update(ended)
    return found
