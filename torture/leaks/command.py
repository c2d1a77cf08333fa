"""``python -m torture leaks``: ask as random people in every way there is, and compare with a plain-Python oracle."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from torture.databases import DATABASES, chosen, scratch
from torture.leaks.company import SIZES
from torture.leaks.running import GROUPS, Run, run
from torture.reporting import Report, Table, reporting, tell

__all__ = ["command", "report_of"]

_PROBES = 1_000_000


@click.command("leaks")
@click.option("--probes", default=_PROBES, show_default=True, help="Compare so many decisions, on each database.")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@click.option("--only", multiple=True, type=click.Choice([*GROUPS]), help="Ask only in these ways; repeatable.")
@click.option("--small", is_flag=True, help="Small organisations only.")
@reporting
def command(
    probes: int,
    database: str,
    only: tuple[str, ...],
    small: bool,
    seed: int | None,
    json_file: Path | None,
    markdown: Path | None,
) -> None:
    """Make up organisations with every installed plugin, and ask as their users.

    One probe is one decision: whether a user is shown a record (or a word of it) in one way of asking.
    """
    given = random.randrange(10**6) if seed is None else seed
    report = Report("leaks", given)
    groups = {name: group for name, group in GROUPS.items() if not only or name in only}
    for name in chosen(database):
        with scratch() as folder, _server(name, report.remarks) as (there, address):
            if not there:
                continue
            found = run(address, folder, probes=probes, seed=given, groups=groups, sizes=SIZES[:1] if small else SIZES)
        click.echo(err=True)
        report_of(report, found, DATABASES[name])
    tell(report, json_file, markdown)


@contextmanager
def _server(database: str, remarks: list[str]) -> Iterator[tuple[bool, str | None]]:
    """Whether the kind of database is there, and the address of a server of its own, unless it is SQLite."""
    from crm_core.testing.postgresql import PostgreSQLUnavailable, start_server

    if database == "sqlite":
        yield True, None
        return
    with ExitStack() as stack:
        try:
            server = stack.enter_context(start_server())
        except PostgreSQLUnavailable as error:
            remarks.append(f"PostgreSQL was left out: {error}")
            yield False, None
        else:
            yield True, server.url("postgres")


def report_of(report: Report, found: Run, database: str) -> None:
    """The tables and findings of a run."""
    tally = found.tally
    decisions = Table(f"Leaks, on {database}", ("asked by", "ways", "probes", "leaks", "wrongly hidden"))
    for group, count in tally.probes.items():
        row = (group, len(tally.ways[group]), count, tally.counts["leak", group], tally.counts["hidden", group])
        decisions.rows.append(row)
    ways = sum(map(len, tally.ways.values()))
    decisions.rows.append(("all", ways, tally.total, tally.of("leak"), tally.of("hidden")))
    report.tables.append(decisions)
    report.remarks.append(
        f"{database}: {found.organisations} organisations with {found.records:,} records of {found.types} types, "
        f"{found.users} users who asked."
    )
    report.findings += [str(wrong) for wrong in tally.wrong.values()]
