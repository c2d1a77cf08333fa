"""What the plugin adds when somebody looks at accounts: a panel, and visits in the timeline."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

from sqlalchemy import and_, case, func, select

from crm_consumer_goods.coverage import Coverage, by_account
from crm_consumer_goods.outlets import Outlet, frequency
from crm_consumer_goods.settings import Settings, settings_of
from crm_consumer_goods.store_checks import StoreCheck
from crm_consumer_goods.visits import Visit
from crm_core import CrmSession, Panel, TimelineEntry, dated

__all__ = ["panels", "timeline"]

_HEADER = (
    "Product", "On the shelf", "Facings", "Our price", "Competitor", "Competitor's price", "Promotion material present"
)  # fmt: skip
_YES, _NO, _NONE = "✓", "✗", "–"


def panels(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """Coverage of the last four weeks, the visits around today, and the latest store check; in five statements."""
    today = session.at.astimezone(session.policy.tz).date()
    settings = settings_of(session)
    outlets = {outlet.id: outlet for outlet in session.scalars(select(Outlet).where(Outlet.id.in_(accounts)))}
    covered = by_account(session, accounts, from_=today - dt.timedelta(27), until=today + dt.timedelta(1))
    around = _around(session, accounts, today)
    checked = _latest_checks(session, accounts)
    for account_id in accounts:
        outlet, visits = outlets.get(account_id), around.get(account_id)
        if outlet is None and visits is None:
            continue
        lines: list[tuple[str, str]] = []
        if outlet is not None:
            lines += [
                ("Channel", outlet.channel.value.replace("_", " ").capitalize()),
                ("Class", outlet.outlet_class.value),
                ("Visits per four weeks", str(frequency(session, outlet))),
            ]
        found = covered.get(account_id, Coverage())
        rate = found.rate
        lines += [
            ("Held of planned in four weeks", f"{found.held}/{found.planned}"),
            ("Coverage", _NONE if rate is None else f"{rate * 100:.0f} %"),
        ]
        last, following = visits or (None, None)
        lines += [
            ("Last visit", _NONE if last is None else last.astimezone(session.policy.tz).date().isoformat()),
            ("Next visit", _NONE if following is None else following.isoformat()),
        ]
        rows = [_row(check) for check in checked.get(account_id, ())]
        yield Panel(
            account_id=account_id,
            name="coverage",
            title="Coverage",
            lines=tuple(lines),
            rows=(_HEADER, *rows) if rows else (),
            severity=_severity(found, settings),
        )


def _severity(found: Coverage, settings: Settings) -> Literal["none", "good", "warning", "bad"]:
    if found.rate is None:
        return "none"
    if found.rate < settings.poor_coverage:
        return "bad"
    return "good" if found.rate >= settings.good_coverage else "warning"


def _around(
    session: CrmSession, accounts: Sequence[int], today: dt.date
) -> dict[int, tuple[dt.datetime | None, dt.date | None]]:
    ahead = and_(Visit.checked_in_at.is_(None), Visit.planned_on >= today)
    query = (
        select(
            Visit.account_id,
            func.max(case((Visit.checked_in_at <= session.at, Visit.checked_in_at))),
            func.min(case((ahead, Visit.planned_on))),
        )
        .where(Visit.account_id.in_(accounts))
        .group_by(Visit.account_id)
    )
    return {account_id: (last, following) for account_id, last, following in session.execute(query)}


def _latest_checks(session: CrmSession, accounts: Sequence[int]) -> dict[int, list[StoreCheck]]:
    latest = (
        select(Visit.account_id, func.max(Visit.checked_in_at).label("at"))
        .join(StoreCheck, StoreCheck.visit_id == Visit.id)
        .where(Visit.account_id.in_(accounts), Visit.checked_in_at <= session.at)
        .group_by(Visit.account_id)
        .subquery()
    )
    query = (
        select(Visit.account_id, StoreCheck)
        .join(StoreCheck, StoreCheck.visit_id == Visit.id)
        .join(latest, and_(latest.c.account_id == Visit.account_id, latest.c.at == Visit.checked_in_at))
        .order_by(StoreCheck.id)
    )
    found: defaultdict[int, list[StoreCheck]] = defaultdict(list)
    for account_id, check in session.execute(query):
        found[account_id].append(check)
    return found


def _row(check: StoreCheck) -> tuple[str, ...]:
    return (
        check.product,
        _YES if check.on_shelf else _NO,
        _NONE if check.facings is None else str(check.facings),
        _NONE if check.price is None else str(check.price),
        check.competitor or _NONE,
        _NONE if check.competitor_price is None else str(check.competitor_price),
        _YES if check.promotion_material else _NO,
    )


def timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterator[TimelineEntry]:
    """Visits that were held, at their check-in, and those still planned, at the beginning of their day."""
    held = select(Visit).where(Visit.account_id.in_(accounts), Visit.checked_in_at.is_not(None))
    planned = select(Visit).where(
        Visit.account_id.in_(accounts), Visit.checked_in_at.is_(None), Visit.planned_on.is_not(None)
    )
    if since is not None:
        held = held.where(Visit.checked_in_at >= since)
        planned = planned.where(Visit.planned_on >= _first_day(session, since))
    if until is not None:
        held = held.where(Visit.checked_in_at < until)
        planned = planned.where(Visit.planned_on < _first_day(session, until))
    for visit in session.scalars(held.order_by(Visit.checked_in_at.desc(), Visit.id.desc()).limit(limit)):
        if visit.checked_in_at is not None:
            yield _entry(visit, visit.checked_in_at, "Outlet visit")
    for visit in session.scalars(planned.order_by(Visit.planned_on.desc(), Visit.id.desc()).limit(limit)):
        yield _entry(visit, dated.as_moment(session, visit.planned_on), "Planned outlet visit")


def _first_day(session: CrmSession, when: dt.datetime) -> dt.date:
    """The first day whose midnight is not before a moment: what is planned for a day stands at its midnight."""
    day = when.astimezone(session.policy.tz).date()
    return day if dated.as_moment(session, day) >= when else day + dt.timedelta(1)


def _entry(visit: Visit, at: dt.datetime, title: str) -> TimelineEntry:
    return TimelineEntry(
        at=at,
        account_id=visit.account_id,
        kind="visit",
        title=title,
        text=visit.note or visit.place or "",
        record_type="consumer_goods.visit",
        record_id=visit.id,
        user_id=visit.user_id,
    )
