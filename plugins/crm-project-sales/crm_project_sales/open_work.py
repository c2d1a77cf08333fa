"""What is open at accounts: projects that run, bids without a decision, milestones to come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from crm_core import CrmSession, OpenItem, dated
from crm_project_sales.decisions import decisions
from crm_project_sales.milestones import Milestone, due_day
from crm_project_sales.projects import BIDDING, CLOSED, Project
from crm_project_sales.scores import Verdict

__all__ = ["open_work"]


def open_work(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """In three statements, however many accounts there are.

    Projects name no colleague of ours: they go with the account, and nothing needs to be reassigned.
    """
    if user_id is not None:
        return
    closed = sorted(CLOSED, key=lambda stage: stage.value)
    query = select(Project).where(Project.account_id.in_(accounts), Project.stage.not_in(closed)).order_by(Project.id)
    projects = {project.id: project for project in session.scalars(query)}
    if not projects:
        return
    decided = decisions(session, projects, session.at)
    for project in projects.values():
        due = None if project.expected_close is None else dated.as_moment(session, project.expected_close)
        yield OpenItem(
            account_id=project.account_id,
            kind="project",
            title=project.name,
            text=project.stage.value.capitalize(),
            due=due,
            record_type="project_sales.project",
            record_id=project.id,
        )
        decision = decided.get(project.id)
        if project.stage in BIDDING and (decision is None or decision.verdict is not Verdict.GO):
            yield OpenItem(
                account_id=project.account_id,
                kind="question",
                title="We bid without a decision to go",
                text=project.name,
                due=due,
                record_type="project_sales.project",
                record_id=project.id,
            )
        elif decision is not None and decision.verdict is Verdict.REVIEW:
            yield OpenItem(
                account_id=project.account_id,
                kind="question",
                title="The decision is to be reviewed",
                text=project.name,
                record_type="project_sales.decision",
                record_id=decision.id,
            )
    coming = select(Milestone).where(Milestone.project_id.in_(list(projects)), Milestone.actual_day.is_(None))
    for milestone in session.scalars(coming.order_by(Milestone.id)):
        project = projects[milestone.project_id]
        yield OpenItem(
            account_id=project.account_id,
            kind="milestone",
            title=milestone.name,
            text=project.name,
            due=dated.as_moment(session, due_day(milestone)),
            record_type="project_sales.milestone",
            record_id=milestone.id,
        )
