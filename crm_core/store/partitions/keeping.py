"""Making partitions before they are needed, and beginning a new one when a year is over.

A new one is begun by taking ids from its range: nothing is moved, and no table is locked for it. Where nobody does it
in time, the old one goes on being written; where ids run beyond all that are there, the default partition is, and what
is in it is moved to its place the next time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_core.store.clock import database_now
from crm_core.store.ids import BLOCK
from crm_core.store.partitions.changing import changing, require_partitions
from crm_core.store.partitions.layout import DIVIDED, REST, WIDTH, bounds, name_of
from crm_core.store.partitions.listing import current_number
from crm_core.store.partitions.moving import ensure
from crm_core.store.statistics import refresh
from crm_core.store.tables import JOURNAL_PART

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.assembly import Crm
    from crm_core.store.store import Store

__all__ = ["LEAST", "MONTHS", "Kept", "begin", "keep", "run"]

MONTHS: Final = 12
"""A partition is for so many months, counted from January."""

LEAST: Final = 100_000
"""With fewer changes than these in the current one, no new one is begun: a small company has one, and no cost of it."""

# So many ids before its end a range counts as used up: others may be taking blocks while we look.
_MARGIN = 1000 * BLOCK


@attrs.frozen
class Kept:
    """What was done: the numbers of the partitions that were made, and of the one that was begun, if any was."""

    made: tuple[int, ...] = ()
    begun: int | None = None


def keep(store: Store, *, months: int = MONTHS, least: int = LEAST) -> Kept:
    """Make the next partition, and begin it where the last turn of ``months`` lies behind the current one's beginning.

    Does nothing on SQLite. Raises :class:`~crm_core.errors.Conflict` where the journal is being worked with.
    """
    if store.dialect != "postgresql":
        return Kept()
    with changing(store) as connection:
        new = _make(connection)
        if not _due(store, connection, months, least):
            return Kept(tuple(new))
        begun, more = _begin(connection)
        return Kept((*new, *more), begun)


def begin(store: Store) -> Kept:
    """Begin a new partition now, unless the current one is empty.

    Raises :class:`~crm_core.errors.StoreError` on SQLite, and :class:`~crm_core.errors.Conflict` as :func:`keep` does.
    """
    require_partitions(store)
    with changing(store) as connection:
        new = _make(connection)
        heads = name_of(DIVIDED[0][0], current_number(connection))
        if connection.exec_driver_sql(f"SELECT min(at) FROM {heads}").scalar() is None:  # noqa: S608
            return Kept(tuple(new))
        begun, more = _begin(connection)
        return Kept((*new, *more), begun)


def run(crm: Crm, arguments: Mapping[str, Any]) -> None:
    """The job ``journal.keep``."""
    keep(crm.store, months=arguments["months"], least=arguments["least"])
    if crm.store.dialect == "postgresql":
        # By itself PostgreSQL counts each part, and never all of them together, by which it plans what asks all.
        refresh(crm.store.engine, [table for table, _ in DIVIDED])


def _make(connection: Connection) -> list[int]:
    """Make the current and the next partition, and those that the default one holds rows of."""
    current, (table, column) = current_number(connection), DIVIDED[0]
    rest = connection.exec_driver_sql(
        f"SELECT DISTINCT {column} / {WIDTH} FROM {name_of(table, REST)}"  # noqa: S608 - names of our own making
    ).scalars()
    # What came late to a part that is detached stays where it is until that one is attached again.
    away = set(connection.execute(JOURNAL_PART.select()).scalars())
    wanted = {current, current + 1, *map(int, rest)} - away
    return [number for number in sorted(wanted) if ensure(connection, number)]


def _due(store: Store, connection: Connection, months: int, least: int) -> bool:
    current = current_number(connection)
    heads, changes = (name_of(table, current) for table, _ in DIVIDED)
    held = connection.exec_driver_sql(
        f"SELECT count(*) FROM (SELECT 1 FROM {changes} LIMIT {max(1, least)}) AS held"  # noqa: S608
    ).scalar_one()
    if held < max(1, least):
        return False
    first = connection.exec_driver_sql(f"SELECT min(at) FROM {heads}").scalar()  # noqa: S608
    now = database_now(connection)
    return first is not None and _turn(store, first, months) < _turn(store, now, months)


def _turn(store: Store, moment: dt.datetime, months: int) -> int:
    local = moment.astimezone(store.policy.tz)
    return (local.year * 12 + local.month - 1) // max(1, months)


def _begin(connection: Connection) -> tuple[int, list[int]]:
    """Let the next ids be those of a new range, and make it and the one after it."""
    last = int(connection.exec_driver_sql("SELECT last_value FROM crm_id_seq").scalar_one())
    number = (last + _MARGIN) // WIDTH + 1
    new = [each for each in (number, number + 1) if ensure(connection, each)]
    # Ids begin at a block's beginning. The sequence does not wait for the commit; should that fail, the default
    # partition takes what comes.
    connection.exec_driver_sql(f"SELECT setval('crm_id_seq', {bounds(number)[0] + 1}, false)")
    return number, new
