"""Times of dated rows: what of one lies outside of others. An absent bound is open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

__all__ = ["Span", "overlap", "pieces", "span", "united"]

Span: TypeAlias = tuple[dt.datetime | None, dt.datetime | None]

T = TypeVar("T")
_FIRST = dt.datetime.min.replace(tzinfo=dt.UTC)
_LAST = dt.datetime.max.replace(tzinfo=dt.UTC)


def span(values: Mapping[str, Any]) -> Span:
    """When a dated row holds."""
    return values.get("valid_from"), values.get("valid_to")


def overlap(one: Span, other: Span) -> bool:
    """Whether there is an instant in both."""
    return (one[0] or _FIRST) < (other[1] or _LAST) and (other[0] or _FIRST) < (one[1] or _LAST)


def pieces(whole: Span, others: Iterable[tuple[Span, T]]) -> list[tuple[Span, T | None]]:
    """``whole`` in order of time, in parts that each lie within one of ``others``, with its label, or within none."""
    taken = list(others)
    start, end = whole[0] or _FIRST, whole[1] or _LAST
    cuts = {bound for each, _ in taken for bound in each if bound is not None and start < bound < end}
    bounds = [start, *sorted(cuts), end]
    found: list[tuple[Span, T | None]] = []
    for left, right in pairwise(bounds):
        part: Span = (None if left == _FIRST else left, None if right == _LAST else right)
        label = next((label for each, label in taken if overlap(part, each)), None)
        if found and found[-1][1] == label:
            found[-1] = ((found[-1][0][0], part[1]), label)
        else:
            found.append((part, label))
    return found


def united(one: Span, other: Span) -> Span:
    """From the earlier beginning to the later end."""
    start = None if None in (one[0], other[0]) else min(one[0], other[0])  # type: ignore[type-var]
    end = None if None in (one[1], other[1]) else max(one[1], other[1])  # type: ignore[type-var]
    return start, end
