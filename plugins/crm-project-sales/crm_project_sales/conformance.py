"""What the conformance kit cannot know from the declarations: by which criteria projects are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from crm_project_sales.settings import BEST, Settings

__all__ = ["strategies"]


def strategies(ids: Mapping[str, Sequence[int]]) -> Mapping[str, Any]:
    """Scores by the usual criteria."""
    return {
        "project_sales.score": {
            "criterion": st.sampled_from(sorted(Settings().criteria)),
            "value": st.integers(0, BEST),
        }
    }
