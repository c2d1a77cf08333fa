"""Making a database of a size, and what can be measured only while it is made or changed."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import time
from collections.abc import Callable
from typing import Any

import attrs
from sqlalchemy import func, select, text

from benchmarks.growth.company import Pattern, write_pattern
from benchmarks.growth.keeping import Kept
from benchmarks.growth.multiplying import multiply
from crm_core import Account, Crm, Ownership, User
from crm_core.store.tables import CHANGE, CHANGE_SET, TECHNICAL_TABLES

__all__ = ["Sizes", "Writing", "build", "copies_for", "known", "layout", "opened", "pattern_of", "sizes", "written"]

BATCH = 1000
Note = Callable[[str], None]


def opened(url: str) -> Crm:
    """A CRM of the kernel alone."""
    return Crm.open({"crm": {"name": "growth", "database": url}}, check=False)


@functools.cache
def layout() -> str:
    """What the tables of the kernel are like now: a database with others cannot be measured."""
    with opened("sqlite://") as crm:
        tables = [*(each.table for each in crm.types.values()), *TECHNICAL_TABLES]
        described = [
            (each.name, [repr(column) for column in each.c], sorted(str(index.name) for index in each.indexes))
            for each in tables
        ]
    return hashlib.sha256(repr(sorted(described)).encode()).hexdigest()[:16]


def known(kept: Kept, name: str) -> dict[str, Any]:
    """What is known of a database; nothing of one that was built for other tables, so that it is built anew."""
    found = kept.known(name)
    return found if found.get("layout") == layout() else {}


def copies_for(accounts: int, clerks: int) -> int:
    """How many patterns a size is made of; raises :class:`ValueError` where it cannot be made."""
    copies, rest = divmod(accounts - clerks, 9 * clerks)
    if rest or copies < 1:
        raise ValueError(_others_than(accounts, clerks))
    return copies


def _others_than(accounts: int, clerks: int) -> str:
    """Why a size cannot be made, and which can: these are the clerk's accounts and a multiple of nine times as many."""
    least, step = 10 * clerks, 9 * clerks
    text = f"{accounts} accounts cannot be made where the clerk has {clerks}: "
    if accounts < least:
        text += f"the least are {least}, then come {least + step} and each {step} more."
    else:
        below = accounts - (accounts - least) % step
        text += f"the next smaller size is {below}, the next larger {below + step}; the least is {least}."
    fitting = next((accounts // each for each in range(10, accounts // 10 + 1, 9) if accounts % each == 0), None)
    return f"{text} With --clerk {fitting} it can be made." if fitting else f"{text} Name one of these as --accounts."


def build(kept: Kept, name: str, accounts: int, clerks: int, note: Note) -> Pattern:
    """A database with so many accounts: a copy of what was written through the CRM, multiplied."""
    copies = copies_for(accounts, clerks)
    pattern = _pattern(kept, clerks, note)
    kept.forget(name)
    begun = time.perf_counter()
    url = kept.place.copy(f"pattern{clerks}", name)
    with opened(url) as crm:
        multiply(crm, pattern, copies, note)
    loaded = time.perf_counter() - begun
    kept.note(name, accounts=accounts, pattern=attrs.asdict(pattern), loaded=loaded, layout=layout())
    return pattern


def _pattern(kept: Kept, clerks: int, note: Note) -> Pattern:
    name = f"pattern{clerks}"
    if found := known(kept, name):
        return pattern_of(found)
    note("the pattern is written through the CRM")
    kept.forget(name)
    with opened(kept.place.make(name)) as crm:
        crm.migrate()
        pattern = write_pattern(crm, clerks, dt.datetime.now(dt.UTC), time.perf_counter)
    kept.note(name, pattern=attrs.asdict(pattern), layout=layout())
    return pattern


def pattern_of(found: dict[str, Any]) -> Pattern:
    """What was kept of it."""
    given = dict(found["pattern"])
    return Pattern(**{**given, "now": dt.datetime.fromisoformat(str(given["now"]))})


@attrs.frozen
class Writing:
    """Rates of what changes the database, in records a second."""

    records: int
    imported: float
    undone: float


def written(crm: Crm, records: int, note: Note) -> Writing:
    """Import so many accounts with their owner as one change set, and take it back."""
    with crm.system_session("growth") as session:
        owner = session.list(User, 'login == "seller007"')[0].id
    begun = time.perf_counter()
    with crm.system_session("growth", source="import", streaming=True) as session:
        for start in range(0, records // 2, BATCH):
            numbers = range(start, min(start + BATCH, records // 2))
            ids = session.add_many(Account, [{"name": f"Imported {number:06d}", "grade": "C"} for number in numbers])
            session.add_many(Ownership, [{"account_id": id_, "user_id": owner} for id_ in ids])
    middle = time.perf_counter()
    change_set = session.last_change_set
    assert change_set is not None
    note(f"imported in {middle - begun:.1f} s")
    with crm.system_session("growth") as session:
        session.undo(change_set)
    end = time.perf_counter()
    note(f"undone in {end - middle:.1f} s")
    return Writing(records, records / (middle - begun), records / (end - middle))


@attrs.frozen
class Sizes:
    """Bytes with indexes: of everything and of the journal by account, of the journal by change."""

    account: float
    journal: float
    change: float


def sizes(crm: Crm, accounts: int) -> Sizes:
    """What the database takes up."""
    query = _POSTGRESQL if crm.store.dialect == "postgresql" else _SQLITE
    with crm.store.engine.connect() as connection:
        changes = connection.execute(select(func.count()).select_from(CHANGE)).scalar_one()
        found = {name: int(size) for name, size in connection.execute(text(query))}
    # Its parts on PostgreSQL begin with its name.
    journal = sum(size for name, size in found.items() if name.startswith((CHANGE.name, CHANGE_SET.name)))
    whole = sum(found.values())
    return Sizes(whole / accounts, journal / accounts, journal / changes)


_POSTGRESQL = (
    "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = CAST('public' AS regnamespace)"
)
_SQLITE = (
    "SELECT coalesce(m.tbl_name, d.name), sum(d.pgsize) FROM dbstat AS d LEFT JOIN sqlite_master AS m"
    " ON m.name = d.name WHERE d.aggregate = 1 GROUP BY 1"
)
