"""What people see of projects: a panel in the overview, entries in the timeline."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import attrs
from sqlalchemy import ColumnElement, and_, func, select

from crm_core import CrmSession, Money, Panel, TimelineEntry, dated
from crm_project_sales.decisions import Decision, decisions
from crm_project_sales.milestones import Milestone, due_day, slip_days, today_of
from crm_project_sales.projects import BIDDING, CLOSED, Project
from crm_project_sales.scores import Scorecard, Verdict, scorecards
from crm_stakeholders import DecisionMap, Subject, decision_maps

__all__ = ["entries", "panels"]

VERDICTS = {Verdict.GO: "Go", Verdict.NO_GO: "No go", Verdict.REVIEW: "Review"}
_DECIDED = {Verdict.GO: "Decided: go", Verdict.NO_GO: "Decided: no-go", Verdict.REVIEW: "Decided: review"}
_HEADER = ("Project", "Stage", "Budget", "Score", "Decision", "Next milestone", "Slip (days)", "Who decides is known")


@attrs.frozen
class _Known:
    """All that the panel says of one project."""

    project: Project
    card: Scorecard
    decision: Decision | None
    next: Milestone | None
    slip: int | None
    people: DecisionMap | None

    @property
    def severity(self) -> Literal["good", "warning", "bad"]:
        """Bad: bidding against a decision, or without one. Worth a look: late, unjudged or to be reviewed."""
        verdict = None if self.decision is None else self.decision.verdict
        if verdict is Verdict.NO_GO or (self.project.stage in BIDDING and verdict is not Verdict.GO):
            return "bad"
        late = self.slip is not None and self.slip > 0
        return "good" if verdict is Verdict.GO and not late else "warning"

    def row(self) -> tuple[str, ...]:
        """The line of the table."""
        decided = self.decision.verdict if self.decision is not None else None
        return (
            self.project.name,
            self.project.stage.value.capitalize(),
            "" if self.project.budget is None else _rounded(self.project.budget),
            "" if self.card.score is None else str(self.card.score),
            "" if decided is None else VERDICTS[decided],
            "" if self.next is None else f"{due_day(self.next).isoformat()} {self.next.name}",
            "" if self.slip is None else str(self.slip),
            "0" if self.people is None else f"{self.people.coverage.share:.0%}",
        )


def panels(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """The open projects of each account that has any."""
    found: defaultdict[int, list[_Known]] = defaultdict(list)
    for known in _known(session, accounts):
        found[known.project.account_id].append(known)
    for account_id, projects in found.items():
        lines = [("Open projects", str(len(projects)))]
        lines += [("Budgets by probability", _rounded(each)) for each in _weighted(projects)]
        severities = {each.severity for each in projects}
        yield Panel(
            account_id=account_id,
            name="projects",
            title="Projects",
            lines=tuple(lines),
            rows=(_HEADER, *(each.row() for each in projects)),
            severity="bad" if "bad" in severities else "warning" if "warning" in severities else "good",
        )


def _known(session: CrmSession, accounts: Sequence[int]) -> list[_Known]:
    """Five statements, however many accounts and projects there are."""
    closed = sorted(CLOSED, key=lambda stage: stage.value)
    query = select(Project).where(Project.account_id.in_(accounts), Project.stage.not_in(closed)).order_by(Project.id)
    projects = session.scalars(query).all()
    if not projects:
        return []
    ids = [project.id for project in projects]
    cards, decided = scorecards(session, ids), decisions(session, ids, session.at)
    people = decision_maps(session, accounts)
    today = today_of(session)
    coming: dict[int, Milestone] = {}
    rows = session.scalars(select(Milestone).where(Milestone.project_id.in_(ids), Milestone.actual_day.is_(None)))
    for milestone in sorted(rows, key=lambda each: (due_day(each), each.id)):
        coming.setdefault(milestone.project_id, milestone)
    return [
        _Known(
            project,
            cards[project.id],
            decided.get(project.id),
            coming.get(project.id),
            slip_days(coming[project.id], today) if project.id in coming else None,
            people.get(Subject(project.account_id, "project_sales.project", project.id)),
        )
        for project in projects
    ]


def _weighted(projects: Sequence[_Known]) -> list[Money]:
    """What the open projects are worth by their probability, per currency."""
    sums: defaultdict[str, Any] = defaultdict(int)
    for each in projects:
        budget, probability = each.project.budget, each.project.probability
        if budget is not None and probability is not None:
            sums[budget.currency] += budget.amount * probability
    return [Money(amount, currency) for currency, amount in sorted(sums.items())]


def _rounded(money: Money) -> str:
    return str(Money(round(money.amount, 2), money.currency))


def entries(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterator[TimelineEntry]:
    """Decisions, and milestones on the day when they were reached or are expected."""
    yield from _decided(session, accounts, since, until, limit)
    yield from _milestones(session, accounts, since, until, limit)


def _decided(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterator[TimelineEntry]:
    bounds: list[ColumnElement[bool]] = [Decision.valid_from.is_not(None), Project.account_id.in_(accounts)]
    if since is not None:
        bounds.append(Decision.valid_from >= since)
    if until is not None:
        bounds.append(Decision.valid_from < until)
    query = (
        select(
            Decision.id, Decision.valid_from, Decision.verdict, Decision.reason, Decision.user_id,
            Project.account_id, Project.name,
        )
        .join(Project, Project.id == Decision.project_id)
        .where(and_(*bounds))
        .order_by(Decision.valid_from.desc(), Decision.id.desc())
        .limit(limit)
    )  # fmt: skip
    for row in session.execute(query, execution_options={"all_dates": True}):
        yield TimelineEntry(
            at=row.valid_from,
            account_id=row.account_id,
            kind="project_decision",
            title=_DECIDED[row.verdict],
            text=f"{row.name}: {row.reason}" if row.reason else row.name,
            record_type="project_sales.decision",
            record_id=row.id,
            user_id=row.user_id,
        )


def _milestones(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterator[TimelineEntry]:
    when = func.coalesce(Milestone.actual_day, Milestone.forecast_day, Milestone.planned_day)
    bounds: list[ColumnElement[bool]] = [Project.account_id.in_(accounts)]
    # A moment within a day is compared as that day; whoever asked sorts out the hours.
    if since is not None:
        bounds.append(when >= since.astimezone(session.policy.tz).date())
    if until is not None:
        bounds.append(when <= until.astimezone(session.policy.tz).date())
    query = (
        select(
            Milestone.id, Milestone.name, Milestone.actual_day, when.label("day"), Project.account_id,
            Project.name.label("project"),
        )
        .join(Project, Project.id == Milestone.project_id)
        .where(and_(*bounds))
        .order_by(when.desc(), Milestone.id.desc())
        .limit(limit)
    )  # fmt: skip
    for row in session.execute(query):
        at = dated.as_moment(session, row.day)
        if (since is None or at >= since) and (until is None or at < until):
            yield TimelineEntry(
                at=at,
                account_id=row.account_id,
                kind="milestone",
                title="Milestone expected" if row.actual_day is None else "Milestone reached",
                text=f"{row.project}: {row.name}",
                record_type="project_sales.milestone",
                record_id=row.id,
            )
