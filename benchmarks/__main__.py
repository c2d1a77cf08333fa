"""``python -m benchmarks``: every ratio of the aims, SQLite and PostgreSQL, as a table or JSON."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import select

from benchmarks.pages import growth_figures, page_figures
from benchmarks.report import Figure, print_figures, ratio, rounds
from benchmarks.search import search_figures
from benchmarks.sides import CoreSide, crm_bulk, crm_single, crm_update, opened
from benchmarks.startup import memory_figure, startup_figures
from benchmarks.views import view_figures
from crm_core import Account
from crm_core.store.store import Store
from crm_core.testing.postgresql import PostgreSQLUnavailable, start_server


class DjangoPeer:
    """Django in a process of its own, ordered by lines of JSON."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.django_peer", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.orders, self.answers = self.process.stdin, self.process.stdout
        self.answers.readline()

    def do(self, what: str, count: int, start: int) -> float:
        """Seconds that Django needed."""
        self.orders.write(json.dumps({"do": what, "count": count, "start": start}) + "\n")
        self.orders.flush()
        return float(self.answers.readline())

    def close(self) -> None:
        """End the process."""
        self.orders.close()
        self.process.wait()


def write_figures(store: Store, peer: DjangoPeer, database: str, scale: int, times: int) -> list[Figure]:
    """Creation and update beside Core and Django, in turns."""
    core = CoreSide(store)
    crm_bulk(store, 1000, 0)
    core.bulk(1000, 10**6)
    peer.do("bulk", 1000, 0)
    mine, limit, django = rounds(
        times,
        lambda n: crm_bulk(store, scale, 1000 + n * scale),
        lambda n: core.bulk(scale, 2 * 10**6 + n * scale),
        lambda n: peer.do("bulk", scale, 1000 + n * scale),
    )
    rate = f"{scale / min(mine):.0f}/s; Core {scale / min(limit):.0f}/s; Django {scale / min(django):.0f}/s"
    figures = [
        Figure(database, "bulk create beside Core", ratio(limit, mine), ">=", 0.5, rate),
        Figure(database, "bulk create beside Django bulk_create", ratio(django, mine), ">=", 1, rate),
    ]
    few = max(scale // 20, 100)
    mine, limit, django = rounds(
        times,
        lambda n: crm_single(store, few, 3 * 10**6 + n * few),
        lambda n: core.single(few, 4 * 10**6 + n * few),
        lambda n: peer.do("single", few, 3 * 10**6 + n * few),
    )
    rate = f"{few / min(mine):.0f}/s; Core {few / min(limit):.0f}/s; Django {few / min(django):.0f}/s"
    figures.append(Figure(database, "one transaction each beside Django save", ratio(django, mine), ">=", 1, rate))
    with store.session(principal="read", read_only=True) as session:
        ids = list(session.scalars(select(Account.id).order_by(Account.id).limit(1000)))
    mine, limit, django = rounds(
        times,
        lambda n: crm_update(store, ids, f"Renamed {n}"),
        lambda n: core.update(ids, f"Again {n}"),
        lambda n: peer.do("update", 1000, n),
    )
    rate = f"{1000 / min(mine):.0f}/s; Core {1000 / min(limit):.0f}/s; Django {1000 / min(django):.0f}/s"
    figures.append(Figure(database, "bulk update beside Django bulk_update", ratio(django, mine), ">=", 2, rate))
    return figures


def database_figures(url: str, peer_url: str, name: str, scale: int, times: int) -> list[Figure]:
    """All figures of one database."""
    figures: list[Figure] = []
    with opened(url) as store:
        with contextlib.closing(DjangoPeer(peer_url)) as peer:
            figures += write_figures(store, peer, name, scale, times)
        with store.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
        figures += page_figures(store, name)
    return figures


_PARTS = ("crm", "peer", "growth", "views", "search")


@contextlib.contextmanager
def databases(which: str) -> Iterator[Iterator[tuple[str, ...]]]:
    """Name, then a database for us, the peer, growth, views and searching; servers are stopped at the end."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crm-bench-")))
        found: list[tuple[str, ...]] = []
        if which in ("all", "sqlite"):
            found.append(("sqlite", *(f"sqlite:///{folder}/{part}.db" for part in _PARTS)))
        if which in ("all", "postgresql"):
            try:
                server = stack.enter_context(start_server(Path(tempfile.gettempdir())))
            except PostgreSQLUnavailable as error:
                click.echo(f"PostgreSQL is left out: {error}", err=True)
            else:
                for part in _PARTS:
                    server.create_database(part)
                found.append(("postgresql", *(server.url(part) for part in _PARTS)))
        yield iter(found)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--database", type=click.Choice(["all", "sqlite", "postgresql"]), default="all", show_default=True)
@click.option("--scale", default=5000, show_default=True, help="Customers in one round of bulk creation.")
@click.option("--times", default=5, show_default=True, help="Rounds of each measure.")
@click.option("--growth/--no-growth", default=True, help="Grow to 100,000 accounts.")
def main(as_json: bool, database: str, scale: int, times: int, growth: bool) -> None:
    """Measure crm-core beside raw SQLAlchemy Core and Django, in one run."""
    figures: list[Figure] = []
    with databases(database) as each:
        for name, url, peer_url, growth_url, views_url, search_url in each:
            click.echo(f"measuring {name} ...", err=True)
            figures += database_figures(url, peer_url, name, scale, times)
            if growth:
                with opened(growth_url) as store:
                    figures += growth_figures(store, name, 0)
            figures += view_figures(views_url, name)
            if growth:
                figures += search_figures(search_url, name, 100_000, scale, times)
    click.echo("measuring start-up and memory ...", err=True)
    figures += startup_figures(max(times, 7))
    if growth:
        figures.append(memory_figure())
    print_figures(figures, as_json)


if __name__ == "__main__":
    main()
