"""How deep the SQL of a bound expression nests.

SQLite's parser keeps a stack of a hundred entries, of which the caller's query and the conditions of visibility need
their part. So an expression that would overflow it is refused when it is bound, on every database.
"""

from __future__ import annotations

from typing import Any

import attrs

from crm_core.expressions.members import Collection, Count, Quantified
from crm_core.expressions.nodes import And, Bound, Compare, In, Not, Only, Or
from crm_core.expressions.numbers import Linear, NumberTest, Sum, Term
from crm_core.expressions.steps import DerivedStep, Path

__all__ = ["MAX_HEIGHT", "height"]

MAX_HEIGHT = 60

# Entries of the parser's stack while what is inside is being read, measured with SQLite 3.40.
_WEIGHTS: dict[type, int] = {
    And: 3, Or: 3, Not: 2, Compare: 3, In: 3, Only: 4, NumberTest: 3, Sum: 2, Linear: 6, Quantified: 6, Collection: 10,
    Count: 4, Path: 0,
}  # fmt: skip


def height(part: Any) -> int:
    """Entries that the part needs at its deepest place."""
    if isinstance(part, tuple):
        return max(map(height, part), default=0)
    if isinstance(part, Path):
        derived = any(isinstance(step, DerivedStep) for step in part.steps)
        return 10 * (bool(part.steps) + derived)
    if not isinstance(part, Bound | Term):
        return 0
    extra = 4 if isinstance(part, Quantified) and part.how == "all" else 0
    inside = (getattr(part, attribute.name) for attribute in attrs.fields(type(part)))
    return _WEIGHTS.get(type(part), 2) + extra + max(map(height, inside), default=0)
