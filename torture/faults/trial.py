"""One trial: a copy of the database, a work that is struck, a look at what is left, and the work again."""

from __future__ import annotations

import random
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from torture.databases import Place, PostgresqlPlace, SqlitePlace
from torture.examining import Complaint
from torture.examining.likeness import difference
from torture.faults.faults import Fault, Usual, What, drawn
from torture.faults.ground import Ground
from torture.faults.room import Room
from torture.faults.victim import Ended, attempt
from torture.faults.works import Work
from torture.faults.works.work import End

__all__ = ["Arena", "Outcome"]

_NAME = "attempt"
_LEFT_OUT = ("share",)
"""A share that ends before it began, as the clock was set back in between, is taken away rather than ended."""


@attrs.frozen
class Outcome:
    """What came of one trial: whether the work was struck, what was wrong then, and why it could not be finished."""

    work: str
    fault: Fault
    struck: bool
    complaints: tuple[Complaint, ...]
    unrecoverable: str = ""

    def count(self, kind: str) -> int:
        """1 where something of this kind was wrong."""
        return int(any(each.kind == kind for each in self.complaints))


@attrs.define
class Arena:
    """Where trials take place: one kind of database, with the databases that they begin with."""

    place: Place
    folder: Path
    facts: Mapping[str, Any]
    room: Room | None = None
    _ends: dict[str, tuple[End, Usual]] = attrs.field(factory=dict)

    def faults(self, what: What, work: Work, count: int, chance: random.Random) -> Iterator[Fault]:
        """So many faults of a kind for a work."""
        _, usual = self._undisturbed(work)
        yield from drawn(what, count, usual, chance, roomy=self.room is not None)

    def can(self, what: What, work: Work) -> bool:
        """Whether such a fault can strike such a work here."""
        files = work.name in ("backup", "restore", "remove")
        return {
            "kill": True,
            "clock": work.statements,
            "raise": work.hooks,
            "cut": self.place.dialect == "postgresql",
            "crash": self.place.dialect == "postgresql",
            "full": self.place.dialect == "sqlite" and work.statements,
            "limit": self.room is not None or self.place.dialect == "sqlite" or files,
        }[what]

    def trial(self, work: Work, fault: Fault) -> Outcome:
        """Let a work be struck, look, and let it be finished."""
        end, _ = self._undisturbed(work)
        # A clock that goes back changes what is written, though not whether it is right.
        shapes = None if fault.clock else end.shapes
        ground = self._ground(work)
        before = work.before(ground)
        self.place.calm(_NAME)
        ended = self._struck(work, ground, fault)
        complaints = [Complaint("broken", each) for each in self.place.complaints(_NAME)]
        complaints += work.look(ground, before, shapes)
        if ended.how == "hung":
            complaints.append(Complaint("broken", _last(ended.trouble)))
        self.place.calm(_NAME)
        again = attempt(work, ground, None)
        self.place.calm(_NAME)
        why = "" if again.done else f"{_last(again.trouble)} when it was begun again"
        if again.done:
            complaints += work.look(ground, before, shapes)
            complaints += [Complaint("broken", each) for each in self.place.complaints(_NAME)]
            why = _differs(end, work.end(ground, before), complaints, _LEFT_OUT if fault.clock else ())
        return Outcome(work.name, fault, ended.struck, tuple(complaints), why)

    def _struck(self, work: Work, ground: Ground, fault: Fault) -> Ended:
        if self.room is not None and fault.room is not None:
            self.room.leave(fault.room)
        try:
            ended = attempt(work, ground, fault)
        finally:
            if self.room is not None:
                self.room.clear()
            self._recovered(fault)
        self.place.calm(_NAME)
        return ended

    def _recovered(self, fault: Fault) -> None:
        """Start a server that was stopped, or stopped by itself when its disk was full."""
        if isinstance(self.place, PostgresqlPlace):
            if fault.what == "crash":
                self.place.cluster.crash()
            self.place.recover()

    def _ground(self, work: Work) -> Ground:
        shutil.rmtree(self.folder / _NAME, ignore_errors=True)
        ground = Ground(self.place, _NAME, self.folder / _NAME, {**self.facts, "folder": str(self.folder)})
        ground.folder.mkdir(parents=True)
        self.place.copy(work.template, _NAME)
        ground.write_build()
        work.prepare(ground)
        return ground

    def _undisturbed(self, work: Work) -> tuple[End, Usual]:
        if work.name not in self._ends:
            ground = self._ground(work)
            before = work.before(ground)
            self.place.calm(_NAME)
            first = self._size(ground)
            ended = attempt(work, ground, None)
            if not ended.done:
                raise RuntimeError(f"{work.name} does not work by itself on {self.place.dialect}:\n{ended.trouble}")
            self.place.calm(_NAME)
            last = max([self._size(ground), *(each.stat().st_size for each in ground.folder.rglob("*"))])
            complaints = work.look(ground, before, None)
            if complaints:
                raise RuntimeError(f"{work.name} is wrong though nobody disturbed it: {complaints}")
            end = work.end(ground, before)
            if work.sets is not None and len(end.shapes) != work.sets:
                raise RuntimeError(f"{work.name} should be {work.sets} change sets, and is {len(end.shapes)}")
            self._ends[work.name] = end, Usual(ended.seconds, ended.steps, first, last)
        return self._ends[work.name]

    def _size(self, ground: Ground) -> int:
        if isinstance(self.place, SqlitePlace):
            return self.place.file(ground.name).stat().st_size
        return 0


def _differs(wanted: End, found: End, complaints: list[Complaint], left_out: Collection[str]) -> str:
    """Why an end is not the one that was wanted; records that are missing or too many are complained of, too."""
    missing, superfluous = difference(wanted.likeness, found.likeness)
    for each in left_out:
        del missing[each], superfluous[each]
    if missing or superfluous:
        complaints.append(
            Complaint("lost" if sum(missing.values()) >= sum(superfluous.values()) else "doubled",
                      f"at the end {dict(missing)} are missing, {dict(superfluous)} should not be there")
        )  # fmt: skip
        return "the end is another one"
    if wanted.more != found.more:
        return f"the end is another one: {found.more}"
    return ""


def _last(trouble: str) -> str:
    lines = [line for line in trouble.splitlines() if line.strip()]
    return lines[-1] if lines else "it did not end"
