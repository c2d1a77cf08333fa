"""What the journal says of accounts and activities in a stretch of time: what was known when.

What an import brought counts as known when it happened: the system from which it came knew it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Select, func, literal, or_, select

from crm_core.domain.activities import Activity, Status
from crm_core.domain.pools import HELD_ACTIVITY
from crm_core.store.parts import in_parts
from crm_core.store.past import step_back
from crm_core.store.tables import CHANGE, CHANGE_SET

if TYPE_CHECKING:
    from crm_core.records import RecordType
    from crm_core.store.session import CrmSession

__all__ = ["Sign", "account_versions", "held_activities"]

_IMPORT = "import"
_OF_ACTIVITIES = ("status", "account_id", "started_at")


@attrs.frozen
class Sign:
    """A sign of life at a moment, known from a moment on (``None``: always) until it was taken back, if it was."""

    kind: str
    at: dt.datetime
    known_from: dt.datetime | None = None
    known_until: dt.datetime | None = None


@attrs.frozen
class _Version:
    """The values of a record from a moment on (``None``: as long as we know); ``None`` while there was none."""

    since: dt.datetime | None
    values: dict[str, Any] | None
    imported: bool


def _changes(record_type: RecordType, since: dt.datetime) -> Select[Any]:
    """The changes since a moment. What an import created was there before: that it was created here is no change."""
    return (
        select(CHANGE.c.record_id, CHANGE.c.operation, CHANGE.c.before, CHANGE_SET.c.at, CHANGE_SET.c.source)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(
            CHANGE.c.type == record_type.name,
            CHANGE_SET.c.at > since,
            or_(CHANGE_SET.c.source != _IMPORT, CHANGE.c.operation != "create"),
        )
        .order_by(CHANGE.c.record_id, CHANGE.c.version.desc(), CHANGE.c.position.desc())
    )


def _versions(
    session: CrmSession, record_type: RecordType, since: dt.datetime, fields: Collection[str] | None = None
) -> Iterator[tuple[int, list[_Version]]]:
    """Records that changed since a moment, each with its versions, the latest first; values of ``fields`` (of all)."""
    rows = session.core(_changes(record_type, since))
    groups = ((id_, list(group)) for id_, group in groupby(rows, key=lambda row: row.record_id))
    for part in in_parts(groups):
        current = session.writer.rows(record_type, [id_ for id_, _ in part], fields=fields)
        for id_, changes in part:
            state: dict[str, Any] | None = current.get(id_)
            versions: list[_Version] = []
            for change in changes:
                versions.append(_Version(change.at, state, change.source == _IMPORT))
                state = step_back(session, record_type, state, change.operation, change.before)
            versions.append(_Version(None, state, False))
            yield id_, versions


def account_versions(
    session: CrmSession, record_type: RecordType, since: dt.datetime, ids: Collection[int]
) -> dict[int, list[tuple[dt.datetime | None, dict[str, Any] | None]]]:
    """Of those of ``ids`` that changed since a moment: what they were from when on, the earliest first."""
    found = {}
    for id_, versions in _versions(session, record_type, since):
        if id_ in ids:
            found[id_] = [(each.since, each.values) for each in reversed(versions)]
    return found


def held_activities(
    session: CrmSession, since: dt.datetime, until: dt.datetime, ids: Collection[int]
) -> dict[int, list[Sign]]:
    """The held activities of accounts as far as they matter after ``since``; a constant number of statements, and some
    for each thousand activities that changed since then.
    """
    found: defaultdict[int, list[Sign]] = defaultdict(list)
    activity = Activity.crm_type.table
    # Not "id not in": on PostgreSQL that is quadratic once the changes do not fit into its working memory.
    changed = _changes(Activity.crm_type, since).with_only_columns(literal(1)).order_by(None)
    unchanged = (
        activity.c.status == Status.HELD,
        activity.c.account_id.is_not(None),
        ~changed.where(CHANGE.c.record_id == activity.c.id).correlate(activity).exists(),
    )
    # Of those before, only the latest of an account can matter.
    old: Any = session.core(
        select(activity.c.account_id, func.max(activity.c.started_at))
        .where(*unchanged, activity.c.started_at <= since)
        .group_by(activity.c.account_id)
    )
    recent: Any = session.core(
        select(activity.c.account_id, activity.c.started_at).where(
            *unchanged, activity.c.started_at > since, activity.c.started_at <= until
        )
    )
    for rows in (old, recent):
        for account_id, at in rows:
            if account_id in ids:
                found[account_id].append(Sign(HELD_ACTIVITY, at))
    for _, versions in _versions(session, Activity.crm_type, since, _OF_ACTIVITIES):
        ended: dt.datetime | None = None
        for version in versions:
            values = version.values
            if values is not None and values.get("status") is Status.HELD and values.get("started_at") is not None:
                known = None if version.imported else version.since
                if values.get("account_id") in ids:
                    found[values["account_id"]].append(Sign(HELD_ACTIVITY, values["started_at"], known, ended))
            ended = version.since
    return dict(found)
