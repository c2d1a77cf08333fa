"""What the plugin adds when somebody looks at accounts: a panel, and assessments and alerts in the timeline."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

from sqlalchemy import select

from crm_core import CrmSession, Money, Panel, TimelineEntry, dated
from crm_key_accounts.alerts import Alert
from crm_key_accounts.profiles import Profile
from crm_key_accounts.settings import settings_of
from crm_key_accounts.snapshots import Snapshot

__all__ = ["dimension_label", "panels", "timeline"]

_ROWS = 6
_NONE = "–"
_ALL_DATES = {"all_dates": True}


def dimension_label(session: CrmSession, name: str) -> str:
    """What people call a dimension: its word in the vocabulary, or its name in words."""
    known = session.policy.vocabularies.get("key_accounts.dimension", {})
    return known.get(name, name.replace("_", " ").capitalize())


def panels(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """Tier, value over time, and what moved it last; in three statements."""
    profiles = {profile.id: profile for profile in session.scalars(select(Profile).where(Profile.id.in_(accounts)))}
    histories: defaultdict[int, list[Snapshot]] = defaultdict(list)
    query = select(Snapshot).where(Snapshot.account_id.in_(accounts)).order_by(Snapshot.valid_from, Snapshot.id)
    for snapshot in session.scalars(query, execution_options=_ALL_DATES):
        if snapshot.valid_from is None or snapshot.valid_from <= session.at:
            histories[snapshot.account_id].append(snapshot)
    alerts = {
        alert.snapshot_id: alert
        for alert in session.scalars(
            select(Alert).where(Alert.account_id.in_(accounts), Alert.settled_at.is_(None)).order_by(Alert.id)
        )
    }
    for account_id in accounts:
        profile, history = profiles.get(account_id), histories.get(account_id, [])
        history.sort(key=lambda snapshot: (snapshot.valid_from is not None, snapshot.valid_from or session.at))
        if profile is not None or history:
            present = next((each for each in history if dated.holds(each, session.at)), None)
            alert = None if present is None else alerts.get(present.id)
            yield _panel(session, account_id, profile, history, present, alert)


def _panel(
    session: CrmSession,
    account_id: int,
    profile: Profile | None,
    history: Sequence[Snapshot],
    present: Snapshot | None,
    alert: Alert | None,
) -> Panel:
    lines: list[tuple[str, str]] = []
    if profile is not None:
        lines.append(("Tier", profile.tier.value.capitalize()))
        lines.append(("Target revenue of the year", _money(profile.target_revenue)))
    lines.append(("Value score", _NONE if present is None else f"{present.score:.2f}"))
    if alert is not None:
        lines += [("Moved by", f"{alert.move:+.2f}"), ("Cause", dimension_label(session, alert.dimension))]
    dimensions = tuple(settings_of(session).weights)
    header = ("From", "Value score", *(dimension_label(session, name) for name in dimensions))
    rows = [
        (
            _day(session, snapshot.valid_from),
            f"{snapshot.score:.2f}",
            *(str(snapshot.scores.get(name, _NONE)) for name in dimensions),
        )
        for snapshot in history[-_ROWS:]
    ]
    return Panel(
        account_id=account_id,
        name="value",
        title="Value over time",
        lines=tuple(lines),
        rows=(header, *rows) if rows else (),
        severity=_severity(alert),
    )


def _severity(alert: Alert | None) -> Literal["none", "good", "bad"]:
    if alert is None:
        return "none"
    return "good" if alert.move > 0 else "bad"


def _day(session: CrmSession, moment: dt.datetime | None) -> str:
    return _NONE if moment is None else moment.astimezone(session.policy.tz).date().isoformat()


def _money(money: Money | None) -> str:
    return _NONE if money is None else f"{money.amount:.2f} {money.currency}"


def timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterator[TimelineEntry]:
    """Assessments with their score, and alerts with their cause."""
    assessed = select(Snapshot).where(Snapshot.account_id.in_(accounts), Snapshot.valid_from.is_not(None))
    alerted = select(Alert).where(Alert.account_id.in_(accounts))
    if since is not None:
        assessed, alerted = assessed.where(Snapshot.valid_from >= since), alerted.where(Alert.at >= since)
    if until is not None:
        assessed, alerted = assessed.where(Snapshot.valid_from < until), alerted.where(Alert.at < until)
    assessed = assessed.order_by(Snapshot.valid_from.desc(), Snapshot.id.desc()).limit(limit)
    for snapshot in session.scalars(assessed, execution_options=_ALL_DATES):
        if snapshot.valid_from is not None:
            yield TimelineEntry(
                at=snapshot.valid_from,
                account_id=snapshot.account_id,
                kind="value",
                title="Value assessed",
                text=" · ".join(part for part in (f"{snapshot.score:.2f}", snapshot.note) if part),
                record_type="key_accounts.snapshot",
                record_id=snapshot.id,
                user_id=snapshot.created_by,
            )
    for alert in session.scalars(alerted.order_by(Alert.at.desc(), Alert.id.desc()).limit(limit)):
        yield TimelineEntry(
            at=alert.at,
            account_id=alert.account_id,
            kind="alert",
            title="Value rose" if alert.move > 0 else "Value fell",
            text=dimension_label(session, alert.dimension),
            record_type="key_accounts.alert",
            record_id=alert.id,
        )
