"""Project sales: who decides, and whether we should bid.

``open_project``, ``score``, ``decide``, ``plan_milestone``, ``reach_milestone`` and ``slip`` write; ``scorecard``,
``decision``, ``slip_days`` and ``decision_map`` answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_project_sales.decisions import Decision as Decision
    from crm_project_sales.decisions import decide as decide
    from crm_project_sales.decisions import decision as decision
    from crm_project_sales.milestones import Milestone as Milestone
    from crm_project_sales.milestones import plan_milestone as plan_milestone
    from crm_project_sales.milestones import reach_milestone as reach_milestone
    from crm_project_sales.milestones import slip as slip
    from crm_project_sales.milestones import slip_days as slip_days
    from crm_project_sales.projects import Project as Project
    from crm_project_sales.projects import ProjectStage as ProjectStage
    from crm_project_sales.projects import decision_map as decision_map
    from crm_project_sales.projects import open_project as open_project
    from crm_project_sales.scores import Score as Score
    from crm_project_sales.scores import Scorecard as Scorecard
    from crm_project_sales.scores import Verdict as Verdict
    from crm_project_sales.scores import score as score
    from crm_project_sales.scores import scorecard as scorecard
    from crm_project_sales.scores import scorecards as scorecards
    from crm_project_sales.settings import Criterion as Criterion
    from crm_project_sales.settings import Settings as Settings

_NAMES = {
    **dict.fromkeys(("Decision", "decide", "decision"), "decisions"),
    **dict.fromkeys(("Milestone", "plan_milestone", "reach_milestone", "slip", "slip_days"), "milestones"),
    **dict.fromkeys(("Project", "ProjectStage", "decision_map", "open_project"), "projects"),
    **dict.fromkeys(("Score", "Scorecard", "Verdict", "score", "scorecard", "scorecards"), "scores"),
    **dict.fromkeys(("Criterion", "Settings"), "settings"),
}

__all__ = [
    "Criterion",
    "Decision",
    "Milestone",
    "Project",
    "ProjectStage",
    "Score",
    "Scorecard",
    "Settings",
    "Verdict",
    "decide",
    "decision",
    "decision_map",
    "open_project",
    "plan_milestone",
    "reach_milestone",
    "score",
    "scorecard",
    "scorecards",
    "slip",
    "slip_days",
]


def __getattr__(name: str) -> Any:
    # The manifest lies in this package, and whoever reads manifests must not pay for the records.
    if name not in _NAMES:
        raise AttributeError(f"module 'crm_project_sales' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"crm_project_sales.{_NAMES[name]}"), name)
