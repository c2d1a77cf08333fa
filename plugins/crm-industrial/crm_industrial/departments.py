"""A warning for the second department that spends on a prospect: the first may have done it already."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import or_, select

from crm_core import Account, CrmSession, Finding, Lifecycle, Stage, Touch, Unit, dated
from crm_industrial.settings import settings_of
from crm_industrial.touches import NurtureTouch, expense_parts

__all__ = ["findings"]

_WON = (Stage.CUSTOMER, Stage.WON_BACK)


def findings(session: CrmSession, touch: Touch) -> Iterator[Finding]:
    """Warn of another department's expenses on the same prospect, around the time of a touch.

    The plugin's own rule. Units above and below the actor's own are the same department, and what the actor spent
    before changing units is no other's. Neither record nor figure is told, the department only where the settings
    allow it; who may not see the account learns nothing. Five statements.
    """
    settings = settings_of(session)
    if not settings.second_department_days or session.get(Account, touch.account_id) is None:
        return
    if _is_customer(session, touch):
        return
    span = dt.timedelta(settings.second_department_days)
    mine = _department(session)
    amount, _ = expense_parts()
    system = session.as_system("crm_check_contact")
    try:
        spent = system.execute(
            select(Unit.id, Unit.name)
            .join(NurtureTouch, NurtureTouch.unit_id == Unit.id)
            .where(
                NurtureTouch.account_id == touch.account_id,
                NurtureTouch.at >= touch.at - span,
                NurtureTouch.at <= touch.at + span,
                or_(NurtureTouch.user_id.is_(None), NurtureTouch.user_id != (session.actor.user_id or 0)),
                amount > 0,
            )
            .distinct()
            .order_by(Unit.name, Unit.id)
        ).all()
    finally:
        system.close()
    others = [name for id_, name in spent if id_ not in mine]
    if others and settings.tell_department:
        sentence = "Another department spends on this prospect, too: {departments}. Agree with it before you spend."
        yield Finding("warning", sentence.format(departments=", ".join(others)))
    elif others:
        yield Finding("warning", "Another department spends on this prospect, too. Agree with it before you spend.")


def _is_customer(session: CrmSession, touch: Touch) -> bool:
    """Whether the account is won in a business line: from then on many departments rightly take care of it."""
    stages = session.scalars(
        select(Lifecycle).where(Lifecycle.account_id == touch.account_id, Lifecycle.stage.in_(_WON)),
        execution_options={"all_dates": True},
    )
    return any(dated.holds(stage, touch.at) for stage in stages)


def _department(session: CrmSession) -> set[int]:
    """The actor's units with all above and below them; units are few, so one statement reads them all."""
    parents: dict[int, int | None] = {}
    children: defaultdict[int | None, list[int]] = defaultdict(list)
    for id_, parent_id in session.execute(select(Unit.id, Unit.parent_id)):
        parents[id_] = parent_id
        children[parent_id].append(id_)
    found = set(session.actor.units)
    work = list(found)
    while work:
        new = [child for child in children[work.pop()] if child not in found]
        found.update(new)
        work += new
    for unit in session.actor.units:
        above = parents.get(unit)
        while above is not None and above not in found:
            found.add(above)
            above = parents.get(above)
    return found
