"""The plugin's answers to the hooks."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import select

from crm_core import (
    ChangeBatch,
    CrmSession,
    News,
    NextAction,
    OpenItem,
    Panel,
    Problem,
    Record,
    Role,
    Scope,
    dated,
    hookimpl,
)
from crm_partner_dunning.notices import LEVELS, Notice
from crm_partner_dunning.settings import Settings, settings_of

ROW_LABELS = ("Sent on", "Level")
"""The header of the table in the panel."""

_WRITES = ("partner_dunning.notice.create", "partner_dunning.notice.update")


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record: a reminder."""
    return [Notice]


@hookimpl
def crm_register_settings() -> type[Settings]:
    """What ``[plugins.partner_dunning]`` is read into."""
    return Settings


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Credit control sends reminders to all, managers to the accounts of their units."""
    return [
        Role("credit_control", tuple((each, Scope.ALL) for each in (*_WRITES, "partner_dunning.notice.read"))),
        Role("manager", tuple((permission, Scope.SUBTREE) for permission in _WRITES)),
    ]


@hookimpl
def crm_check_changes(batch: ChangeBatch) -> Iterator[Problem]:
    """Refuse levels other than 1 to 3."""
    if batch.type is not Notice.crm_type:
        return
    low, high = LEVELS
    for change in batch.of("create", "update"):
        level = change.after.get("level", low)
        if not low <= level <= high:
            yield Problem(
                "level",
                "There is no level {level}.",
                "Give a whole number from {low} to {high}.",
                {"level": level, "low": low, "high": high},
            )


@hookimpl
def crm_gather_overview(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """What has not been settled, by account."""
    open_: defaultdict[int, list[Any]] = defaultdict(list)
    for notice in _open(session, accounts):
        open_[notice.line_id].append(notice)
    for account_id, notices in open_.items():
        rows = [ROW_LABELS, *((each.sent_on.isoformat(), str(each.level)) for each in notices)]
        severity: Literal["good", "warning", "bad"] = (
            "bad" if max(each.level for each in notices) == LEVELS[1] else "warning"
        )
        yield Panel(
            account_id=account_id, name="dunning", title="Reminders of payment", rows=tuple(rows), severity=severity
        )


@hookimpl
def crm_gather_actions(session: CrmSession, accounts: Sequence[int]) -> Iterator[NextAction]:
    """The next reminder, once the patience with the last one is over."""
    patience = dt.timedelta(days=settings_of(session).patience)
    last = {notice.line_id: notice for notice in _open(session, accounts)}
    for account_id, notice in last.items():
        due = dated.as_moment(session, notice.sent_on + patience)
        if due <= session.now:
            yield NextAction(
                account_id=account_id,
                kind="dunning",
                title="Remind them of their payment again",
                reason="Reminder {level} was sent on {day}.",
                values={"level": notice.level, "day": notice.sent_on},
                due=due,
                urgency=80,
                record_type="partner_dunning.notice",
                record_id=notice.id,
            )


@hookimpl
def crm_gather_news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterator[News]:
    """What became of reminders: paid, objected to, or so late that nothing is delivered; in one statement."""
    query = (
        select(Notice.id, Notice.line_id, Notice.level, Notice.settled_on, Notice.objection, Notice.updated_at)
        .where(Notice.line_id.in_(accounts), Notice.updated_at >= since)
        .order_by(Notice.id)
    )
    for notice in session.execute(query):
        told = _told(notice)
        if told is not None:
            kind, text = told
            yield News(
                account_id=notice.line_id,
                at=notice.updated_at,
                kind=kind,
                text=text,
                values={"level": notice.level, "objection": notice.objection or ""},
                record_type="partner_dunning.notice",
                record_id=notice.id,
            )


TOLD_LABELS = {
    "payment": "They paid what reminder {level} asked for",
    "complaint": "They object to reminder {level}: {objection}",
    "delivery": "Nothing is delivered until reminder {level} is settled",
}
"""What is told of a reminder, by the kind of the news."""


def _told(notice: Any) -> tuple[str, str] | None:
    """The kind of the news and the text; a reminder that was sent and waits is none."""
    if notice.settled_on is not None:
        kind = "payment"
    elif notice.objection is not None:
        kind = "complaint"
    elif notice.level == LEVELS[1]:
        kind = "delivery"
    else:
        return None
    return kind, TOLD_LABELS[kind]


@hookimpl
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """What a successor must know; no reminder is in the charge of one colleague."""
    if user_id is not None:
        return
    for notice in _open(session, accounts):
        yield OpenItem(
            account_id=notice.line_id,
            kind="dunning",
            title="Reminder of payment that is not settled",
            record_type="partner_dunning.notice",
            record_id=notice.id,
        )


def _open(session: CrmSession, accounts: Sequence[int]) -> Sequence[Any]:
    """Reminders that are not settled, the latest last, by one statement."""
    query = (
        select(Notice.id, Notice.line_id, Notice.level, Notice.sent_on)
        .where(Notice.line_id.in_(accounts), Notice.settled_on.is_(None))
        .order_by(Notice.line_id, Notice.sent_on, Notice.id)
    )
    return session.execute(query).all()
