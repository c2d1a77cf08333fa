"""``python -m torture leaks``: ask as random people in every way there is, and compare with a plain-Python oracle."""

from __future__ import annotations

import random
from pathlib import Path

import click

from torture.databases import DATABASES, chosen, scratch, serving
from torture.leaks.company import SIZES
from torture.leaks.running import GROUPS, Run, run
from torture.reporting import Report, Table, reporting, telling

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
    runs: dict[str, Run] = {}

    def finish() -> None:
        report.measured = sum(found.tally.total for found in runs.values())
        for name, found in runs.items():
            report_of(report, found, DATABASES[name])

    with telling(report, json_file, markdown, finish):
        for name in chosen(database):
            with scratch() as folder, serving(name, report.remarks) as (there, server):
                if there:
                    runs[name] = Run()
                    address = None if server is None else server.url("postgres")
                    sizes = SIZES[:1] if small else SIZES
                    run(runs[name], address, folder, probes=probes, seed=given, groups=groups, sizes=sizes)
                    click.echo(err=True)


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
    if found.left_out:
        why = ": --probes was reached before" if tally.total >= found.probes else ""
        report.remarks.append(f"{database}: not asked in this run were {', '.join(found.left_out)}{why}.")
    report.findings += [str(wrong) for wrong in tally.wrong.values()]
