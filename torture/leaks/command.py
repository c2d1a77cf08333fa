"""``python -m torture leaks``: ask as random people in every way there is, and compare with a plain-Python oracle."""

from __future__ import annotations

import random
import tempfile
from contextlib import nullcontext
from pathlib import Path

import click

from torture.leaks.company import SIZES
from torture.leaks.running import GROUPS, Run, run
from torture.reporting import Report, Table, reporting, tell

__all__ = ["command", "report_of"]

_PROBES = 1_000_000


@click.command("leaks")
@click.option("--probes", default=_PROBES, show_default=True, help="Compare so many decisions.")
@click.option("--postgresql", is_flag=True, help="On a PostgreSQL server of its own, rather than on SQLite.")
@click.option("--only", multiple=True, type=click.Choice([*GROUPS]), help="Ask only in these ways; repeatable.")
@click.option("--small", is_flag=True, help="Small organisations only.")
@reporting
def command(
    probes: int,
    postgresql: bool,
    only: tuple[str, ...],
    small: bool,
    seed: int | None,
    json_file: Path | None,
    markdown: Path | None,
) -> None:
    """Make up organisations with every installed plugin, and ask as their users.

    One probe is one decision: whether a user is shown a record (or a word of it) in one way of asking.
    """
    from crm_core.testing.postgresql import start_server

    chosen = random.randrange(10**6) if seed is None else seed
    report = Report("leaks", chosen)
    groups = {name: group for name, group in GROUPS.items() if not only or name in only}
    with (
        tempfile.TemporaryDirectory(prefix="crm-leaks-") as folder,
        start_server() if postgresql else nullcontext() as server,
    ):
        address = None if server is None else server.url("postgres")
        found = run(
            address, Path(folder), probes=probes, seed=chosen, groups=groups, sizes=SIZES[:1] if small else SIZES
        )
    click.echo(err=True)
    report_of(report, found, "PostgreSQL" if postgresql else "SQLite")
    tell(report, json_file, markdown)


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
        f"{found.organisations} organisations with {found.records:,} records of {found.types} types, {found.users} "
        f"users who asked."
    )
    report.findings += [str(wrong) for wrong in tally.wrong.values()]
