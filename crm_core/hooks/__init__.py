"""The contract between the kernel and its plugins: hooks grouped by purpose, and their dispatch.

``crm_register_*`` is collected once at assembly, ``crm_check_*`` is asked before something happens and may
object, ``crm_gather_*`` is asked while somebody looks, ``crm_on_*`` is told after something happened.
"""

from crm_core.hooks.dispatcher import Dispatcher
from crm_core.hooks.implementations import Implementation, going, mistakes, unknown_records
from crm_core.hooks.markers import PROJECT, Deprecation, OnlyFor, deprecated, hookimpl, only_for
from crm_core.hooks.specs import SPECS, HookSpec
from crm_core.hooks.values import (
    Failed,
    Finding,
    Gathered,
    GiveWay,
    Job,
    Merging,
    News,
    NextAction,
    OpenItem,
    Panel,
    Signal,
    TimelineEntry,
    Touch,
)

__all__ = [
    "PROJECT",
    "SPECS",
    "Deprecation",
    "Dispatcher",
    "Failed",
    "Finding",
    "Gathered",
    "GiveWay",
    "HookSpec",
    "Implementation",
    "Job",
    "Merging",
    "News",
    "NextAction",
    "OnlyFor",
    "OpenItem",
    "Panel",
    "Signal",
    "TimelineEntry",
    "Touch",
    "deprecated",
    "going",
    "hookimpl",
    "mistakes",
    "only_for",
    "unknown_records",
]
