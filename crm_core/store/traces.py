"""Who changed what of which kind lately: read from the journal, as far as the actor sees what was changed."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.records import RecordType, Via
from crm_core.store.changes import Change
from crm_core.store.history import to_change
from crm_core.store.parts import in_parts
from crm_core.store.tables import CHANGE, CHANGE_SET

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Trace", "deactivations", "traces"]


@attrs.frozen
class Trace:
    """One change by a user: when, and what. ``fields`` are those of it that the actor may read."""

    at: dt.datetime
    user_id: int
    change_set_id: int
    change: Change
    fields: frozenset[str]


def traces(
    session: CrmSession, users: Collection[int], types: Sequence[RecordType], since: dt.datetime, until: dt.datetime
) -> list[Trace]:
    """What users changed or deleted in records of some types from ``since`` to ``until``, the latest first.

    Deletions are told where what the record hung on is still seen: they would have been seen before. Restricted fields
    are left out, and with them changes of nothing else. A constant number of statements for a thousand users.
    """
    found: list[Trace] = []
    ordered = sorted(users)
    for part in in_parts(ordered):
        query = (
            select(CHANGE, CHANGE_SET.c.at, CHANGE_SET.c.user_id)
            .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
            .where(
                CHANGE_SET.c.at >= since,
                CHANGE_SET.c.at <= until,
                CHANGE_SET.c.user_id.in_(part),
                CHANGE.c.type.in_([each.name for each in types]),
                CHANGE.c.operation != "create",
            )
            .order_by(CHANGE_SET.c.at.desc(), CHANGE.c.change_set_id.desc(), CHANGE.c.position)
        )
        for row in session.core(query):
            change = to_change(session.types, row)
            hidden = session._reading.restricted_names(session.types[row.type])
            fields = frozenset(change.fields - hidden)
            if fields or change.operation == "delete":
                found.append(Trace(row.at, row.user_id, row.change_set_id, change, fields))
    return [trace for trace, seen in zip(found, _seen(session, found), strict=True) if seen]


def deactivations(session: CrmSession, users: Collection[int]) -> dict[int, dt.datetime]:
    """When each of these users was deactivated last, of those who were."""
    found: dict[int, dt.datetime] = {}
    ordered = sorted(users)
    for part in in_parts(ordered):
        query = (
            select(CHANGE, CHANGE_SET.c.at)
            .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
            .where(
                CHANGE.c.type == "user",
                CHANGE.c.record_id.in_(part),
                CHANGE.c.operation == "update",
            )
            .order_by(CHANGE.c.version)
        )
        for row in session.core(query):
            if to_change(session.types, row).after.get("active") is False:
                found[row.record_id] = row.at
    return found


def _seen(session: CrmSession, found: Sequence[Trace]) -> list[bool]:
    """Whether the actor sees the record of each trace, or what it hung on before it was deleted."""
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    hooks = [_hook(session, trace) for trace in found]
    for hook in hooks:
        if hook is not None:
            wanted[hook[0]].add(hook[1])
    visible = {name: session.writer.visible_ids(session.types[name], ids) for name, ids in wanted.items()}
    return [hook is None or hook[1] in visible[hook[0]] for hook in hooks]


def _hook(session: CrmSession, trace: Trace) -> tuple[str, int] | None:
    """The record that decides whether a trace is seen; ``None`` where the actor sees all that there ever was."""
    record_type = session.types[trace.change.type]
    if trace.change.operation != "delete":
        return record_type.name, trace.change.id
    if session.visibility.sees_deleted(record_type):
        return None
    before: Any = trace.change.before
    for name in record_type.access.fields if isinstance(record_type.access, Via) else ():
        if before.get(name) is not None:
            target = record_type.by_name[name].target
            assert target is not None
            return target, before[name]
    return record_type.name, trace.change.id  # gone, and with it every way to see it
