"""The formulas of the value score: plain functions of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

__all__ = ["HIGHEST", "cause", "contributions", "value_score"]

HIGHEST = 100
"""Scores of dimensions, and so the value score, lie between 0 and this."""

Weights = Mapping[str, Decimal]
Scores = Mapping[str, int]


def value_score(scores: Scores, weights: Weights) -> Decimal:
    """The weighted mean of the dimensions' scores, 0 to 100 with two decimals.

    It is the additive value function with constant weights of Keeney and Raiffa, *Decisions with Multiple Objectives*
    (1976), chapter 3; which dimensions count, and how much, is the build's own choice. ``scores`` has a score for every
    weight, and the weights do not all vanish.
    """
    total = sum(_parts(scores, weights).values(), Fraction(0))
    return _rounded(total)


def contributions(before: tuple[Scores, Weights], after: tuple[Scores, Weights]) -> dict[str, Decimal]:
    """By how many points each dimension moved the value score from one assessment to the next.

    The plugin's own decomposition: what the dimension adds to the weighted mean after, less what it added before. So
    they sum up to the move of the score (but for rounding), also where weights were changed or dimensions came and
    went.
    """
    old, new = _parts(*before), _parts(*after)
    nothing = Fraction(0)
    return {name: _rounded(new.get(name, nothing) - old.get(name, nothing)) for name in sorted({*old, *new})}


def cause(before: tuple[Scores, Weights], after: tuple[Scores, Weights]) -> tuple[str, Decimal]:
    """The dimension that moved the score furthest in the direction in which it went, with its points."""
    moved = contributions(before, after)
    direction = 1 if sum(moved.values()) >= 0 else -1
    name = max(moved, key=lambda each: direction * moved[each])
    return name, moved[name]


def _parts(scores: Scores, weights: Weights) -> dict[str, Fraction]:
    total = sum(Fraction(weight) for weight in weights.values())
    return {name: Fraction(weight) * scores[name] / total for name, weight in weights.items()}


def _rounded(value: Fraction) -> Decimal:
    # Exact until here, so that thirds and sevenths do not depend on the order of the dimensions.
    return (Decimal(round(value * 100)) / 100).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
