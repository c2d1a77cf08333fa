"""Counting decisions: which were right, which showed too much, and which too little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias

import attrs

__all__ = ["Direction", "Tally", "Wrong"]

Direction: TypeAlias = Literal["leak", "hidden"]


@attrs.frozen
class Wrong:
    """The first of the wrong decisions of one kind: what was seen, or not seen, by whom, and how to see it again."""

    direction: Direction
    group: str
    way: str
    record: str
    example: str

    def __str__(self) -> str:
        what = "is shown what is not theirs to see" if self.direction == "leak" else "is not shown what they may see"
        return f"{self.group}, {self.way}, {self.record}: somebody {what}: {self.example}"


@attrs.define
class Tally:
    """All decisions of a run. ``who`` says who asks at the moment, for the examples."""

    who: str = ""
    probes: Counter[str] = attrs.field(factory=Counter)
    ways: dict[str, set[str]] = attrs.field(factory=dict)
    wrong: dict[tuple[str, str, str, str], Wrong] = attrs.field(factory=dict)
    counts: Counter[tuple[Direction, str]] = attrs.field(factory=Counter)

    @property
    def total(self) -> int:
        """How many decisions were compared."""
        return self.probes.total()

    def of(self, direction: Direction) -> int:
        """How many decisions were wrong in a direction."""
        return sum(count for (each, _), count in self.counts.items() if each == direction)

    def right(self, group: str, way: str, count: int = 1) -> None:
        """Count decisions that were compared; :meth:`bad` says which of them were wrong."""
        self.probes[group] += count
        self.ways.setdefault(group, set()).add(way)

    def bad(self, direction: Direction, group: str, way: str, record: str, example: str, count: int = 1) -> None:
        """Note wrong decisions."""
        self.counts[direction, group] += count
        self.wrong.setdefault(
            (direction, group, way, record), Wrong(direction, group, way, record, self._told(example))
        )

    def ids(
        self, group: str, way: str, record: str, found: Iterable[int | None], expected: set[int], there: Collection[int]
    ) -> None:
        """Each of the records that are ``there`` was found, or was not: one decision each."""
        listed = [id_ for id_ in found if id_ is not None]
        seen = set(listed)
        self.right(group, way, len(set(there) | seen))
        if extra := seen - expected:
            self.bad("leak", group, way, record, f"ids {_few(extra)}", len(extra))
        if missing := expected - seen:
            self.bad("hidden", group, way, record, f"ids {_few(missing)}", len(missing))
        if len(listed) > len(seen):
            self.bad("leak", group, way, record, "the same record more than once", len(listed) - len(seen))

    def number(self, group: str, way: str, record: str, found: int | None, expected: int | None) -> None:
        """A count is one decision."""
        self.right(group, way)
        if found != expected:
            direction: Direction = "leak" if (found or 0) > (expected or 0) or expected is None else "hidden"
            self.bad(direction, group, way, record, f"counted {found}, not {expected}")

    def said(self, group: str, way: str, record: str, shown: Collection[str], hidden: Collection[str],
             due: Collection[str]) -> None:  # fmt: skip
        """Words: none that is ``hidden`` may be ``shown``, and all that are ``due`` must be."""
        self.right(group, way, len(hidden) + len(due))
        if extra := set(shown) & set(hidden):
            self.bad("leak", group, way, record, f"words {_few(extra)}", len(extra))
        if missing := set(due) - set(shown):
            self.bad("hidden", group, way, record, f"words {_few(missing)}", len(missing))

    def same(
        self, group: str, way: str, record: str, given: object, expected: object, count: int = 1, note: str = ""
    ) -> None:
        """Two answers that must not differ: what is said of the hidden as of what is not there."""
        self.right(group, way, count)
        if given != expected:
            self.bad("leak", group, way, record, f"{note}{_differing(given, expected)}")

    def _told(self, example: str) -> str:
        return f"{example} ({self.who})"


def _few(found: Iterable[int | str]) -> str:
    ordered = sorted(found)
    return ", ".join(map(str, ordered[:5])) + (f" and {len(ordered) - 5} more" if len(ordered) > 5 else "")


def _differing(given: object, expected: object) -> str:
    one, other = str(given), str(expected)
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(0, start - 60)
    return f"{one[start : start + 200]!r} instead of {other[start : start + 200]!r}"
