"""Which parts the journal has: what is in each, and where those are that were detached."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
from sqlalchemy import select, text

from crm_core.fields.columns import Moment
from crm_core.store.partitions.layout import DIVIDED, REST, bounds, made, name_of, number_of
from crm_core.store.tables import CHANGE, CHANGE_SET, JOURNAL_PART

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.store import Store

__all__ = ["Part", "State", "current_number", "parts"]

State: TypeAlias = Literal["used", "empty", "current", "default", "kept", "file"]
"""``used`` and ``empty`` ones are attached, ``current`` is where new change sets go, ``default`` takes what no other
one does; of those that were detached the tables are ``kept``, or lie in a ``file``."""

_COUNT_EXACTLY = 100_000


@attrs.frozen(kw_only=True)
class Part:
    """A part of the journal: the ids of its change sets, when they were recorded, how much it holds.

    ``number`` is ``None`` for the default partition, which has no bounds either; ``first_at`` and ``last_at`` are where
    nothing is in it. Rows are counted exactly up to a hundred thousand, beyond that as the database last estimated.
    ``bytes`` has the indexes, too; it is that of the file where the tables are in one and it can be seen from here.
    """

    number: int | None
    state: State
    from_id: int | None
    to_id: int | None
    first_at: dt.datetime | None
    last_at: dt.datetime | None
    change_sets: int
    changes: int
    bytes: int | None
    detached_at: dt.datetime | None = None
    file: str | None = None


def parts(store: Store) -> list[Part]:
    """All parts, the oldest first; none where the journal is one table."""
    if store.dialect != "postgresql":
        return []
    with store.reading() as connection:
        current = current_number(connection)
        found = [_attached(connection, number, current) for number in made(connection)]
        found += [_detached(connection, row) for row in connection.execute(select(JOURNAL_PART))]
        found.sort(key=lambda each: each.number or 0)
        return [*found, _attached(connection, None, current)]


def current_number(connection: Connection) -> int:
    """The number of the partition that the next ids belong to."""
    return number_of(int(connection.exec_driver_sql("SELECT last_value FROM crm_id_seq").scalar_one()))


def _attached(connection: Connection, number: int | None, current: int) -> Part:
    heads, changes = (name_of(table, REST if number is None else number) for table, _ in DIVIDED)
    first = connection.execute(
        text(f"SELECT min(at) AS first_at, max(at) AS last_at FROM {heads}")  # noqa: S608 - names of our own making
        .columns(first_at=Moment(), last_at=Moment())
    ).one()  # fmt: skip
    state: State = "empty" if first.first_at is None else "used"
    if number is None:
        state = "default"
    elif number == current:
        state = "current"
    start, end = (None, None) if number is None else bounds(number)
    return Part(
        number=number, state=state, from_id=start, to_id=end, first_at=first.first_at, last_at=first.last_at,
        change_sets=_rows(connection, heads), changes=_rows(connection, changes),
        bytes=_bytes(connection, heads, changes),
    )  # fmt: skip


def _detached(connection: Connection, row: Any) -> Part:
    start, end = bounds(row.number)
    if row.file is None:
        size: int | None = _bytes(connection, name_of(CHANGE_SET.name, row.number), name_of(CHANGE.name, row.number))
    else:
        from pathlib import Path

        size = Path(row.file).stat().st_size if Path(row.file).is_file() else None
    return Part(
        number=row.number, state="kept" if row.file is None else "file", from_id=start, to_id=end,
        first_at=row.first_at, last_at=row.last_at, change_sets=row.change_sets, changes=row.changes, bytes=size,
        detached_at=row.detached_at, file=row.file,
    )  # fmt: skip


def _rows(connection: Connection, table: str) -> int:
    about = connection.execute(
        text("SELECT CAST(reltuples AS bigint) FROM pg_class WHERE oid = to_regclass(:name)"), {"name": table}
    ).scalar_one()
    if about >= _COUNT_EXACTLY:
        return int(about)
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608


def _bytes(connection: Connection, *tables: str) -> int:
    size = text("SELECT coalesce(pg_total_relation_size(to_regclass(:name)), 0)")
    return sum(connection.execute(size, {"name": table}).scalar_one() for table in tables)
