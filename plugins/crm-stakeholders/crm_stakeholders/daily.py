"""What the plugin adds to the beginning of a day: who came into a decision, and what is not known about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from sqlalchemy import select

from crm_core import Contact, CrmSession, News, NextAction
from crm_stakeholders.maps import decision_maps
from crm_stakeholders.roles import StakeholderRole
from crm_stakeholders.views import titles

__all__ = ["actions", "news"]

NEWS_LABELS = (
    "{name} has a part in a decision: {label}", "{name} has no part in a decision any more: {label}", "Stakeholder",
)  # fmt: skip
"""What the news say, and what their kind is called."""


def news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterator[News]:
    """Who came into a decision or left it, in one statement; what they think of us is not told."""
    role = StakeholderRole
    words = session.policy.vocabularies["stakeholders.role"]
    query = (
        select(role.id, role.account_id, role.role, role.valid_to, role.updated_at, Contact.name)
        .join(Contact, Contact.id == role.contact_id)
        .where(role.account_id.in_(accounts), role.updated_at >= since)
        .order_by(role.id)
    )
    for row in session.execute(query, execution_options={"all_dates": True}):
        yield News(
            account_id=row.account_id, at=row.updated_at, kind="stakeholder",
            text=NEWS_LABELS[0 if row.valid_to is None else 1],
            values={"name": row.name, "label": words.get(row.role, row.role)}, record_type="stakeholders.role",
            record_id=row.id,
        )  # fmt: skip


def actions(session: CrmSession, accounts: Sequence[int]) -> Iterator[NextAction]:
    """Decisions of which a side is in nobody's known hands, where somebody has begun to note who decides."""
    maps = decision_maps(session, accounts)
    names = titles(session, maps)
    scopes = session.policy.vocabularies["stakeholders.scope"]
    for subject, found in maps.items():
        if found.coverage.missing:
            about = names.get(subject, "")
            yield NextAction(
                account_id=subject.account_id, kind="stakeholder",
                title="Find out who decides: {about}" if about else "Find out who decides",
                reason="Nobody is known for: {missing}.", urgency=42, record_type=subject.type or "account",
                record_id=subject.id or subject.account_id,
                values={"about": about, "missing": tuple(scopes.get(scope, scope) for scope in found.coverage.missing)},
            )  # fmt: skip
