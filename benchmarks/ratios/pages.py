"""Pages of fifty: entities and rows beside Core with the same columns, order and visibility; growth of keyset pages."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import select, tuple_

from benchmarks.report import Figure, ratio
from benchmarks.sides import crm_bulk
from crm_core import Account
from crm_core.store.session import CrmSession
from crm_core.store.store import Store

READERS = ("user3", "boss", "admin")
PAGE = 50
MAPPED: Any = Account
"""By this name it has columns that are not declared as fields, such as the key by which names are sorted."""


def median_ms(work: Callable[[], object], times: int = 60) -> float:
    """The median of many calls after a warm-up, in milliseconds."""
    for _ in range(5):
        work()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def rows_of_medians(*works: Callable[[], object]) -> list[list[float]]:
    """The milliseconds of several calls measured in turns, five times: a row for each turn."""
    return [[median_ms(work, 20) for work in works] for _ in range(5)]


def paired(*works: Callable[[], object]) -> list[float]:
    """Medians of several calls measured in turns."""
    return [statistics.median(column) for column in zip(*rows_of_medians(*works), strict=True)]


def page_figures(store: Store, database: str) -> list[Figure]:
    """Entities within four times, rows within two times the same SQL through Core."""
    figures = []
    for login in READERS:
        with store.session(login, read_only=True) as session:
            entity, entity_core, rows, rows_core = paired(*_works(session))
            detail = f"{entity:.2f} ms beside {entity_core:.2f} ms"
            figures.append(Figure(database, f"page of entities, {login}", entity / entity_core, "<=", 4, detail))
            detail = f"{rows:.2f} ms beside {rows_core:.2f} ms"
            figures.append(Figure(database, f"page of rows, {login}", rows / rows_core, "<=", 2, detail))
    return figures


def _works(session: CrmSession) -> tuple[Callable[[], object], ...]:
    table = Account.crm_type.table
    criterion = session.visibility.criterion(Account.crm_type, table)
    connection = session.core_connection()
    names = ("id", "name", "email", "grade", "created_at")

    def entities() -> object:
        session.expunge_all()
        return session.scalars(select(Account).order_by(MAPPED.name_key, Account.id).limit(PAGE)).all()

    def entities_core() -> object:
        query = select(table).order_by(table.c.name_key, table.c.id).limit(PAGE)
        return connection.execute(query if criterion is None else query.where(criterion)).all()

    def rows() -> object:
        columns = [getattr(Account, name) for name in names]
        return session.execute(select(*columns).order_by(MAPPED.name_key, Account.id).limit(PAGE)).all()

    def rows_core() -> object:
        query = select(*(table.c[name] for name in names)).order_by(table.c.name_key, table.c.id).limit(PAGE)
        return connection.execute(query if criterion is None else query.where(criterion)).all()

    return entities, entities_core, rows, rows_core


def growth_figures(small: Store, large: Store, database: str) -> list[Figure]:
    """Keyset pages among ten thousand and among a hundred thousand accounts, in turns."""
    _fill(small, 10_000)
    _fill(large, 100_000)
    figures = []
    for login in ("boss", "admin"):
        with small.session(login, read_only=True) as few, large.session(login, read_only=True) as many:
            before, after = zip(*rows_of_medians(_page(few), _page(many)), strict=True)
        name = f"keyset page, 100,000 beside 10,000 accounts, {login}"
        detail = f"{statistics.median(after):.2f} ms beside {statistics.median(before):.2f} ms"
        figures.append(Figure(database, name, ratio(after, before), "<=", 1.5, detail))
    return figures


def _page(session: CrmSession) -> Callable[[], object]:
    """Read a page from the middle of the list, continued after a key."""
    middle = session.execute(
        select(MAPPED.name_key, Account.id).order_by(MAPPED.name_key, Account.id).offset(4000).limit(1)
    ).one()

    def page() -> object:
        session.expunge_all()
        after = tuple_(MAPPED.name_key, Account.id) > tuple_(*middle)
        return session.scalars(select(Account).where(after).order_by(MAPPED.name_key, Account.id).limit(PAGE)).all()

    return page


def _fill(store: Store, wanted: int) -> None:
    for start in range(0, wanted, 10_000):
        crm_bulk(store, 10_000, start)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
