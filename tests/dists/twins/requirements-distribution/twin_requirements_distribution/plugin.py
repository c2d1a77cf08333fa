"""Names of another plugin, and a library."""

from typing import Any

from crm_stakeholders import assign

__all__ = ["assign", "texts"]


def texts() -> Any:
    """A library that only some will have."""
    from hypothesis import strategies

    return strategies.text()
