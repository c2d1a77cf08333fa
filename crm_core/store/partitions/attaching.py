"""Attaching a part of the journal again: afterwards everything is as if it had never been away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Row, delete, select, tuple_

from crm_core.errors import NotFound, StoreError
from crm_core.store.erasing.blanking import Blanking
from crm_core.store.erasure import erase_again
from crm_core.store.marks import ERASED
from crm_core.store.partitions import files
from crm_core.store.partitions.changing import guarded, require_partitions, take_turns
from crm_core.store.partitions.layout import DIVIDED, name_of
from crm_core.store.partitions.moving import columns_of, put_back
from crm_core.store.tables import CHANGE, CHANGE_SET, FEED_POSITION, JOURNAL_PART
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.session import CrmSession
    from crm_core.store.store import Store

__all__ = ["Attached", "attach"]

_ERASED_AT = "erased_at"


@attrs.frozen
class Attached:
    """What came back (``dry_run``: would): a part's number and what it holds.

    ``erased`` counts the rows of it in which something personal was erased, of people who were erased while it was
    away. ``file`` is where it came from, if from one: nobody tells of that file any more, and no erasure reaches it.
    """

    number: int
    change_sets: int
    changes: int
    erased: int = 0
    file: str | None = None


def attach(store: Store, part: int | Path, *, dry_run: bool = False) -> Attached:
    """Attach a part, by its number or its file; it is the one that this database detached, or it is refused.

    Whoever was erased meanwhile is erased in it, before anybody sees it. Raises :class:`NotFound` where no such part is
    detached or no such file is there, :class:`StoreError` where the file is not whole or is another's or on SQLite, and
    :class:`~crm_core.errors.Conflict` where the journal is being worked with.
    """
    require_partitions(store)
    held = None if isinstance(part, int) else files.read(part)
    number = held.number if held is not None else part
    assert isinstance(number, int)
    with store.session(principal="journal", source="journal") as session, guarded():
        connection = session.core_connection()
        take_turns(connection)
        row = session.core(select(JOURNAL_PART).where(JOURNAL_PART.c.number == number)).first()
        if row is None:
            raise NotFound(
                "Part {number} of the journal is not detached.", mend="'crm journal' shows the parts.", number=number
            )
        file = _file(part, row)
        if file is not None:
            _same(connection, held or files.read(file), row, file)
        done = Attached(number, row.change_sets, row.changes, file=None if file is None else str(file))
        if dry_run:
            return done
        if file is not None:
            _load(connection, file, number)
        _settle(connection, number)
        put_back(connection, number)
        session.core(delete(JOURNAL_PART).where(JOURNAL_PART.c.number == number))
        done = attrs.evolve(done, erased=_erase_again(session, row))
    return done


def _file(part: int | Path, row: Row[Any]) -> Path | None:
    """Where the part is to be read from; its tables are there if that is nowhere."""
    if row.file is None:
        return None
    if isinstance(part, Path):
        return part
    if not Path(row.file).is_file():
        raise NotFound(
            "Part {number} of the journal was written to {path}, where it is no longer.",
            mend="Give the file by its path.",
            number=row.number,
            path=row.file,
        )
    return Path(row.file)


def _same(connection: Connection, held: files.InFile, row: Row[Any], file: Path) -> None:
    rows = {CHANGE_SET.name: row.change_sets, CHANGE.name: row.changes}
    if (held.number, held.rows, held.sha256) != (row.number, rows, row.sha256):
        raise StoreError(
            "{path} is not the part {number} that this database detached: it holds other rows.",
            mend="Take the file that 'crm journal' names.",
            path=str(file),
            number=row.number,
        )
    if any(held.columns[table] != columns_of(connection, table) for table, _ in DIVIDED):
        raise StoreError(
            "{path} was written by another version: its tables have other columns.",
            mend="Attach it with the version that detached it, and upgrade then.",
            path=str(file),
        )


def _load(connection: Connection, file: Path, number: int) -> None:
    for table, _ in DIVIDED:
        connection.exec_driver_sql(f"CREATE TABLE {name_of(table, number)} (LIKE {table} INCLUDING ALL)")
    files.load(connection, file, number)


def _settle(connection: Connection, number: int) -> None:
    """Let nobody be told again: in a database that was restored elsewhere, the places of old mean nothing."""
    heads = name_of(CHANGE_SET.name, number)
    last: Any = connection.exec_driver_sql(
        f"SELECT place, id, place >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) AS strange "  # noqa: S608
        f"FROM {heads} ORDER BY place DESC, id DESC LIMIT 1"
    ).first()
    if last is None:
        return
    at = tuple_(FEED_POSITION.c.place, FEED_POSITION.c.change_set_id)
    behind = connection.execute(select(FEED_POSITION.c.consumer).where(at < tuple_(last.place, last.id)).limit(1))
    if last.strange or behind.first() is not None:
        connection.exec_driver_sql(f"UPDATE {heads} SET place = 0, xid = 0")  # noqa: S608


def _erase_again(session: CrmSession, row: Row[Any]) -> int:
    """Erase in the whole journal whoever, and whatever text, was erased since the part was detached."""
    changed = 0
    for type_name, id_, names in list(_erased(session, row)):
        record_type = session.types.get(type_name)
        if record_type is None:
            continue  # its person is of a type that is there, and takes it along
        if names is None:
            changed += erase_again(session, record_type, id_)
        else:
            blanking = Blanking(session)
            columns = {column for name in names for column in record_type.field(name).column_names}
            blanking.whole(record_type, {id_}, frozenset({*names, *columns}))
            changed += blanking.changed
    return changed


def _erased(session: CrmSession, row: Row[Any]) -> Iterator[tuple[str, int, frozenset[str] | None]]:
    """Records that erasures wrote since: whole persons (``None``), or the texts that were erased."""
    query = (
        select(CHANGE.c.type, CHANGE.c.record_id, CHANGE.c.before, CHANGE.c.after)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        # None of these is in a part that is away: see erasures() in moving.py.
        .where(CHANGE_SET.c.source == "erasure", CHANGE_SET.c.at >= row.cut)
        .order_by(CHANGE_SET.c.id, CHANGE.c.position)
    )
    for each in session.core(query):
        before, after = decode_values(None, each.before), decode_values(None, each.after)
        record_type = session.types.get(each.type)
        if after.get(_ERASED_AT) is not None:
            yield each.type, each.record_id, None
        elif record_type is not None:
            names = frozenset(name for name, value in before.items() if value == ERASED and name in record_type.by_name)
            if names:
                yield each.type, each.record_id, names
