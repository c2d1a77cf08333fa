"""Plugins that leave: their footprint, switching off and on, removing them with all they have, bringing it back."""

from crm_core.leaving.footprint import Footprint, footprint
from crm_core.leaving.removing import RemovalPlan, export, plan_removal, remove
from crm_core.leaving.restoring import Restored, restore
from crm_core.leaving.switching import Switch, switch_off, switch_on

__all__ = [
    "Footprint",
    "RemovalPlan",
    "Restored",
    "Switch",
    "export",
    "footprint",
    "plan_removal",
    "remove",
    "restore",
    "switch_off",
    "switch_on",
]
