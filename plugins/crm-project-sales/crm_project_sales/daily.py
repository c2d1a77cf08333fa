"""What the plugin adds to the beginning of a day: milestones that moved, decisions, and what is due in projects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from crm_core import CrmSession, News, NextAction, dated
from crm_project_sales.decisions import Decision, decisions
from crm_project_sales.milestones import Milestone
from crm_project_sales.projects import BIDDING, CLOSED, Project
from crm_project_sales.scores import Verdict

__all__ = ["actions", "news"]

_DECIDED = {
    Verdict.GO: "{project}: decided to go",
    Verdict.NO_GO: "{project}: decided not to go",
    Verdict.REVIEW: "{project}: to be reviewed",
}
DECIDED_LABELS = ("{project}: decided to go", "{project}: decided not to go", "{project}: to be reviewed")
"""What was decided, as templates."""

MILESTONE_LABELS = (
    "{project}: {milestone} was reached on {day}", "{project}: {milestone} is expected on {day}", "Project decision",
    "Milestone",
)  # fmt: skip
"""What became of a milestone, and what kinds of news are called."""


def news(session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Iterator[News]:
    """Decisions, and milestones that were reached or moved; in two statements."""
    decided = (
        select(Decision.id, Decision.verdict, Decision.user_id, Decision.created_at, Project.account_id, Project.name)
        .join(Project, Project.id == Decision.project_id)
        .where(Project.account_id.in_(accounts), Decision.created_at >= since)
        .order_by(Decision.id)
    )
    for row in session.execute(decided, execution_options={"all_dates": True}):
        yield News(
            account_id=row.account_id, at=row.created_at, kind="project_decision", text=_DECIDED[row.verdict],
            values={"project": row.name}, record_type="project_sales.decision", record_id=row.id, user_id=row.user_id,
        )  # fmt: skip
    moved = (
        select(Milestone.id, Milestone.name, Milestone.actual_day, Milestone.forecast_day, Milestone.updated_at,
               Project.account_id, Project.name.label("project"))
        .join(Project, Project.id == Milestone.project_id)
        .where(Project.account_id.in_(accounts), Milestone.updated_at >= since,
               Milestone.actual_day.is_not(None) | Milestone.forecast_day.is_not(None))
        .order_by(Milestone.id)
    )  # fmt: skip
    for each in session.execute(moved):
        reached = each.actual_day is not None
        yield News(
            account_id=each.account_id, at=each.updated_at, kind="milestone",
            text=MILESTONE_LABELS[0 if reached else 1],
            values={"project": each.project, "milestone": each.name,
                    "day": (each.actual_day or each.forecast_day).isoformat()},
            record_type="project_sales.milestone", record_id=each.id,
        )  # fmt: skip


def actions(session: CrmSession, accounts: Sequence[int]) -> Iterator[NextAction]:
    """Milestones that are due, and projects that want a decision; in three statements."""
    yield from _milestones(session, accounts)
    yield from _undecided(session, accounts)


def _milestones(session: CrmSession, accounts: Sequence[int]) -> Iterator[NextAction]:
    today = session.now.astimezone(session.policy.tz).date()
    when = func.coalesce(Milestone.forecast_day, Milestone.planned_day)
    query = (
        select(Milestone.id, Milestone.name, when.label("day"), Project.account_id, Project.name.label("project"))
        .join(Project, Project.id == Milestone.project_id)
        .where(
            Project.account_id.in_(accounts),
            Project.stage.not_in(sorted(CLOSED, key=lambda stage: stage.value)),
            Milestone.actual_day.is_(None),
            when <= today + dt.timedelta(session.policy.views.look_ahead_days),
        )
        .order_by(when, Milestone.id)
    )
    for row in session.execute(query):
        due = dated.as_moment(session, row.day)
        late = row.day < today
        yield NextAction(
            account_id=row.account_id, kind="milestone", title="{project}: {milestone}",
            reason="The milestone was expected on {day}: note that it was reached, or say when it will be." if late
            else "The milestone is expected on {day}.",
            due=due, urgency=72 if late else 45, record_type="project_sales.milestone", record_id=row.id,
            values={"project": row.project, "milestone": row.name, "day": due},
        )  # fmt: skip


def _undecided(session: CrmSession, accounts: Sequence[int]) -> Iterator[NextAction]:
    bidding = sorted(BIDDING, key=lambda stage: stage.value)
    query = select(Project.id, Project.account_id, Project.name, Project.stage).where(
        Project.account_id.in_(accounts), Project.stage.not_in(sorted(CLOSED, key=lambda stage: stage.value))
    )
    projects = session.execute(query.order_by(Project.id)).all()
    decided = decisions(session, [row.id for row in projects], session.now)
    for row in projects:
        verdict = None if row.id not in decided else decided[row.id].verdict
        if row.stage in bidding and verdict is not Verdict.GO:
            reason, urgency = "We bid without a decision to go.", 70
        elif verdict is Verdict.REVIEW:
            reason, urgency = "It was decided to review it.", 45
        else:
            continue
        yield NextAction(
            account_id=row.account_id, kind="project_decision", title="Decide whether to go on with {project}",
            reason=reason, urgency=urgency, record_type="project_sales.project", record_id=row.id,
            values={"project": row.name},
        )  # fmt: skip
