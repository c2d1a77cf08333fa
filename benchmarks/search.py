"""Searching a large company, and what the index costs: ``python -m benchmarks.search`` runs this alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from benchmarks.report import Figure, measured, note, ratio, rounds
from benchmarks.sides import crm_bulk, made, opened
from crm_core import Account, Affiliation, Contact, ContactPoint, Membership, Ownership, PointKind, Unit, User
from crm_core.store import upkeep
from crm_core.store.search.keeping import keep
from crm_core.store.search.reindex import reindex
from crm_core.store.store import Store
from crm_core.testing.company import generate
from torture.databases import DATABASES, on_each, scratch
from torture.reporting import Report, telling

READERS = {"administrator": "director", "director": "boss_of_all", "clerk": "sales1"}
"""Who asks: all accounts by right, all of them by units below, and two hundred of their own."""

SELECTIVE = ("海尔", "haier", "hr", "青岛海尔", "单雄信", "shanxiongxin", "0532 8893", "海尔 采购", "amberreed")
COMMON = ("bearings", "有限", "purchasing", "li", "amber purchasing")
AIM, COMMON_AIM = 20, 1000


def fill(store: Store, accounts: int) -> float:
    """A generated company, and one customer that the selective queries ask for; returns seconds."""
    begun = time.perf_counter()
    with store.session(principal="benchmark", streaming=True) as session:
        generate(session, accounts)
        root = session.list(Unit, 'code == "HQ"')[0]
        clerk = session.list(User, 'login == "sales1"')[0]
        boss = session.add_one(User(login="boss_of_all", name="Boss"))
        session.add(Membership(user_id=boss.id, unit_id=root.id, role="manager"))
        haier = session.add_one(Account(name="Haier", local_name="青岛海尔股份有限公司", phone="0532 8893 8888"))
        session.add(Ownership(account_id=haier.id, user_id=clerk.id))
        person = session.add_one(Contact(name="单雄信"))
        session.add(Affiliation(account_id=haier.id, contact_id=person.id, role="采购", title="采购经理"))
        session.add(ContactPoint(contact_id=person.id, kind=PointKind.MOBILE, value="+86 138 0000 1234"))
    seconds = time.perf_counter() - begun
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    return seconds


def asked(store: Store, login: str, query: str, times: int) -> tuple[float, int]:
    """The median of a search, each in a session of its own as a request would be, in milliseconds; and its hits."""
    taken, hits = [], 0
    for _ in range(times + 1):
        with store.session(login, read_only=True) as session:
            begun = time.perf_counter()
            hits = len(session.search(query))
            taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken[1:]), hits


def query_figures(store: Store, database: str, accounts: int, times: int) -> list[Figure]:
    """The slowest of the selective queries, and of the common ones, for each kind of reader."""
    figures = []
    for reader, login in READERS.items():
        for kind, queries, aim in (("selective", SELECTIVE, AIM), ("common", COMMON, COMMON_AIM)):
            found = {query: asked(store, login, query, times) for query in queries}
            slowest = max(milliseconds for milliseconds, _ in found.values())
            detail = "; ".join(f"{query} {took:.1f}" for query, (took, _) in found.items())
            name = f"search among {accounts:,}, {kind}, {reader} (ms)"
            figures.append(Figure(database, name, slowest, "<=", aim, detail))
    return figures


def cost_figures(store: Store, database: str, scale: int, times: int) -> list[Figure]:
    """Bulk creation with the index beside bulk creation without it."""
    kept = upkeep._FOLLOWERS
    without = tuple(each for each in kept if each is not keep)

    def measure(followers: Sequence[Callable[..., None]], start: int) -> float:
        upkeep._FOLLOWERS = tuple(followers)
        try:
            return crm_bulk(store, scale, start)
        finally:
            upkeep._FOLLOWERS = kept

    measure(kept, 10**7)
    with_, bare = rounds(
        times,
        lambda n: measure(kept, 2 * 10**7 + n * scale),
        lambda n: measure(without, 3 * 10**7 + n * scale),
    )
    detail = f"{scale / min(with_):.0f}/s with, {scale / min(bare):.0f}/s without"
    return [Figure(database, "bulk create with the index beside without it", ratio(bare, with_), ">=", 0.6, detail)]


def size_figure(store: Store, database: str, accounts: int) -> Figure:
    """What the index takes up: of the whole database on SQLite, of its tables on PostgreSQL."""
    if store.dialect == "postgresql":
        with store.engine.begin() as connection:
            query = "SELECT pg_total_relation_size('crm_search_document')"
            size = int(connection.exec_driver_sql(query).scalar_one())
    else:
        path = Path(str(store.engine.url.database))
        size = _compact(store, path)
        with store.engine.begin() as connection:
            store.search.driver.clear(connection)
            connection.exec_driver_sql("DELETE FROM crm_search_document")
            connection.exec_driver_sql("DELETE FROM crm_search_state")
        size -= _compact(store, path)
    return Figure(database, "search index, bytes for each account", size / accounts, "<=", 2500)


def _compact(store: Store, path: Path) -> int:
    raw = store.engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM")
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        raw.close()
    return path.stat().st_size


def search_figures(url: str, database: str, accounts: int, scale: int, times: int) -> list[Figure]:
    """All figures of searching in one new database."""
    with opened(url) as store:
        fill(store, accounts)
        figures = query_figures(store, database, accounts, times)
        figures.append(size_figure(store, database, accounts))
        begun = time.perf_counter()
        done = reindex(store, whole=True)
        rate = sum(done.records.values()) / (time.perf_counter() - begun)
        figures.append(Figure(database, "reindexing (records/s)", rate, ">=", 5000))
        figures += cost_figures(store, database, scale, max(times // 2, 3))
    return figures


@click.command(name="search")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@click.option("--accounts", default=100_000, show_default=True, help="How large the company is.")
@click.option("--times", default=9, show_default=True, help="Rounds of each measure.")
@measured
def command(database: str, accounts: int, times: int, json_file: Path | None, markdown: Path | None) -> None:
    """Measure searching, and what the index costs."""
    report = Report("search", None, package="benchmarks", nothing="")
    figures: list[Figure] = []
    with telling(report, json_file, markdown, partial(note, report, figures)), scratch() as folder:
        on_each(
            database,
            report.remarks,
            lambda title, server: figures.extend(
                search_figures(made(server, folder, "search"), title, accounts, 5000, times)
            ),
        )


if __name__ == "__main__":
    command()
