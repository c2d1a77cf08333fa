"""The faults: what strikes, and when."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import attrs

from torture.faults.steps import Kind

__all__ = ["FAULTS", "Fault", "What", "drawn"]

What: TypeAlias = Literal["kill", "cut", "crash", "full", "limit", "clock", "raise"]

FAULTS: Mapping[What, str] = {
    "kill": "killed (kill -9)",
    "cut": "connections cut",
    "crash": "server stopped at once",
    "full": "database full",
    "limit": "disk full",
    "clock": "clock set back",
    "raise": "plugin fails",
}
"""Each with how people call it."""


@attrs.frozen
class Fault:
    """One fault: at the step ``step`` of ``kinds``, or ``moment`` seconds after the beginning, or all the time.

    ``pages`` and ``bytes`` are how large a SQLite database and any file may become, ``room`` is what is left on the
    disk; ``clock`` says that the clock is set back now and then, as follows from ``seed``.
    """

    what: What
    step: int | None = None
    kinds: tuple[Kind, ...] = ("statement", "file")
    moment: float | None = None
    pages: int | None = None
    bytes: int | None = None
    room: int | None = None
    clock: bool = False
    seed: int = 0

    def __str__(self) -> str:
        at = {
            "at step": self.step, "after seconds": None if self.moment is None else round(self.moment, 3),
            "with pages": self.pages, "with bytes": self.bytes,
            "with room": self.room, "by seed": self.seed if self.clock else None,
        }  # fmt: skip
        return " ".join([self.what, *(f"{name} {value}" for name, value in at.items() if value is not None)])


@attrs.frozen
class Usual:
    """What a work needs when nobody disturbs it: seconds, steps by kind, and how large its files are."""

    seconds: float
    steps: Mapping[Kind, int]
    first: int
    """Bytes of the database at the beginning."""
    last: int
    """Bytes of the largest file at the end."""

    @property
    def points(self) -> int:
        """How many statements and files there are, at each of which it may be struck."""
        return self.steps.get("statement", 0) + self.steps.get("file", 0)


_PAGE = 4096
_ROOM = 1 << 20
"""A work needs about so many bytes on a disk, with the log."""


def drawn(what: What, count: int, usual: Usual, chance: random.Random, *, roomy: bool) -> Iterator[Fault]:
    """So many faults of a kind, spread evenly over a work: by its steps, and by its time.

    ``roomy`` says that the database lies on a small disk of its own, which can be filled.
    """
    for number in range(count):
        share = (number + chance.random()) / count
        if what in ("kill", "cut", "crash"):
            # Most at a step, as two statements may be a hundredth of the time apart; the others within one.
            if number % 3:
                yield Fault(what, step=1 + int(share * usual.points))
            else:
                yield Fault(what, moment=share * usual.seconds)
        elif what == "raise":
            yield Fault(what, step=1 + int(share * usual.steps.get("hook", 0)), kinds=("hook",))
        elif what == "full":
            yield Fault(what, pages=(usual.first + int(share * (usual.last - usual.first))) // _PAGE)
        elif what == "limit":
            yield Fault(what, room=int(share * _ROOM)) if roomy else Fault(what, bytes=int(share * usual.last))
        else:
            yield Fault(what, clock=True, seed=chance.randrange(1 << 30))
