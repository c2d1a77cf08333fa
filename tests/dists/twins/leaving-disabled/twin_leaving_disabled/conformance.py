"""What generated rows must keep beyond their declarations, for the conformance kit."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

__all__ = ["strategies"]


def strategies(ids: Mapping[str, Sequence[int]]) -> Mapping[str, Any]:
    """Things are delivered to accounts that there are."""
    return {"twin_leaving_disabled.thing": {"delivered_to": st.sampled_from(ids["account"])}}
