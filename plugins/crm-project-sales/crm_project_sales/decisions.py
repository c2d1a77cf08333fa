"""Decisions: go or no-go, who said so, and what the scorecard recommended then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from sqlalchemy import or_, select

from crm_core import (
    CrmSession,
    Dated,
    Mapped,
    Problem,
    User,
    ValidationError,
    choice,
    dated,
    number,
    one_at_a_time,
    parent,
    record,
    ref,
    text,
    via,
)
from crm_project_sales.holding import let_hold
from crm_project_sales.projects import Project
from crm_project_sales.scores import Verdict, scorecard

__all__ = ["Decision", "decide", "decision", "decisions"]


@record(
    "project_sales.decision",
    access=via("project_id"),
    label="Decision about a project",
    exclusive=[one_at_a_time("project_id")],
    indexes=[("project_id", "valid_to")],
)
class Decision(Dated):
    """What was decided about a project, from when on, beside what the scorecard said at that moment."""

    project_id: Mapped[int] = ref("project_sales.project", collection="decisions", index=False)
    verdict: Mapped[Verdict] = choice(Verdict)
    reason: Mapped[str | None] = text(200, default=None)
    user_id: Mapped[int | None] = ref(
        "user", default=None, on_delete="clear", collection="project_decisions", label="Decided by"
    )
    score: Mapped[Decimal | None] = number(2, default=None, label="Score then (0 to 100)")
    recommendation: Mapped[Verdict | None] = choice(Verdict, default=None, label="Recommended then")

    project: Mapped[Project] = parent("project_id")
    user: Mapped[User | None] = parent("user_id")


def decide(
    session: CrmSession,
    project: Project,
    verdict: Verdict | str,
    *,
    reason: str | None = None,
    at: dt.datetime | dt.date | None = None,
) -> Decision:
    """Decide about a project, from a moment on (default: now); the former decision stays answerable.

    The score and recommendation of that moment are kept with it. Whoever decides against the recommendation says why:
    without ``reason`` that raises :class:`~crm_core.errors.ValidationError`.
    """
    verdict = Verdict(verdict)
    moment = dated.as_moment(session, at)
    card = scorecard(session, project, at=moment)
    if verdict is not card.recommendation and not reason:
        raise ValidationError(
            "The decision about {project} needs a reason.",
            [
                Problem(
                    "reason",
                    "The scorecard recommends {recommendation}, not {verdict}.",
                    "Say why it is decided otherwise, or judge the criteria anew.",
                    {"recommendation": card.recommendation.value, "verdict": verdict.value},
                )
            ],
            record="project_sales.decision",
            field="reason",
            project=project.name,
        )
    rows = session.scalars(
        select(Decision).where(Decision.project_id == project.id), execution_options={"all_dates": True}
    )
    new = Decision(
        project_id=project.id,
        verdict=verdict,
        reason=reason,
        user_id=session.actor.user_id,
        score=card.score,
        recommendation=card.recommendation,
    )
    return let_hold(session, rows, new, moment)


def decision(session: CrmSession, project: Project, *, at: dt.datetime | dt.date | None = None) -> Decision | None:
    """The decision that holds for a project at a moment (default: the session's ``at``)."""
    moment = session.at if at is None else dated.as_moment(session, at)
    return decisions(session, [project.id], moment).get(project.id)


def decisions(session: CrmSession, projects: Iterable[int], moment: dt.datetime) -> dict[int, Decision]:
    """The decisions that hold for many projects, by the project's id, in one statement."""
    rows = session.scalars(
        select(Decision).where(
            Decision.project_id.in_(sorted(set(projects))),
            or_(Decision.valid_from.is_(None), Decision.valid_from <= moment),
            or_(Decision.valid_to.is_(None), Decision.valid_to > moment),
        ),
        execution_options={"all_dates": True},
    )
    return {row.project_id: row for row in rows}
