"""Signs of life for the rules of pools: milestones that were reached."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import select

from crm_core import CrmSession, Signal, dated
from crm_project_sales.milestones import Milestone
from crm_project_sales.projects import Project

__all__ = ["ACCEPTANCE", "MILESTONE", "signals"]

MILESTONE = "milestone"
ACCEPTANCE = "project_acceptance"


def signals(
    session: CrmSession, accounts: Sequence[int], kinds: Collection[str], since: dt.datetime | None, until: dt.datetime
) -> Iterator[Signal]:
    """When milestones of the accounts' projects were reached; that of an acceptance also as the end of a project."""
    wanted = {MILESTONE, ACCEPTANCE} & set(kinds)
    if not wanted:
        return
    query = (
        select(Project.account_id, Milestone.kind, Milestone.actual_day)
        .join(Milestone, Milestone.project_id == Project.id)
        .where(Project.account_id.in_(accounts), Milestone.actual_day.is_not(None))
    )
    if wanted == {ACCEPTANCE}:
        query = query.where(Milestone.kind == "acceptance")
    for account_id, milestone, day in session.execute(query):
        at = dated.as_moment(session, day)
        if at >= until or (since is not None and at < since):
            continue
        if MILESTONE in wanted:
            yield Signal(account_id, MILESTONE, at)
        if ACCEPTANCE in wanted and milestone == "acceptance":
            yield Signal(account_id, ACCEPTANCE, at)
