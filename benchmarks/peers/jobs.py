"""The jobs, done in turns by all sides, and believed only where the result is what must be there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import attrs
import click

from benchmarks.peers.data import WORDS, Known
from benchmarks.peers.environments import Unavailable
from benchmarks.peers.sides import Kind, Side, SideFailed

__all__ = ["JOBS", "Measured", "Size", "measure"]

CLERK = 3
"""The number of the user who sees their own accounts alone."""

JOBS: Mapping[str, str] = {
    "bulk": "create in bulk, an account with its contact",
    "single": "create, a transaction each",
    "update": "rename in bulk, an account",
    "edit": "rename, a transaction each",
    "first": "first page of 50",
    "deep": "a page at nine tenths",
    "visible": "first page of a clerk's own (2 %)",
    "latin": "substring in Latin letters",
    "chinese": "substring in Chinese",
    "start": "start, until a page is read",
    "memory": "most memory, after all (MiB)",
}
"""What is measured: milliseconds for one of what is named, and memory."""


@attrs.frozen
class Size:
    """How much is done: ``accounts`` in bulk over all ``rounds``, the others in each round."""

    accounts: int
    rounds: int = 5

    @property
    def bulk(self) -> int:
        """Accounts in one round of bulk creation."""
        return max(self.accounts // self.rounds, 1)

    @property
    def single(self) -> int:
        """Accounts in one round of single creation and edits."""
        return max(min(self.accounts // 100, 200), 10)

    @property
    def update(self) -> int:
        """Accounts renamed in bulk in one round."""
        return max(min(self.accounts // 10, 1000), 10)

    @property
    def times(self) -> int:
        """How often a page is asked for in a round."""
        return 5 if self.accounts < 1000 else 20

    @property
    def everything(self) -> int:
        """All accounts that will be there."""
        return self.single * 2 + self.bulk * self.rounds + self.single * self.rounds


@attrs.define
class Measured:
    """What came of it, by job and by the name of the side: a number for each round, or ``None`` where it was wrong."""

    kinds: Sequence[Kind]
    times: dict[str, dict[str, list[float | None]]] = attrs.field(factory=lambda: {job: {} for job in JOBS})
    failed: dict[str, str] = attrs.field(factory=dict)
    wrong: list[str] = attrs.field(factory=list)

    def value(self, job: str, name: str) -> float | None:
        """The median of a side's rounds that were right; ``None`` where it has none."""
        found = [each for each in self.times[job].get(name, ()) if each is not None]
        return statistics.median(found) if found else None

    def ratio(self, job: str, name: str, base: str) -> float | None:
        """The median of a side's rounds, each beside the same round of another; of those in which both were right.

        Who failed has fewer rounds: those after it count for nobody.
        """
        rounds = zip(self.times[job].get(name, ()), self.times[job].get(base, ()), strict=False)
        beside = [one / two for one, two in rounds if one is not None and two is not None]
        return statistics.median(beside) if beside else None


@attrs.define
class _Running:
    """The sides that are still in the run, and what must be there by now."""

    database: str
    result: Measured
    sides: dict[str, Side] = attrs.field(factory=dict)
    known: Known = attrs.field(factory=Known)
    turn: int = 0

    def turns(self) -> Iterator[tuple[str, Side]]:
        """Everybody, beginning with somebody else each time."""
        items = list(self.sides.items())
        first = self.turn % max(len(items), 1)
        self.turn += 1
        yield from items[first:] + items[:first]

    def end(self) -> None:
        """Nobody runs any more."""
        for side in self.sides.values():
            side.close()

    def drop(self, name: str, job: str, error: Exception) -> None:
        """Whoever failed at one job is not asked to do the next."""
        title = next(kind.title for kind in self.result.kinds if kind.name == name)
        click.echo(f"  {title} failed ({job}): {error}", err=True)
        self.result.failed[name] = f"{job}: {error}"
        side = self.sides.pop(name, None)
        if side is not None:
            side.close()

    def write(self, job: str, count: int, *, counted: bool = True, **order: Any) -> None:
        """A job that changes something."""
        for name, side in self.turns():
            try:
                seconds = side.ask(job, count=count, **order)["seconds"]
            except SideFailed as error:
                self.drop(name, JOBS[job], error)
                continue
            if counted:
                self.result.times[job].setdefault(name, []).append(seconds * 1000 / count)

    def read(self, job: str, expected: Sequence[str], do: str, **order: Any) -> None:
        """A job that reads names, which must be those."""
        for name, side in self.turns():
            try:
                answer = side.ask(do, **order)
            except SideFailed as error:
                self.drop(name, JOBS[job], error)
                continue
            times = self.result.times[job].setdefault(name, [])
            if answer["names"] != list(expected):
                self.result.wrong.append(f"{self.database}, {name}, {JOBS[job]}: {_difference(answer, expected)}")
                times.append(None)
                continue
            times.append(answer["seconds"] * 1000)

    def count(self) -> None:
        """Accounts and contacts must be as many as were created; and what memory it took."""
        expected = len(self.known.names)
        for name, side in self.turns():
            try:
                answer = side.ask("count")
            except SideFailed as error:
                self.drop(name, "counting", error)
                continue
            if (answer["accounts"], answer["contacts"]) != (expected, expected):
                self.result.wrong.append(
                    f"{self.database}, {name}: {answer['accounts']} accounts and {answer['contacts']} contacts "
                    f"instead of {expected} each"
                )
                for job in JOBS:
                    self.result.times[job].pop(name, None)
                self.drop(name, "counting", SideFailed("what it created is not there"))
                continue
            self.result.times["memory"].setdefault(name, []).append(answer["memory"])

    def start(self, opened: Callable[[Kind], Side]) -> None:
        """A process of everybody begins, and reads a page."""
        for name, running in self.turns():
            begun = time.perf_counter()
            try:
                with closing(opened(running.kind)) as side:
                    side.ask("page", position=0, key=None, user=None, times=0)
                    seconds = time.perf_counter() - begun
            except SideFailed as error:
                self.drop(name, JOBS["start"], error)
                continue
            self.result.times["start"].setdefault(name, []).append(seconds * 1000)


def _difference(answer: Mapping[str, Any], expected: Sequence[str]) -> str:
    names = answer["names"]
    if len(names) != len(expected):
        return f"{len(names)} names instead of {len(expected)}"
    place = next(number for number, pair in enumerate(zip(names, expected, strict=True)) if pair[0] != pair[1])
    return f"{names[place]!r} instead of {expected[place]!r} at place {place}"


def measure(
    result: Measured,
    database: str,
    size: Size,
    make: Callable[[str], Mapping[str, Any]],
    analyse: Callable[[Mapping[str, Any]], None],
    data: Path,
    folder: Path,
    *,
    here: bool = False,
) -> None:
    """Let everybody do everything on one kind of database, and note what came of it.

    ``make`` makes an empty database of a name and says where it is, ``analyse`` lets one count its tables.
    """
    running = _Running(database, result)
    places: dict[str, Mapping[str, Any]] = {}
    pythons: dict[str, Path] = {}
    with ExitStack() as stack:
        stack.callback(running.end)
        for kind in result.kinds:
            click.echo(f"  {kind.title}: making its tables ...", err=True)
            try:
                pythons[kind.name], places[kind.name] = kind.python(here), make(kind.name)
                # What makes the tables is no part of what is measured, memory least of all.
                Side(kind, pythons[kind.name], places[kind.name], data, folder, fresh=True).close()
                running.sides[kind.name] = Side(kind, pythons[kind.name], places[kind.name], data, folder)
            except (Unavailable, SideFailed) as error:
                running.drop(kind.name, "beginning", error)
        _write(running, size)
        running.count()
        for name in running.sides:
            analyse(places[name])
        _read(running, size)
        click.echo("  starting ...", err=True)
        for _ in range(size.rounds):
            running.start(lambda kind: Side(kind, pythons[kind.name], places[kind.name], data, folder))


def _write(running: _Running, size: Size) -> None:
    known = running.known
    click.echo("  writing ...", err=True)
    for job in ("bulk", "single"):  # warms up
        running.write(job, size.single, counted=False, start=len(known.names))
        known.created(size.single)
    for _ in range(size.rounds):
        running.write("bulk", size.bulk, start=len(known.names))
        known.created(size.bulk)
    for _ in range(size.rounds):
        running.write("single", size.single, start=len(known.names))
        known.created(size.single)
    for turn in range(size.rounds + 1):
        counted, suffix = turn > 0, str(turn)
        running.write("update", size.update, counted=counted, start=0, suffix=suffix)
        known.renamed(0, size.update, suffix)
        running.write("edit", size.single, counted=counted, start=size.update, suffix=suffix)
        known.renamed(size.update, size.single, suffix)


def _read(running: _Running, size: Size) -> None:
    click.echo("  reading ...", err=True)
    known, times = running.known, size.times
    place = len(known.names) * 9 // 10
    key = sorted(known.names)[place - 1]
    for _ in range(size.rounds):
        running.read("first", known.page(), "page", position=0, key=None, user=None, times=times)
        running.read("deep", known.page(place), "page", position=place, key=key, user=None, times=times)
        running.read("visible", known.page(user=CLERK), "page", position=0, key=None, user=CLERK, times=times)
        for job, word in zip(("chinese", "latin"), WORDS, strict=True):
            running.read(job, known.page(word=word), "search", word=word, user=None, times=times)
