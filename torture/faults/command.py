"""``python -m torture faults``."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import click

from torture.databases import DATABASES, chosen, opened, scratch
from torture.faults.faults import FAULTS, What
from torture.faults.ground import found
from torture.faults.room import Room
from torture.faults.trial import Arena, Outcome
from torture.faults.works import WORKS, Work
from torture.reporting import Report, Table, reporting, telling

__all__ = ["command"]

_COLUMNS = ("trials", "struck", "lost", "doubled", "half there", "broken", "unrecoverable")
_SIZES = {"sqlite": 128 << 20, "postgresql": 512 << 20}
"""Bytes of the disk of each."""
_SETTINGS = (
    # What was committed must survive that the server stops; that of the tests' own promises nothing of the kind.
    "synchronous_commit=on", "full_page_writes=on", "max_wal_size=8MB", "min_wal_size=2MB", "checkpoint_timeout=30",
)  # fmt: skip
_DENSE, _SPARSE = 1, 10


@click.command(name="faults")
@click.option("--attempts", default=600, show_default=True, help="How often somebody is killed; other faults a tenth.")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@click.option("--work", "works", multiple=True, type=click.Choice([each.name for each in WORKS]), help="Only these.")
@click.option("--fault", "faults", multiple=True, type=click.Choice(get_args(What)), help="Only these.")
@reporting
def command(
    attempts: int,
    database: str,
    works: Sequence[str],
    faults: Sequence[What],
    seed: int | None,
    json_file: Path | None,
    markdown: Path | None,
) -> None:
    """Strike whoever works, and look whether anything was lost, doubled, or is only half there.

    Each trial begins with a copy of a database, lets a process work on it, and strikes: kills it at a random statement
    or moment, cuts its connection, stops the server, fills the disk, sets the clock back, lets a plugin fail. Then the
    database is examined, the work is begun again, and must come to the end that it has when nobody disturbs it.
    """
    seed = random.randrange(1 << 30) if seed is None else seed
    report = Report("faults", seed)
    doing = [each for each in WORKS if not works or each.name in works]
    outcomes: dict[str, list[Outcome]] = {}
    with telling(report, json_file, markdown, lambda: _sum_up(report, doing, outcomes)):
        for name in chosen(database):
            with _arena(name, report) as arena:
                if arena is not None:
                    share = max(1, attempts // (2 if database == "all" else 1))
                    some = outcomes.setdefault(name, [])
                    _tell_left_out(report, arena, doing, faults)
                    for outcome in _run(arena, doing, faults or tuple(FAULTS), share, random.Random(seed)):
                        some.append(outcome)


def _sum_up(report: Report, works: Sequence[Work], outcomes: dict[str, list[Outcome]]) -> None:
    """The tables and findings of all trials."""
    report.measured = sum(map(len, outcomes.values()))
    report.tables.append(_table("By work", "work", outcomes, [(each.name, each.name) for each in works]))
    report.tables.append(_table("By fault", "fault", outcomes, list(FAULTS.items())))
    report.findings += [
        f"{DATABASES[name]}, {each.work}, {each.fault}: {why}"
        for name, some in outcomes.items()
        for each in some
        for why in [*map(str, dict.fromkeys(each.complaints)), *filter(None, [each.unrecoverable])]
    ]


def _tell_left_out(report: Report, arena: Arena, works: Sequence[Work], faults: Sequence[What]) -> None:
    """Of faults and works that somebody asked for, those that come to nothing on this database."""
    database = DATABASES[arena.place.dialect]
    for what in faults:
        if not any(arena.can(what, work) for work in works):
            which = "any of the works" if len(works) == len(WORKS) else ", ".join(work.name for work in works)
            report.remarks.append(
                f"{database}: {what} ({FAULTS[what]}) cannot strike {which} there, and was not tried."
            )


def _run(
    arena: Arena, works: Sequence[Work], faults: Sequence[What], attempts: int, chance: random.Random
) -> Iterator[Outcome]:
    for what in faults:
        able = [work for work in works if arena.can(what, work)]
        total = attempts // (_DENSE if what == "kill" else _SPARSE)
        for number, work in enumerate(able):
            count = total // len(able) + (number < total % len(able)) or 1
            click.echo(f"{DATABASES[arena.place.dialect]}: {work.name}, {FAULTS[what]}, {count} times", err=True)
            for fault in arena.faults(what, work, count, chance):
                yield arena.trial(work, fault)


def _table(title: str, what: str, outcomes: dict[str, list[Outcome]], names: Sequence[tuple[str, str]]) -> Table:
    table = Table(title, ("database", what, *_COLUMNS))
    for database, some in outcomes.items():
        counts: dict[str, Counter[str]] = {}
        for each in some:
            counts.setdefault(each.work if what == "work" else each.fault.what, Counter()).update(_counted(each))
        rows = [(label, counts[name]) for name, label in names if name in counts]
        total: Counter[str] = sum((each for _, each in rows), Counter())
        for label, count in [*rows, ("all", total)]:
            table.rows.append((DATABASES[database], label, *(count[column] for column in _COLUMNS)))
    return table


def _counted(outcome: Outcome) -> dict[str, int]:
    return {
        "trials": 1,
        "struck": int(outcome.struck),
        "lost": outcome.count("lost"),
        "doubled": outcome.count("doubled"),
        "half there": outcome.count("half"),
        "broken": outcome.count("broken"),
        "unrecoverable": int(bool(outcome.unrecoverable)),
    }


@contextmanager
def _arena(database: str, report: Report) -> Iterator[Arena | None]:
    """A place for one kind of database, on a small disk of its own where that is allowed; ``None`` without a server."""
    with scratch() as folder, Room.mounted(folder / "disk", _SIZES[database]) as room:
        if room is None:
            report.remarks.append(
                f"{DATABASES[database]}: no disk could be mounted to be filled (only root may). Files were limited in"
                " their size instead, and a full PostgreSQL was left out."
            )
        disk = folder / "disk"
        with opened(database, disk / "databases", _SETTINGS, report.remarks, ["--wal-segsize=1"]) as place:
            yield None if place is None else Arena(place, disk / "work", found(place, disk / "work"), room)
