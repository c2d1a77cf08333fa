"""Scores: how a project is judged criterion by criterion, and what follows from all of them together."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum

import attrs
from sqlalchemy import or_, select

from crm_core import CrmSession, Dated, Mapped, User, dated, number, one_at_a_time, parent, record, ref, text, via
from crm_project_sales.holding import let_hold
from crm_project_sales.projects import Project
from crm_project_sales.settings import BEST, Settings, settings_of

__all__ = ["Line", "Score", "Scorecard", "Verdict", "rated", "score", "scorecard", "scorecards"]

_CENT = Decimal("0.01")


class Verdict(Enum):
    """What becomes of a project."""

    NO_GO = "no_go"
    REVIEW = "review"
    GO = "go"


@record(
    "project_sales.score",
    access=via("project_id"),
    label="Score of a project",
    exclusive=[one_at_a_time("project_id", "criterion")],
    indexes=[("project_id", "criterion", "valid_to")],
)
class Score(Dated):
    """How well a project meets one criterion of the scorecard, 0 to 5, from when on, and who said so."""

    project_id: Mapped[int] = ref("project_sales.project", collection="scores", index=False)
    criterion: Mapped[str] = text(40)
    value: Mapped[int] = number(0, label="Score (0 to 5)")
    reason: Mapped[str | None] = text(200, default=None)
    user_id: Mapped[int | None] = ref(
        "user", default=None, on_delete="clear", collection="project_scores", label="Judged by"
    )

    project: Mapped[Project] = parent("project_id")
    user: Mapped[User | None] = parent("user_id")


@attrs.frozen(kw_only=True)
class Line:
    """One criterion of a scorecard; ``value`` is absent while nobody has judged it."""

    criterion: str
    label: str
    weight: Decimal
    value: int | None
    knocks_out: bool


@attrs.frozen(kw_only=True)
class Scorecard:
    """A project judged: ``score`` 0 to 100 over what is judged so far (absent where nothing is).

    ``complete`` is the part of all weight that is judged, 0 to 1.
    """

    lines: tuple[Line, ...]
    score: Decimal | None
    complete: Decimal
    recommendation: Verdict

    @property
    def knocked_out(self) -> tuple[str, ...]:
        """The criteria that decide alone against the project."""
        return tuple(line.criterion for line in self.lines if line.knocks_out)


def rated(values: Mapping[str, int], settings: Settings) -> Scorecard:
    """The scorecard that follows from scores by criterion.

    ``score = 100 * sum(weight * value) / (5 * sum(weight))`` over the criteria that are judged, rounded to cents: a
    weighted scoring model, as is usual for bid decisions (I. Ahmad, "Decision-Support System for Modeling Bid/No-Bid
    Decision Problem", Journal of Construction Engineering and Management 116(4), 1990). The rest is ours: a knock-out
    recommends no-go whatever else is good; without one, an incomplete scorecard recommends a review; a complete one
    what the thresholds of the settings say. Criteria that the settings no longer know do not count.
    """
    lines = []
    for name, criterion in settings.criteria.items():
        value = values.get(name)
        out = value is not None and value < criterion.knock_out_below
        lines.append(Line(criterion=name, label=criterion.label, weight=criterion.weight, value=value, knocks_out=out))
    judged = [(line.weight, line.value) for line in lines if line.value is not None]
    weight = sum((each for each, _ in judged), Decimal(0))
    total = sum((line.weight for line in lines), Decimal(0))
    reached = 100 * sum((each * value for each, value in judged), Decimal(0)) / (BEST * weight) if judged else None
    return Scorecard(
        lines=tuple(lines),
        score=None if reached is None else reached.quantize(_CENT),
        complete=(weight / total).quantize(_CENT),
        recommendation=_recommended(lines, reached, settings),
    )


def _recommended(lines: Iterable[Line], reached: Decimal | None, settings: Settings) -> Verdict:
    if any(line.knocks_out for line in lines):
        return Verdict.NO_GO
    if reached is None or any(line.value is None for line in lines):
        return Verdict.REVIEW
    if reached >= settings.go_from:
        return Verdict.GO
    return Verdict.NO_GO if reached < settings.no_go_below else Verdict.REVIEW


def score(
    session: CrmSession,
    project: Project,
    criterion: str,
    value: int,
    *,
    reason: str | None = None,
    at: dt.datetime | dt.date | None = None,
) -> Score:
    """Judge a project by one criterion, from a moment on (default: now); the former score stays answerable.

    Raises :class:`~crm_core.errors.Objection` at the commit for a criterion that the settings do not know, or a value
    that is not 0 to 5.
    """
    rows = session.scalars(
        select(Score).where(Score.project_id == project.id, Score.criterion == criterion),
        execution_options={"all_dates": True},
    )
    new = Score(project_id=project.id, criterion=criterion, value=value, reason=reason, user_id=session.actor.user_id)
    return let_hold(session, rows, new, dated.as_moment(session, at))


def scorecard(session: CrmSession, project: Project, *, at: dt.datetime | dt.date | None = None) -> Scorecard:
    """How a project is judged at a moment (default: the session's ``at``)."""
    return scorecards(session, [project.id], at=at)[project.id]


def scorecards(
    session: CrmSession, projects: Iterable[int], *, at: dt.datetime | dt.date | None = None
) -> dict[int, Scorecard]:
    """The scorecards of many projects by id, in one statement."""
    moment = session.at if at is None else dated.as_moment(session, at)
    wanted = sorted(set(projects))
    rows = session.execute(
        select(Score.project_id, Score.criterion, Score.value).where(
            Score.project_id.in_(wanted),
            or_(Score.valid_from.is_(None), Score.valid_from <= moment),
            or_(Score.valid_to.is_(None), Score.valid_to > moment),
        ),
        execution_options={"all_dates": True},
    )
    values: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for project_id, criterion, value in rows:
        values[project_id][criterion] = value
    settings = settings_of(session)
    return {project_id: rated(values[project_id], settings) for project_id in wanted}
