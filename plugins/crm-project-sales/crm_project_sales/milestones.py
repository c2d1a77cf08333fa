"""Milestones: what was planned for which day, what we expect now, and when it happened."""

from __future__ import annotations

import datetime as dt

from crm_core import (
    Conflict,
    CrmSession,
    Mapped,
    Problem,
    Record,
    ValidationError,
    day,
    parent,
    record,
    ref,
    text,
    via,
)
from crm_project_sales.projects import Project

__all__ = ["Milestone", "due_day", "plan_milestone", "reach_milestone", "slip", "slip_days", "today_of"]


@record("project_sales.milestone", access=via("project_id"), label="Milestone", indexes=[("project_id", "planned_day")])
class Milestone(Record):
    """A day that a project is steered by.

    ``planned_day`` is what was planned at first and stays; ``forecast_day`` is what is expected now, where that
    differs; ``actual_day`` is when it was reached.
    """

    project_id: Mapped[int] = ref("project_sales.project", collection="milestones", index=False)
    kind: Mapped[str] = text(40, default="other", vocabulary="project_sales.milestone_kind")
    name: Mapped[str] = text(200)
    planned_day: Mapped[dt.date] = day()
    forecast_day: Mapped[dt.date | None] = day(default=None, label="Expected day")
    actual_day: Mapped[dt.date | None] = day(default=None, label="Reached on")
    reason: Mapped[str | None] = text(200, default=None, label="Reason of the slip")

    project: Mapped[Project] = parent("project_id")


def due_day(milestone: Milestone) -> dt.date:
    """The day on which it was reached, or else is expected."""
    return milestone.actual_day or milestone.forecast_day or milestone.planned_day


def slip_days(milestone: Milestone, today: dt.date) -> int:
    """By how many days a milestone is late against the plan; negative where it was or will be early.

    Reached: the actual day less the planned one. Not reached: the day expected now, or today where that has passed,
    less the planned one: what is overdue slips day by day. The definition is ours.
    """
    day_ = milestone.actual_day or max(due_day(milestone), today)
    return (day_ - milestone.planned_day).days


def today_of(session: CrmSession) -> dt.date:
    """The day at the session's ``at``, in the organisation's time zone."""
    return session.at.astimezone(session.policy.tz).date()


def plan_milestone(
    session: CrmSession, project: Project, name: str, *, planned_day: dt.date, kind: str = "other"
) -> Milestone:
    """Plan a milestone of a project."""
    return session.add_one(Milestone(project_id=project.id, name=name, kind=kind, planned_day=planned_day))


def reach_milestone(session: CrmSession, milestone: Milestone, *, on: dt.date | None = None) -> Milestone:
    """Note that a milestone was reached (default: today).

    Raises :class:`~crm_core.errors.Conflict` when it was reached before, and
    :class:`~crm_core.errors.ValidationError` for a day to come.
    """
    today = today_of(session)
    on = on or today
    if milestone.actual_day is not None:
        raise Conflict(
            "{milestone} was reached on {day} already.",
            mend="Correct its actual day, if that was wrong.",
            record="project_sales.milestone",
            milestone=milestone.name,
            day=milestone.actual_day,
        )
    if on > today:
        raise ValidationError(
            "{milestone} cannot be reached on a day to come.",
            [Problem("on", "{day} lies after today.", "Use slip to say when it is expected.", {"day": on})],
            record="project_sales.milestone",
            field="actual_day",
            milestone=milestone.name,
        )
    milestone.actual_day = on
    return milestone


def slip(session: CrmSession, milestone: Milestone, *, to: dt.date, reason: str) -> Milestone:
    """Say that a milestone is expected on another day than before, and why; what was planned stays.

    Raises :class:`~crm_core.errors.Conflict` when it was reached.
    """
    if milestone.actual_day is not None:
        raise Conflict(
            "{milestone} was reached on {day} and can slip no more.",
            mend="Plan another milestone.",
            record="project_sales.milestone",
            milestone=milestone.name,
            day=milestone.actual_day,
        )
    milestone.forecast_day = None if to == milestone.planned_day else to
    milestone.reason = reason
    return milestone
