"""What generated rows must keep beyond their declarations, for the conformance kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from crm_partner_dunning.notices import LEVELS

__all__ = ["strategies"]


def strategies(ids: Mapping[str, Sequence[int]]) -> Mapping[str, Any]:
    """Levels in their range."""
    return {"partner_dunning.notice": {"level": st.integers(*LEVELS)}}
