"""Reading the journal: change sets, the history of a record, one page at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Row, Select, func, select

from crm_core.errors import NotFound, PastDetached, ValidationError
from crm_core.records import Record, RecordType, Types
from crm_core.store.absent import absent_type
from crm_core.store.changes import Change, ChangeSet
from crm_core.store.differences import RAW
from crm_core.store.partitions.recorded import begins, detached, refuse_detached, shown
from crm_core.store.parts import in_parts
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = [
    "History",
    "HistoryEvent",
    "change_set",
    "change_sets",
    "history",
    "history_of",
    "makers",
    "pending_counts",
    "to_change",
    "to_change_set",
]


@attrs.frozen
class HistoryEvent:
    """One change in the history of a record, with who did it and why.

    ``inactive`` names the plugin that the record belongs to, where that is not loaded: the values are then as the
    journal has them.
    """

    at: dt.datetime
    principal: str
    reason: str | None
    source: str
    change_set_id: int
    version: int
    change: Change
    inactive: str | None = None


class History(list[HistoryEvent]):
    """The events of a record, the oldest first.

    ``begins`` is ``None`` where that is all; else what was recorded before that moment is detached from the database,
    and there may have been more.
    """

    begins: dt.datetime | None = None


def to_change(types: Types, row: Row[Any]) -> Change:
    """A journal row as a change; of a type that is not in the build as plain JSON."""
    record_type = types.get(row.type)
    return Change(
        row.type,
        row.record_id,
        row.operation,
        decode_values(record_type, row.before),
        decode_values(record_type, row.after),
    )


def to_change_set(row: Row[Any], changes: Sequence[Change] = ()) -> ChangeSet:
    """A journal head as a change set."""
    return ChangeSet(row.id, row.at, row.user_id, row.principal, row.reason, row.source, row.undoes, tuple(changes))


def history(session: CrmSession, record_type: RecordType | str, id_: int) -> History:
    """All changes of a record, oldest first, for whoever sees the record (of a deleted one: scope all).

    The type may be given by its name, which may be of a plugin that is not loaded: its events are ``inactive``, and
    their values are shown as the journal has them, to scope all. Fields that the actor may not read are left out.
    Raises :class:`NotFound` when there is nothing to see.
    """
    name = record_type if isinstance(record_type, str) else record_type.name
    known = session.types.get(name)
    query: Select[Any] = (
        select(CHANGE, CHANGE_SET.c.at, CHANGE_SET.c.principal, CHANGE_SET.c.reason, CHANGE_SET.c.source)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(CHANGE.c.record_id == id_, CHANGE.c.type == name)
        .order_by(CHANGE.c.version, CHANGE.c.change_set_id, CHANGE.c.position)
    )
    visible = session.writer.visible_ids(known, {id_}) if known is not None else set()
    rows = session.core(query).all()
    cut = None if _is_whole(session, id_, rows) else begins(session)
    if not visible and not (rows and _sees_deleted(session, name, known)):
        if cut is not None and _sees_deleted(session, name, known):
            raise PastDetached(
                "There is no {record} {id}, and what was recorded before {cut} is detached.",
                mend="Bring it back ('crm journal attach'), or check the id.",
                record=name,
                id=id_,
                cut=shown(session, cut),
            )
        raise NotFound(
            "There is no {record} {id}.",
            mend="Check the id, or ask whoever is responsible for it.",
            record=name,
            id=id_,
        )
    inactive = None
    if known is not None:
        hidden = session._reading.restricted_names(known)
    else:
        gone = absent_type(session, name)
        inactive = name.partition(".")[0]
        closed = {} if gone is None else gone.restricted
        hidden = frozenset(field for field, permission in closed.items() if not session.can(permission))
    events = History(
        HistoryEvent(
            row.at, row.principal, row.reason, row.source, row.change_set_id, row.version,
            _without(to_change(session.types, row), hidden), inactive,
        )
        for row in rows
    )  # fmt: skip
    events.begins = cut
    return events


def _is_whole(session: CrmSession, id_: int, rows: Sequence[Row[Any]]) -> bool:
    """Whether nothing of a record can be in a part of the journal that is detached."""
    if not rows or rows[0].operation != "create":
        return False
    # Whoever was brought back goes on with a higher version; so does whoever was created and changed at once.
    return rows[0].version == 1 or not detached(session, id_)


def history_of(session: CrmSession, record: Record | type[Record] | str, id_: int | None) -> History:
    """See :meth:`crm_core.store.session.CrmSession.history`."""
    given = record.id if isinstance(record, Record) else id_
    if given is None:
        raise ValidationError(
            "A history is that of one record.",
            mend="Give the record, or its type and its id: session.history(Account, 17).",
        )
    return history(session, record if isinstance(record, str) else record.crm_type, given)


def _sees_deleted(session: CrmSession, name: str, known: RecordType | None) -> bool:
    if known is not None:
        return session.visibility.sees_deleted(known)
    return session.visibility.reach(f"{name}.read").all


def _without(change: Change, hidden: frozenset[str]) -> Change:
    if not hidden:
        return change
    return attrs.evolve(
        change,
        before=_open(change.before, hidden),
        after=_open(change.after, hidden),
    )


def _open(values: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    """Values without the hidden ones, also where a row was kept as it lies in its table."""
    return {
        name: _open(value, hidden) if name == RAW else value for name, value in values.items() if name not in hidden
    }


def makers(session: CrmSession, record_type: RecordType, ids: Iterable[int]) -> dict[int, dict[int, int | None]]:
    """By record the change sets that changed it, each with its user; asks nobody, and is for the kernel's rules."""
    ordered = sorted(ids)
    found: dict[int, dict[int, int | None]] = {id_: {} for id_ in ordered}
    for part in in_parts(ordered):
        query = (
            select(CHANGE.c.record_id, CHANGE.c.change_set_id, CHANGE_SET.c.user_id)
            .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
            .where(CHANGE.c.record_id.in_(part), CHANGE.c.type == record_type.name)
        )
        for row in session.core(query):
            found[row.record_id][row.change_set_id] = row.user_id
    return found


def change_set(session: CrmSession, id_: int, *, known: bool = False) -> ChangeSet:
    """The head of a change set, for whoever may know of it; ``known`` says that a rule of the kernel asks."""
    row = session.core(select(CHANGE_SET).where(CHANGE_SET.c.id == id_)).first()
    if row is None or not (known or _may_know(session, row)):
        refuse_detached(session, id_)  # the same answer, whether it is not here or not theirs to know
        raise NotFound("There is no change set {id}.", mend="'crm history' shows the change sets of a record.", id=id_)
    return to_change_set(row)


def change_sets(session: CrmSession, limit: int = 20, source: str | None = None) -> list[ChangeSet]:
    """The latest change sets: one's own, or everybody's for those who may undo."""
    query = select(CHANGE_SET).order_by(CHANGE_SET.c.at.desc(), CHANGE_SET.c.id.desc()).limit(limit)
    if source is not None:
        query = query.where(CHANGE_SET.c.source == source)
    if not _may_undo_all(session):
        query = query.where(CHANGE_SET.c.user_id == session.actor.user_id)
    return [to_change_set(row) for row in session.core(query)]


def pending_counts(session: CrmSession) -> dict[tuple[str, str], int]:
    """What this session has changed and not committed: how often by record type and operation, after all checks."""
    session.check()
    session.writer.flush_journal()
    query = (
        select(CHANGE.c.type, CHANGE.c.operation, func.count())
        .where(CHANGE.c.change_set_id == session.change_set_id())
        .group_by(CHANGE.c.type, CHANGE.c.operation)
    )
    rows: Any = session.core(query)
    return {(name, operation): count for name, operation, count in rows}


def _may_undo_all(session: CrmSession) -> bool:
    return session.visibility.reach("system.undo").all


def _may_know(session: CrmSession, row: Any) -> bool:
    return _may_undo_all(session) or (row.user_id is not None and row.user_id == session.actor.user_id)
