"""What the plugin adds when somebody looks at accounts: a panel, and touches in the timeline."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal

import attrs
from sqlalchemy import func, select

from crm_core import CrmSession, Money, Panel, TimelineEntry
from crm_industrial.programmes import Programme
from crm_industrial.settings import settings_of
from crm_industrial.touches import NurtureTouch, expense_parts

__all__ = ["panels", "shown", "timeline"]

_HEADER = ("Nurture programme", "Touches", "Spent")
_NONE = "–"


@attrs.define
class _Sum:
    """Touches of one account under one programme, up to the session's moment."""

    touches: int = 0
    spent: list[Money] = attrs.field(factory=list)


def panels(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """How often, how lately and at what cost each account was touched; in one statement."""
    amount, currency = expense_parts()
    query = (
        select(
            NurtureTouch.account_id,
            Programme.name,
            currency,
            func.count(),
            func.sum(amount),
            func.min(NurtureTouch.at),
            func.max(NurtureTouch.at),
        )
        .outerjoin(Programme, Programme.id == NurtureTouch.programme_id)
        .where(NurtureTouch.account_id.in_(accounts), NurtureTouch.at <= session.at)
        .group_by(NurtureTouch.account_id, Programme.id, Programme.name, currency)
        .order_by(NurtureTouch.account_id, Programme.name, Programme.id, currency)
    )
    sums: defaultdict[int, defaultdict[str, _Sum]] = defaultdict(lambda: defaultdict(_Sum))
    spans: dict[int, tuple[dt.datetime, dt.datetime]] = {}
    for account_id, programme, code, count, total, first, last in session.execute(query):
        each = sums[account_id][programme or _NONE]
        each.touches += count
        if code is not None:
            each.spent.append(Money(total, code))
        known = spans.get(account_id, (first, last))
        spans[account_id] = (min(first, known[0]), max(last, known[1]))
    for account_id, by_programme in sums.items():
        first, last = spans[account_id]
        spent: dict[str, Money] = {}
        for each in by_programme.values():
            for sum_ in each.spent:
                spent[sum_.currency] = sum_ + spent.get(sum_.currency, Money(0, sum_.currency))
        yield Panel(
            account_id=account_id,
            name="nurture",
            title="Nurture",
            lines=(
                ("Touches", str(sum(each.touches for each in by_programme.values()))),
                ("Spent", shown([spent[code] for code in sorted(spent)])),
                ("First touch", _day(session, first)),
                ("Last touch", _day(session, last)),
            ),
            rows=(
                _HEADER,
                *((name, str(each.touches), shown(each.spent)) for name, each in sorted(by_programme.items())),
            ),
            severity=_severity(session, last),
        )


def _severity(session: CrmSession, last: dt.datetime) -> Literal["none", "warning"]:
    """Patience is not forgetting: a prospect that nobody touched for long is shown."""
    return "warning" if last < session.at - dt.timedelta(settings_of(session).quiet_days) else "none"


def _day(session: CrmSession, moment: dt.datetime) -> str:
    return moment.astimezone(session.policy.tz).date().isoformat()


def shown(sums: Sequence[Money]) -> str:
    """Sums of several currencies, with cents."""
    return ", ".join(f"{_plain(each.amount)} {each.currency}" for each in sums) or _NONE


def _plain(amount: Decimal) -> str:
    cents = amount.quantize(Decimal("0.01"))
    return f"{cents if cents == amount else amount:f}"


def timeline(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterator[TimelineEntry]:
    """Touches, each under the name of its kind, with cost and note."""
    kinds = session.policy.vocabularies.get("industrial.touch_kind", {})
    query = select(NurtureTouch).where(NurtureTouch.account_id.in_(accounts))
    if since is not None:
        query = query.where(NurtureTouch.at >= since)
    if until is not None:
        query = query.where(NurtureTouch.at < until)
    for touch in session.scalars(query.order_by(NurtureTouch.at.desc(), NurtureTouch.id.desc()).limit(limit)):
        parts = (None if touch.expense is None else shown([touch.expense]), touch.note)
        yield TimelineEntry(
            at=touch.at,
            account_id=touch.account_id,
            kind="touch",
            title=kinds.get(touch.kind, touch.kind),
            text=" · ".join(part for part in parts if part),
            record_type="industrial.touch",
            record_id=touch.id,
            user_id=touch.user_id,
        )
