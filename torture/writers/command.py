"""``python -m torture writers``."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import random
import signal
import time
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import attrs
import click
import structlog

from crm_core import Account, Crm, User
from crm_core.jobs import Worker
from torture.databases import DATABASES, chosen, opened, scratch
from torture.faults.ground import BASE, Ground, found
from torture.reporting import Report, Table, reporting, telling
from torture.writers.judging import Verdict, judge
from torture.writers.mix import Done, Follower, Reader, Writer, counted

__all__ = ["command"]

_SOON = dt.timedelta(milliseconds=50)
_READERS = 4
_PATIENCE = 120.0
"""Seconds in which all must have opened the CRM."""
_MOST = 8
_SETTINGS = ("synchronous_commit=on", "max_connections=200")
_COLUMNS = (
    "database", "writers", "readers", "writes/s", "reads/s", "conflicts", "refused", "errors", "lost updates",
    "double owners", "skipped", "told twice", "not as told", "slowest (s)",
)  # fmt: skip


@click.command(name="writers")
@click.option("--seconds", default=20.0, show_default=True, help="For how long each number of processes writes.")
@click.option("--processes", default="1,2,4,8", show_default=True, help="How many write at once, on PostgreSQL.")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@reporting
def command(
    seconds: float, processes: str, database: str, seed: int | None, json_file: Path | None, markdown: Path | None
) -> None:
    """Let many processes write at once, and compare what they were told with what is there.

    They create, edit the same and other accounts, claim, give back, transfer, import, and run jobs, while somebody
    keeps a copy by the feed. On SQLite, where one writes at a time, there is one writer with four readers.
    """
    seed = random.randrange(1 << 30) if seed is None else seed
    report = Report("writers", seed)
    table, kinds = Table("At once", _COLUMNS), Table("By what is done", ("database", "writers", "what", "done",
                                                                         "conflicts", "refused", "errors"))  # fmt: skip
    report.tables += [table, kinds]
    report.measured = 0
    with telling(report, json_file, markdown):
        for name in chosen(database):
            numbers = [1] if name == "sqlite" else [int(each) for each in processes.split(",")]
            with _ground(name, report) as ground:
                if ground is None:
                    continue
                for number in numbers:
                    click.echo(f"{DATABASES[name]}: {number} writers", err=True)
                    with _whole(report, f"{DATABASES[name]}, {number} writers"):
                        _round(ground, number, _READERS if name == "sqlite" else 0, seconds, seed, report)


@contextmanager
def _whole(report: Report, where: str) -> Iterator[None]:
    """Nothing is known before what was told is compared with what is there: a round that is cut short is named."""
    try:
        yield
    except BaseException:
        report.remarks.append(
            f"{where}: cut short before what they were told was compared; nothing of it is told here."
        )
        raise


def _round(base: Ground, writers: int, readers: int, seconds: float, seed: int, report: Report) -> None:
    """One number of writers, and what came of it."""
    ground = attrs.evolve(base, name=f"round_{writers}", folder=base.folder.parent / f"round-{writers}")
    ground.folder.mkdir()
    ground.place.copy(BASE, ground.name)
    ground.write_build()
    done, looked, told = _at_once(ground, writers, readers, seconds, seed)
    with ground.open() as crm:
        _finish(crm)
        follower = Follower(crm)
        follower.position, follower.told, follower.copy = told
        while follower.read():
            pass
        verdict = judge(ground, crm, done, follower)
    ground.place.drop(ground.name)
    _note(report, DATABASES[ground.place.dialect], done, looked, verdict, seconds)


def _finish(crm: Crm) -> None:
    """Let the queue run empty, so that everything is told."""
    Worker(crm, poll=0.05, pausing=lambda _: _SOON).until_empty()
    crm.deliver()


def _note(
    report: Report, database: str, done: Sequence[Done], looked: Sequence[Done], verdict: Verdict, seconds: float
) -> None:
    counts, reads = counted(list(done)), counted(list(looked))

    def total(of: dict[str, Any], how: str) -> int:
        return sum(each[how] for each in of.values())

    errors = [line for each in (*done, *looked) for line in each.errors]
    report.tables[0].rows.append((
        database, len(done), len(looked), total(counts, "done") / seconds, total(reads, "done") / seconds,
        total(counts, "conflict"), total(counts, "refused"), len(errors), verdict.lost, verdict.owners, verdict.skipped,
        verdict.doubled, verdict.other, max(each.slowest for each in (*done, *looked)),
    ))  # fmt: skip
    for what in sorted(counts):
        each = counts[what]
        report.tables[1].rows.append(
            (database, len(done), what, each["done"], each["conflict"], each["refused"], each["error"])
        )
    report.measured = (report.measured or 0) + total(counts, "done")
    where = f"{database}, {len(done)} writers"
    report.findings += [f"{where}: {line}" for line in verdict.lines]
    report.findings += [f"{where}: somebody was shown: {line}" for line in dict.fromkeys(errors)]


def _at_once(
    ground: Ground, writers: int, readers: int, seconds: float, seed: int
) -> tuple[list[Done], list[Done], tuple[Any, ...]]:
    """Fork them, let them begin together, and gather what each was told."""
    context = multiprocessing.get_context("fork")
    # The time counts from when all have opened the CRM: eight take longer to begin than two.
    ready = context.Barrier(writers + readers)
    files = [ground.folder / f"done-{number}.json" for number in range(writers + readers)]
    children = [
        context.Process(target=_side, args=(ground, number, number >= writers, ready, seconds, seed, files[number]))
        for number in range(writers + readers)
    ]
    try:
        for child in children:
            child.start()
        told = _follow(ground, children)
        for child in children:
            child.join()
            if child.exitcode:
                raise RuntimeError(f"a process ended with {child.exitcode}; see above")
    except BaseException:
        for child in children:
            if child.pid is not None:
                child.kill()
                child.join()
        raise
    done = [Done(**json.loads(file.read_text(encoding="utf-8"))) for file in files]
    for each in done:
        each.claimed = [(id_, login) for id_, login in each.claimed]
    return done[:writers], done[writers:], told


def _side(ground: Ground, number: int, reads: bool, ready: Barrier, seconds: float, seed: int, file: Path) -> None:
    # Whoever interrupts the program is heard by the process that began this one, and ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A job that meets somebody else is told in the log, and done again; that is no news here.
    structlog.configure(processors=[_untold])
    with ground.open() as crm:
        side = (Reader if reads else Writer)(ground, crm, number, seed)
        ready.wait(_PATIENCE)
        side.until(time.monotonic() + seconds).write(file)


def _untold(*_: object) -> MutableMapping[str, Any]:
    raise structlog.DropEvent


def _follow(ground: Ground, children: Sequence[BaseProcess]) -> tuple[Any, ...]:
    """Keep a copy by the feed while they write; where it stands then, what it was told, and the copy."""
    with ground.open() as crm:
        follower = Follower(crm)
        while any(child.is_alive() for child in children):
            if not follower.read():
                time.sleep(0.01)
        return follower.position, follower.told, follower.copy


@contextmanager
def _ground(database: str, report: Report) -> Iterator[Ground | None]:
    """A company with enough for everybody; ``None`` without a server."""
    with scratch() as folder, opened(database, folder / "databases", _SETTINGS, report.remarks) as place:
        if place is None:
            yield None
            return
        facts = found(place, folder / "base")
        ground = Ground(place, BASE, folder / "base", facts)
        ground.write_build()
        with ground.open() as crm:
            facts |= _enough(crm)
        place.calm(BASE)
        (folder / "base" / "told.txt").unlink(missing_ok=True)
        yield ground


def _enough(crm: Crm) -> dict[str, Any]:
    """Accounts for everybody: some that all edit, some of one's own, some to claim, some to transfer."""
    with crm.system_session("foundation") as session:
        hot = session.add_many(Account, [{"name": f"Hot {number}", "employees": 0} for number in range(4)])
        own = [session.add_many(Account, [{"name": f"Own {each}-{number}"} for number in range(10)])
               for each in range(_MOST)]  # fmt: skip
        free = [each.id for each in session.list(Account, "startswith(name, 'Firm')", limit=40)]
        owned = [each.id for each in session.list(Account, "startswith(name, 'Double')", limit=20)]
        sellers = sorted(each.login for each in session.list(User, "startswith(login, 'sales')", limit=None))
    crm.deliver()
    with crm.store.reading() as connection:
        newest = connection.exec_driver_sql("SELECT max(id) FROM crm_change_set").scalar_one()
    return {"hot": hot, "own": own, "free": free, "owned": owned, "sellers": sellers, "newest": newest}
