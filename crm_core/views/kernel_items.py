"""What is open at accounts by the kernel's own records: planned activities, and promises with a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select

from crm_core.domain.activities import Activity, Status
from crm_core.hooks.values import OpenItem

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["kernel_counts", "kernel_items"]

_OPEN = or_(
    Activity.status == Status.PLANNED,
    and_(Activity.status == Status.HELD, Activity.next_step.is_not(None), Activity.next_step_due.is_not(None)),
)


def kernel_items(session: CrmSession, accounts: Sequence[int]) -> list[OpenItem]:
    """Planned activities and promises at accounts, in one statement."""
    query = select(
        Activity.id, Activity.account_id, Activity.kind, Activity.subject, Activity.status, Activity.planned_start,
        Activity.next_step, Activity.next_step_due, Activity.user_id, Activity.contact_id,
    ).where(Activity.account_id.in_(accounts), _OPEN).order_by(Activity.id)  # fmt: skip
    return [
        OpenItem(
            account_id=row.account_id, kind=row.kind, title=row.subject, due=row.planned_start,
            record_type="activity", record_id=row.id, user_id=row.user_id, contact_id=row.contact_id,
            reassign="user_id",
        )
        if row.status is Status.PLANNED
        else OpenItem(
            account_id=row.account_id, kind="promise", title=row.next_step, text=row.subject, due=row.next_step_due,
            record_type="activity", record_id=row.id, user_id=row.user_id, contact_id=row.contact_id,
        )
        for row in session.execute(query)
    ]  # fmt: skip


def kernel_counts(session: CrmSession, accounts: Sequence[int]) -> Counter[int]:
    """How many of them there are at each account."""
    query = (
        select(Activity.account_id, func.count())
        .where(Activity.account_id.in_(accounts), _OPEN)
        .group_by(Activity.account_id)
    )
    counted: Counter[int] = Counter()
    for account_id, number in session.execute(query):
        counted[account_id or 0] = number
    return counted
