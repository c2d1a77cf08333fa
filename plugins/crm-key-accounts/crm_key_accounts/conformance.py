"""What the conformance kit cannot know from the declarations: a value score follows from scores and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from crm_key_accounts.scores import HIGHEST, value_score

__all__ = ["DERIVED", "strategies"]

DERIVED = ("key_accounts.alert",)
"""Brought in line with the assessments whenever one of those is written, an undo included."""

_WEIGHTS = {"revenue": "3", "growth": "1", "share_of_wallet": "0.5"}


def strategies(ids: Mapping[str, Sequence[int]]) -> Mapping[str, Any]:
    """Assessments whose score is the one that they amount to."""
    scores = st.fixed_dictionaries(dict.fromkeys(_WEIGHTS, st.integers(0, HIGHEST)))
    weights = {name: Decimal(weight) for name, weight in _WEIGHTS.items()}
    assessed = scores.map(
        lambda drawn: {"scores": drawn, "weights": dict(_WEIGHTS), "score": value_score(drawn, weights)}
    )
    return {"key_accounts.snapshot": assessed}
