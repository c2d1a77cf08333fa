"""What generated rows must keep beyond their declarations, for the conformance kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from crm_stakeholders.roles import INFLUENCE, STANCE, STRENGTH

__all__ = ["strategies"]

_SCOPES = ("commercial", "technical", "financial", "final")


def strategies(ids: Mapping[str, Sequence[int]]) -> Mapping[str, Any]:
    """Estimates in their ranges, and known sides of a decision."""
    return {
        "stakeholders.role": {
            "scopes": st.frozensets(st.sampled_from(_SCOPES)),
            "influence": st.integers(*INFLUENCE),
            "stance": st.none() | st.integers(*STANCE),
            "strength": st.none() | st.integers(*STRENGTH),
        }
    }
