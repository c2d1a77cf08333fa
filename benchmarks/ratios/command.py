"""``python -m benchmarks.ratios``: every ratio of the aims, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from benchmarks.ratios.pages import growth_figures, page_figures
from benchmarks.ratios.startup import memory_figure, startup_figures
from benchmarks.ratios.views import view_figures
from benchmarks.ratios.writing import DjangoPeer, write_figures
from benchmarks.report import Figure, environment, measured, note
from benchmarks.search import search_figures
from benchmarks.sides import made, opened
from crm_core.testing.postgresql import PostgreSQLServer
from torture.databases import DATABASES, on_each, scratch
from torture.pace import Pace
from torture.reporting import Report, telling

__all__ = ["command"]


@click.command(name="ratios")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@click.option("--scale", default=5000, show_default=True, help="Customers in one round of bulk creation.")
@click.option("--times", default=5, show_default=True, help="Rounds of each measure.")
@click.option("--growth/--no-growth", default=True, help="Grow to 100,000 accounts, and search them.  [default: yes]")
@measured
def command(database: str, scale: int, times: int, growth: bool, json_file: Path | None, markdown: Path | None) -> None:
    """Measure crm-core beside raw SQLAlchemy Core and Django, in one run."""
    report = Report("ratios", None, package="benchmarks", nothing="", facts=environment())
    figures: list[Figure] = []
    with telling(report, json_file, markdown, partial(note, report, figures)), scratch() as folder:
        on_each(
            database,
            report.remarks,
            lambda title, server: figures.extend(_on(title, server, folder, scale, times, report.pace, growth=growth)),
        )
        click.echo("measuring start-up and memory ...", err=True)
        figures += startup_figures(max(times, 7))
        if growth:
            figures.append(memory_figure())


def _on(
    title: str, server: PostgreSQLServer | None, folder: Path, scale: int, times: int, pace: Pace, *, growth: bool
) -> Iterable[Figure]:
    """All figures of one kind of database; each is there as soon as it was measured."""
    with opened(made(server, folder, "crm")) as store:
        with closing(DjangoPeer(made(server, folder, "peer"))) as peer:
            yield from write_figures(store, peer, title, scale, times)
        with store.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
        pace.sample()
        yield from page_figures(store, title)
    pace.sample()
    if growth:
        with opened(made(server, folder, "few")) as few, opened(made(server, folder, "many")) as many:
            yield from growth_figures(few, many, title)
    pace.sample()
    yield from view_figures(made(server, folder, "views"), title)
    pace.sample()
    if growth:
        yield from search_figures(made(server, folder, "search"), title, 100_000, scale, times)
