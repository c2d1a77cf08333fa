"""What the worker does every night, at the hour that the simulator takes for granted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crm_core.store.pools.assigning import assign
from crm_core.store.pools.recycling import recycle

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["run_assign", "run_recycle"]


def run_recycle(session: CrmSession, arguments: Mapping[str, Any]) -> dict[str, int]:
    """Job ``pool.recycle``: how many owners were warned, and how many accounts went back."""
    counts = Counter(step.kind.value for step in recycle(session).steps)
    return dict(counts)


def run_assign(session: CrmSession, arguments: Mapping[str, Any]) -> dict[str, int]:
    """Job ``pool.assign``: how many accounts were handed out, and how many nobody had room for."""
    report = assign(session)
    return {"assigned": len(report.steps), "left": sum(report.left.values())}
