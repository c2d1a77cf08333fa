"""Who decides: dated roles of people around an account, a project, an opportunity.

``assign``, ``change`` and ``end`` write roles; ``decision_map`` answers who is known for which decision, and how far
they support us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_stakeholders.maps import Coverage as Coverage
    from crm_stakeholders.maps import DecisionMap as DecisionMap
    from crm_stakeholders.maps import Stakeholder as Stakeholder
    from crm_stakeholders.maps import Subject as Subject
    from crm_stakeholders.maps import Support as Support
    from crm_stakeholders.maps import decision_map as decision_map
    from crm_stakeholders.maps import decision_maps as decision_maps
    from crm_stakeholders.roles import StakeholderRole as StakeholderRole
    from crm_stakeholders.roles import assign as assign
    from crm_stakeholders.roles import change as change
    from crm_stakeholders.roles import end as end
    from crm_stakeholders.settings import Settings as Settings

_NAMES = {
    "Settings": "settings",
    **dict.fromkeys(("StakeholderRole", "assign", "change", "end"), "roles"),
    **dict.fromkeys(
        ("Coverage", "DecisionMap", "Stakeholder", "Subject", "Support", "decision_map", "decision_maps"), "maps"
    ),
}

__all__ = [
    "Coverage",
    "DecisionMap",
    "Settings",
    "Stakeholder",
    "StakeholderRole",
    "Subject",
    "Support",
    "assign",
    "change",
    "decision_map",
    "decision_maps",
    "end",
]


def __getattr__(name: str) -> Any:
    # The manifest lies in this package, and whoever reads manifests must not pay for the records.
    if name not in _NAMES:
        raise AttributeError(f"module 'crm_stakeholders' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"crm_stakeholders.{_NAMES[name]}"), name)
