"""Writing the journal: one row per changed record, one head per change set, in the transaction of the change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.fields.columns import moment_text
from crm_core.records import Record, RecordType
from crm_core.store.bulk import insert_tuples
from crm_core.store.changes import Change, Operation
from crm_core.store.differences import filled, net, overlay
from crm_core.store.tables import CHANGE
from crm_core.store.values import encode_values

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Entry", "Head", "Journal", "coalesce"]

_COLUMNS = ("change_set_id", "position", "type", "record_id", "version", "operation", "before", "after")


@attrs.define
class Entry:
    """One record's change as it happened; ``type`` is ``None`` for rows of a plugin that is not in the build.

    ``held`` is the object that was changed, if it was one.
    """

    type: RecordType | None
    name: str
    id: int
    operation: Operation
    before: dict[str, Any]
    after: dict[str, Any]
    version: int
    held: Record | None = attrs.field(default=None, eq=False, repr=False)

    def change(self) -> Change:
        """The change as plugins see it."""
        return Change(self.name, self.id, self.operation, self.before, self.after)


@attrs.frozen
class Head:
    """Who and why, for the head of a change set."""

    principal: str
    user_id: int | None
    reason: str | None
    source: str
    undoes: int | None = None


class Journal:
    """The journal of one session's current change set."""

    def __init__(self) -> None:
        self.change_set_id: int | None = None
        self._position = 0

    def write(self, connection: Connection, change_set_id: int, entries: Sequence[Entry]) -> None:
        """Write entries; the head follows at the end."""
        self.change_set_id = change_set_id
        start = self._position
        self._position += len(entries)
        insert_tuples(
            connection,
            CHANGE.name,
            _COLUMNS,
            [
                (
                    change_set_id,
                    start + offset,
                    entry.name,
                    entry.id,
                    entry.version,
                    entry.operation,
                    encode_values(entry.before) if entry.before else None,
                    encode_values(entry.after) if entry.after else None,
                )
                for offset, entry in enumerate(entries)
            ],
        )

    def close(self, connection: Connection, head: Head, now: dt.datetime) -> int:
        """Write the head of the change set; its time is never before that of an earlier one."""
        assert self.change_set_id is not None
        values = (head.user_id, head.principal, head.reason, head.source, head.undoes)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(_SQLITE, (self.change_set_id, moment_text(now), *values))
        else:
            _write_at_its_place(connection, (self.change_set_id, now, *values))
        change_set_id, self.change_set_id, self._position = self.change_set_id, None, 0
        return change_set_id

    def forget(self) -> None:
        """The transaction is gone."""
        self.change_set_id, self._position = None, 0

    def mark(self) -> int | None:
        """Where a savepoint begins."""
        return self.change_set_id

    def back(self, mark: int | None) -> None:
        """A savepoint was rolled back: if nothing was journalled before it, there is no change set. Positions go on."""
        self.change_set_id = mark


# Written by hand because every change set ends with it; the later of now and the last head's time is taken.
_SQLITE = (
    "INSERT INTO crm_change_set (id, xid, place, at, user_id, principal, reason, source, undoes) "
    "SELECT ?, next, next, max(?, (SELECT coalesce(max(at), '') FROM crm_change_set)), ?, ?, ?, ?, ? "
    "FROM (SELECT coalesce(max(place), 0) + 1 AS next FROM crm_change_set)"
)
_POSTGRESQL = (
    "INSERT INTO crm_change_set (id, xid, place, at, user_id, principal, reason, source, undoes) VALUES (%s, "
    "CAST(CAST(pg_current_xact_id() AS text) AS bigint), "
    "CAST(CAST(greatest(pg_current_xact_id(), pg_snapshot_xmax(pg_current_snapshot())) AS text) AS bigint), "
    "greatest(%s, (SELECT max(at) FROM crm_change_set)), %s, %s, %s, %s, %s)"
)


def _write_at_its_place(connection: Connection, values: tuple[Any, ...]) -> None:
    """Write the head on PostgreSQL, behind all that was committed by now and before all that will be.

    Transactions do not end in the order in which they began. The one that changes a record last may have the lower id,
    and would be told first. So the place is a number that no transaction which has ended exceeds. The savepoint makes
    that number grow: the insert after it takes a transaction id of its own, not below this place, so that whoever
    writes a head after our commit finds a higher one. It ends with the transaction.
    """
    connection.exec_driver_sql("SAVEPOINT crm_head")
    connection.exec_driver_sql(_POSTGRESQL, values)


def coalesce(entries: Sequence[Entry]) -> list[Entry]:
    """One entry per record: the earliest before, the latest after, nothing for what came and went."""
    # Of a record and its extension, which share an id, each is found in the longer way.
    if len({entry.id for entry in entries}) == len(entries):
        return [entry for entry in entries if entry.operation != "update" or entry.before or entry.after]
    merged: dict[tuple[str, int], Entry] = {}
    for entry in entries:
        key = (entry.name, entry.id)
        first = merged.get(key)
        if first is None:
            merged[key] = attrs.evolve(entry)
        elif entry.operation == "delete":
            # Where the deletion happened, not where the first change did: an undo restores parents before children.
            del merged[key]
            if first.operation != "create":
                merged[key] = attrs.evolve(entry, before=filled(overlay(entry.before, first.before)))
        elif entry.operation == "create":
            # Deleted and restored in one change set: what remains is the difference.
            before, after = net(first.before, entry.after)
            merged[key] = attrs.evolve(entry, operation="update", before=before, after=after)
        elif first.operation == "create":
            first.after, first.version = filled(overlay(first.after, entry.after)), entry.version
        else:
            first.before, first.after = net(overlay(entry.before, first.before), overlay(first.after, entry.after))
            first.version = entry.version
    return [entry for entry in merged.values() if entry.operation != "update" or entry.before or entry.after]
