"""The timeline of accounts: activities, changes of owner, people and stage, and what plugins add."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, bindparam, func, select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Status
from crm_core.domain.ownership import OwnershipRole
from crm_core.domain.pools import PoolEvent, PoolEventKind
from crm_core.fields.columns import BIGINT, Moment
from crm_core.hooks.values import Failed, TimelineEntry
from crm_core.store.redirected import merges_into
from crm_core.views.asked import affiliations, lifecycles, ownerships

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Timeline", "timeline"]

# Statements are made once: to put them together takes longer than to run them.
_IDS: Any = bindparam("ids", type_=BIGINT, expanding=True)
_SINCE: Any = bindparam("since", type_=Moment())
_UNTIL: Any = bindparam("until", type_=Moment())
_MOST: Any = bindparam("most", type_=BIGINT)
_ACTIVITIES = {Status.PLANNED: "Planned", Status.HELD: "Held", Status.CANCELLED: "Cancelled"}
_RESPONSIBLE = {
    OwnershipRole.OWNER: ("Became owner", "No longer owner"),
    OwnershipRole.COLLABORATOR: ("Became collaborator", "No longer collaborator"),
    OwnershipRole.BACKUP: ("Became backup", "No longer backup"),
    OwnershipRole.MENTOR: ("Became mentor", "No longer mentor"),
}
_WORKS = ("Began there", "Left")
_POOLS = {
    PoolEventKind.CLAIMED: "Claimed",
    PoolEventKind.ASSIGNED: "Assigned",
    PoolEventKind.WARNED: "Warned",
    PoolEventKind.RECYCLED: "Recycled",
    PoolEventKind.RELEASED: "Released",
}
_MERGED = "Another account was merged into it."
STATUS_LABELS = (
    "Became owner", "No longer owner", "Became collaborator", "No longer collaborator", "Became backup",
    "No longer backup", "Became mentor", "No longer mentor", "Began there", "Left",
)  # fmt: skip
"""What happened, beside the title of an entry; said in the reader's language."""


@attrs.frozen
class Timeline:
    """Entries, latest first, and the plugins whose part could not be had."""

    entries: tuple[TimelineEntry, ...]
    failed: tuple[Failed, ...] = ()

    def __iter__(self) -> Iterator[TimelineEntry]:
        return iter(self.entries)


def timeline(
    session: CrmSession,
    accounts: Account | Sequence[Account],
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    limit: int = 50,
) -> Timeline:
    """What happened with accounts and what is planned: at most ``limit`` entries, the latest.

    A constant number of SQL statements, however many accounts are asked for.
    """
    ids = [account.id for account in ([accounts] if isinstance(accounts, Account) else accounts)]
    if not ids:
        return Timeline(())
    entries = [
        *_activities(session, ids, since, until, limit),
        *_ownerships(session, ids),
        *_affiliations(session, ids),
        *_stages(session, ids),
        *_pool_events(session, ids, since, until, limit),
        *_merges(session, ids, until, limit),
    ]
    gathered = session.store.dispatch.gather_timeline(session, ids, since, until, limit)
    wanted = (
        entry
        for entry in (*entries, *gathered)
        if (since is None or entry.at >= since) and (until is None or entry.at < until)
    )
    latest = sorted(wanted, key=lambda entry: (entry.at, entry.record_id, entry.kind), reverse=True)
    return Timeline(tuple(latest[:limit]), gathered.failed)


@functools.cache
def _acted(since: bool, until: bool) -> Any:
    when = func.coalesce(Activity.started_at, Activity.planned_start, Activity.created_at)
    query = select(
        Activity.id, Activity.account_id, Activity.kind, Activity.subject, Activity.outcome, Activity.status,
        Activity.user_id, Activity.started_at, Activity.planned_start, Activity.created_at,
    ).where(Activity.account_id.in_(_IDS), *_within(when, since, until))  # fmt: skip
    return query.order_by(when.desc(), Activity.id.desc()).limit(_MOST)


def _within(when: Any, since: bool, until: bool) -> list[ColumnElement[bool]]:
    """The period, as far as one is given."""
    return [*([when >= _SINCE] if since else []), *([when < _UNTIL] if until else [])]


def _activities(
    session: CrmSession, ids: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterable[TimelineEntry]:
    given = {"ids": ids, "since": since, "until": until, "most": limit}
    for row in session.execute(_acted(since is not None, until is not None), given):
        yield TimelineEntry(
            at=row.started_at or row.planned_start or row.created_at,
            account_id=row.account_id,
            kind=row.kind,
            title=row.subject,
            text=row.outcome or "",
            status=_ACTIVITIES[row.status],
            record_type="activity",
            record_id=row.id,
            user_id=row.user_id,
        )


def _ownerships(session: CrmSession, ids: Sequence[int]) -> Iterable[TimelineEntry]:
    for row in ownerships(session, ids):
        yield from _both_ends(row, "ownership", row.reason or "", _RESPONSIBLE[row.role], row.user_id)


def _affiliations(session: CrmSession, ids: Sequence[int]) -> Iterable[TimelineEntry]:
    for row in affiliations(session, ids):
        yield from _both_ends(row, "affiliation", row.role or row.title or "", _WORKS, None)


def _both_ends(row: Any, kind: str, text: str, said: tuple[str, str], user_id: int | None) -> Iterable[TimelineEntry]:
    for at, status in zip((row.valid_from, row.valid_to), said, strict=True):
        if at is not None:
            yield TimelineEntry(
                at=at,
                account_id=row.account_id,
                kind=kind,
                title=row.name,
                text=text,
                status=status,
                record_type=kind,
                record_id=row.id,
                user_id=user_id,
            )


def _stages(session: CrmSession, ids: Sequence[int]) -> Iterable[TimelineEntry]:
    for row in lifecycles(session, ids):
        if row.valid_from is not None:
            yield TimelineEntry(
                at=row.valid_from,
                account_id=row.account_id,
                kind="lifecycle",
                title=row.business_line,
                text=row.reason or "",
                status=row.stage.value.replace("_", " ").capitalize(),
                record_type="lifecycle",
                record_id=row.id,
            )


@functools.cache
def _pooled(since: bool, until: bool) -> Any:
    query = select(
        PoolEvent.id, PoolEvent.account_id, PoolEvent.pool, PoolEvent.kind, PoolEvent.at, PoolEvent.reason,
        PoolEvent.user_id,
    ).where(PoolEvent.account_id.in_(_IDS), *_within(PoolEvent.at, since, until))  # fmt: skip
    return query.order_by(PoolEvent.at.desc(), PoolEvent.id.desc()).limit(_MOST)


def _pool_events(
    session: CrmSession, ids: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterable[TimelineEntry]:
    given = {"ids": ids, "since": since, "until": until, "most": limit}
    for row in session.execute(_pooled(since is not None, until is not None), given):
        pool = session.policy.pools.get(row.pool)
        yield TimelineEntry(
            at=row.at,
            account_id=row.account_id,
            kind="pool",
            title=row.pool if pool is None else pool.title,
            text=row.reason or "",
            status=_POOLS[row.kind],
            record_type="pool_event",
            record_id=row.id,
            user_id=row.user_id,
        )


def _merges(session: CrmSession, ids: Sequence[int], until: dt.datetime | None, limit: int) -> Iterable[TimelineEntry]:
    for row in merges_into(session, Account.crm_type, ids, until, limit):
        yield TimelineEntry(
            at=row.at,
            account_id=row.target_id,
            kind="merge",
            title=_MERGED,
            record_type="account",
            record_id=row.target_id,
        )
