"""``python -m benchmarks.peers``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import click
from sqlalchemy import make_url

from benchmarks.peers.data import write_customers
from benchmarks.peers.jobs import JOBS, Measured, Size, measure
from benchmarks.peers.sides import BASE, PEERS, Kind, ours, repository_plugins, with_required
from benchmarks.report import measured
from crm_core.testing.postgresql import PostgreSQLServer
from torture.databases import DATABASES, chosen, scratch, serving
from torture.reporting import Report, Table, telling

__all__ = ["command"]

_PLUGIN_JOBS = ("start", "bulk", "single", "edit", "first", "visible", "memory")
_SMALL = Size(300, 2)
_READ = (
    "Of each round the time of a side is divided by that of ours in the same round: the ratio is the median of these,"
    " the milliseconds are the median of the side's rounds. Where rounds differ it is not the quotient of two cells."
)

Place: TypeAlias = Mapping[str, Any]


@click.command(name="peers")
@click.option("--accounts", default=10_000, show_default=True, help="How many are created in bulk.")
@click.option("--rounds", default=5, show_default=True, help="How often everybody has a turn at each job.")
@click.option("--small", is_flag=True, help="300 accounts and two rounds: whether it runs, not how fast.")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@click.option("--side", "sides", type=click.Choice(list(PEERS)), multiple=True, help="Only these.  [default: all]")
@click.option("--plugins/--no-plugins", default=True, help="Measure what each plugin costs, too.  [default: yes]")
@click.option("--here", is_flag=True, help="Install nothing: leave out what is not in this environment.")
@measured
def command(
    accounts: int, rounds: int, small: bool, database: str, sides: tuple[str, ...], plugins: bool, here: bool,
    json_file: Path | None, markdown: Path | None,
) -> None:  # fmt: skip
    """Let crm-core and other systems do the same jobs in turns, and compare.

    Each foreign system is installed into a virtual environment of its own, under .peers/.
    """
    size = _SMALL if small else Size(accounts, rounds)
    report = Report("peers", None, package="benchmarks", nothing="no result was wrong")
    kinds = [BASE, *(kind for name, kind in PEERS.items() if not sides or name in sides)]
    alone = [ours("none", "kernel alone", [])]
    for plugin in repository_plugins():
        needed = with_required(plugin)
        alone.append(ours(plugin, f"+ {' + '.join(needed)}", needed))
    alone.append(ours("all", "+ all of them", repository_plugins()))
    with telling(report, json_file, markdown, lambda: _sum_up(report)), scratch() as folder:
        data = folder / "customers.jsonl"
        write_customers(data, size.everything)
        for each in chosen(database):
            with serving(each, report.remarks) as (there, server):
                if not there:
                    continue
                click.echo(f"on {DATABASES[each]}", err=True)
                with _noted(report, each, "peers", _beside, kinds) as found:
                    measure(found, each, size, partial(_made, server, folder, ""), _analyse, data, folder, here=here)
                if plugins:
                    click.echo(f"on {DATABASES[each]}, what each plugin costs", err=True)
                    with _noted(report, each, "plugins", _costs, alone) as found:
                        measure(found, each, size, partial(_made, server, folder, "plugins_"), _analyse, data, folder)


def _sum_up(report: Report) -> None:
    """How much was measured, and how to read it."""
    report.measured = len(report.figures)
    if report.measured:
        report.remarks.append(_READ)


@contextmanager
def _noted(
    report: Report, database: str, group: str, shown: Callable[[str, Measured], Table], kinds: Sequence[Kind]
) -> Iterator[Measured]:
    """What is measured in this block is noted at its end, however it ends."""
    found = Measured(kinds)
    try:
        yield found
    finally:
        report.tables.append(shown(DATABASES[database], found))
        _note(report, database, group, found)


def _note(report: Report, database: str, group: str, found: Measured) -> None:
    titles = {kind.name: kind.title for kind in found.kinds}
    report.findings += found.wrong
    report.remarks += [f"{DATABASES[database]}: {titles[name]} fell out. {why}" for name, why in found.failed.items()]
    for job in JOBS:
        for kind in found.kinds:
            value = found.value(job, kind.name)
            if value is not None:
                ratio = found.ratio(job, kind.name, found.kinds[0].name)
                report.figures.append(
                    {"database": database, "group": group, "job": job, "job_title": JOBS[job], "side": kind.name,
                     "side_title": kind.title, "value": value, "ratio": ratio}
                )  # fmt: skip


def _beside(title: str, found: Measured) -> Table:
    """Jobs down, sides across: how many times as long as ours, and how long."""
    table = Table(f"On {title}: times as long as ours (milliseconds)", ("", *(kind.title for kind in found.kinds)))
    for job, words in JOBS.items():
        table.rows.append((words, *(_cell(found, job, kind) for kind in found.kinds)))
    return table


def _costs(title: str, found: Measured) -> Table:
    """Plugins down, jobs across: times as long as the kernel alone, and how long."""
    columns = ("", *(JOBS[job] for job in _PLUGIN_JOBS))
    table = Table(f"On {title}: what each plugin costs, times the kernel alone (milliseconds)", columns)
    for kind in found.kinds:
        table.rows.append((kind.title, *(_cell(found, job, kind) for job in _PLUGIN_JOBS)))
    return table


def _cell(found: Measured, job: str, kind: Kind) -> str:
    value = found.value(job, kind.name)
    if value is None:
        asked = kind.name in found.times[job]
        return "failed" if kind.name in found.failed else "wrong" if asked else "not measured"
    ratio = found.ratio(job, kind.name, found.kinds[0].name)
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"– ({shown})" if ratio is None else f"{ratio:{'.2f' if ratio >= 0.1 else '.3f'}} ({shown})"


def _analyse(place: Place) -> None:
    """Let a database count its tables, as its own housekeeping would in time."""
    if place["kind"] == "sqlite":
        with closing(sqlite3.connect(place["path"], timeout=60)) as connection:
            connection.execute("ANALYZE")
            connection.commit()
        return
    import psycopg

    where = {"host": place["host"], "port": place["port"], "user": place["user"], "dbname": place["name"]}
    with psycopg.connect(autocommit=True, **where) as connection:
        connection.execute("VACUUM (ANALYZE)")


def _made(server: PostgreSQLServer | None, folder: Path, prefix: str, side: str) -> Place:
    """Where a new, empty database for a side is."""
    name = prefix + side
    if server is None:
        return {"kind": "sqlite", "path": str(folder / f"{name}.sqlite")}
    url = make_url(server.create_database(name))
    return {"kind": "postgresql", "host": url.host, "port": url.port, "user": url.username, "name": name}
