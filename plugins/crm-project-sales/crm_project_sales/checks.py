"""What projects and scores must keep, whichever way they are written, and what speaks against a touch."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from crm_core import ChangeBatch, CrmSession, Finding, Problem, Touch, dated
from crm_project_sales.decisions import decisions
from crm_project_sales.projects import BIDDING, CLOSED, Project
from crm_project_sales.scores import Verdict
from crm_project_sales.settings import BEST, settings_of

__all__ = ["findings", "project_problems", "score_problems"]


def project_problems(session: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """Probabilities are shares; nobody bids without a decision to go, unless the settings allow it."""
    written = batch.of("create", "update")
    for change in written:
        probability = change.after.get("probability")
        if probability is not None and not 0 <= probability <= 1:
            yield Problem(
                "probability",
                "{probability} is no probability.",
                "Give a number from 0 to 1; 0.4 is forty per cent.",
                {"probability": probability},
            )
    # From wherever it comes: a project that was closed meanwhile is no way round the decision.
    bidding = [
        change.id
        for change in written
        if change.after.get("stage") in BIDDING and change.before.get("stage") not in BIDDING
    ]
    if bidding and settings_of(session).bid_needs_go:
        # The decision may be of this very change set, so it is asked for at the present moment.
        found = decisions(session, bidding, dated.as_moment(session, None))
        for project_id in bidding:
            if project_id not in found or found[project_id].verdict is not Verdict.GO:
                yield Problem(
                    "stage",
                    "The project {id} has no decision to go.",
                    "Decide about it first, or set bid_needs_go = false under [plugins.project_sales].",
                    {"id": project_id},
                )


def score_problems(session: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """Scores are 0 to 5, by criteria that the settings know."""
    criteria = settings_of(session).criteria
    for change in batch.of("create", "update"):
        value, criterion = change.after.get("value"), change.after.get("criterion")
        if value is not None and not 0 <= value <= BEST:
            yield Problem(
                "value", "{value} is no score.", "Give a whole number from 0 to {best}.", {"value": value, "best": BEST}
            )
        if criterion is not None and criterion not in criteria:
            yield Problem(
                "criterion",
                "The scorecard has no criterion {criterion!r}.",
                "Use one of {known}; they stand under [plugins.project_sales.criteria].",
                {"criterion": criterion, "known": ", ".join(criteria)},
            )


def findings(session: CrmSession, touch: Touch) -> Iterator[Finding]:
    """A warning for each open project of the account that was decided no-go."""
    names = {
        row.id: row.name
        for row in session.execute(
            select(Project.id, Project.name).where(
                Project.account_id == touch.account_id, Project.stage.not_in(sorted(CLOSED, key=lambda s: s.value))
            )
        )
    }
    for project_id, found in decisions(session, names, touch.at).items() if names else ():
        if found.verdict is Verdict.NO_GO:
            text = "The project {project} was decided no-go. {reason}"
            yield Finding("warning", text.format(project=names[project_id], reason=found.reason or "").strip())
