"""``python -m benchmarks.peers``."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import click

from benchmarks.peers.data import write_customers
from benchmarks.peers.jobs import JOBS, Measured, Size, measure
from benchmarks.peers.sides import BASE, PEERS, Kind, ours, repository_plugins, with_required
from benchmarks.report import measured
from torture.reporting import Report, Table, tell

__all__ = ["command"]

_TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_PLUGIN_JOBS = ("start", "bulk", "single", "edit", "first", "visible", "memory")
_SMALL = Size(300, 2)

Place: TypeAlias = Mapping[str, Any]


@click.command(name="peers")
@click.option("--accounts", default=10_000, show_default=True, help="How many are created in bulk.")
@click.option("--rounds", default=5, show_default=True, help="How often everybody has a turn at each job.")
@click.option("--small", is_flag=True, help="300 accounts and two rounds: whether it runs, not how fast.")
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both", show_default=True)
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
    report = Report(
        "peers", None, package="benchmarks",
        command=f"python -m benchmarks.peers --accounts {size.accounts} --rounds {size.rounds}",
    )  # fmt: skip
    kinds = [BASE, *(kind for name, kind in PEERS.items() if not sides or name in sides)]
    alone = [ours("none", "kernel alone", [])]
    for plugin in repository_plugins():
        needed = with_required(plugin)
        alone.append(ours(plugin, f"+ {' + '.join(needed)}", needed))
    alone.append(ours("all", "+ all of them", repository_plugins()))
    with tempfile.TemporaryDirectory(prefix="crm-peers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "customers.jsonl"
        write_customers(data, size.everything)
        for each in ("sqlite", "postgresql") if database == "both" else (database,):
            with _databases(each, folder, report) as make:
                if make is None:
                    continue
                click.echo(f"on {_TITLES[each]}", err=True)
                found = measure(each, kinds, size, make, _analyse, data, folder, here=here)
                report.tables.append(_beside(_TITLES[each], found))
                _note(report, each, "peers", found)
                if plugins:
                    click.echo(f"on {_TITLES[each]}, what each plugin costs", err=True)
                    found = measure(each, alone, size, lambda who: make(f"plugins_{who}"), _analyse, data, folder)
                    report.tables.append(_costs(_TITLES[each], found))
                    _note(report, each, "plugins", found)
    tell(report, json_file, markdown)


def _note(report: Report, database: str, group: str, found: Measured) -> None:
    titles = {kind.name: kind.title for kind in found.kinds}
    report.findings += found.wrong
    report.remarks += [f"{_TITLES[database]}: {titles[name]} fell out. {why}" for name, why in found.failed.items()]
    for job in JOBS:
        for kind in found.kinds:
            value = found.value(job, kind.name)
            if value is not None:
                ratio = found.ratio(job, kind.name, found.kinds[0].name)
                report.figures.append(
                    {"database": database, "group": group, "job": job, "side": kind.name, "value": value,
                     "ratio": ratio}
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
        return "failed" if kind.name in found.failed else "wrong"
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


@contextmanager
def _databases(which: str, folder: Path, report: Report) -> Iterator[Callable[[str], Place] | None]:
    """Makes empty databases of a kind by name; ``None``, with a remark, where there is no server."""
    if which == "sqlite":
        yield lambda name: {"kind": "sqlite", "path": str(folder / f"{name}.sqlite")}
        return
    from sqlalchemy import make_url

    from crm_core.testing.postgresql import PostgreSQLUnavailable, start_server

    with ExitStack() as stack:
        try:
            server = stack.enter_context(start_server(Path(tempfile.gettempdir())))
        except PostgreSQLUnavailable as error:
            report.remarks.append(f"PostgreSQL was left out: {error}")
            yield None
            return

        def make(name: str) -> Place:
            url = make_url(server.create_database(name))
            return {"kind": "postgresql", "host": url.host, "port": url.port, "user": url.username, "name": name}

        yield make
