"""What stands in place of values that are gone."""

from __future__ import annotations

__all__ = ["ERASED"]

ERASED = "[erased]"
"""What stands in place of an erased text; other kinds become empty."""
