"""What the values of a column look like: which share passes a test, and in words that show no value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from crm_core.exchange.drafting.model import Said
from crm_core.exchange.drafting.model import said as _
from crm_core.exchange.drafting.table import Column
from crm_core.exchange.drafting.value_tests import passes

__all__ = ["SHAPE_LABELS", "looks", "sample", "shape", "share"]

_MOST = 2_000


def sample(column: Column) -> Iterator[str]:
    """Its different values, as many as are looked at."""
    for number, value in enumerate(column.values):
        if number >= _MOST:
            return
        yield value


def share(column: Column, test: Callable[[str], bool]) -> float:
    """Which share of its different values passes (0 to 1); none where it is empty."""
    values = list(sample(column))
    return sum(map(test, values)) / len(values) if values else 0.0


def looks(column: Column, name: str) -> float:
    """Which share of its values looks like a ``uscc``, a ``person``, an ``email`` and so on."""
    if name in column.possible:
        return 1.0 if column.filled else 0.0
    return share(column, lambda value: passes(name, value))


SHAPE_LABELS = {
    "email": "e-mail addresses", "url": "web addresses", "uscc": "unified social credit codes",
    "mobile": "mobile numbers", "flag": "yes and no", "day": "days", "moment": "moments",
    "phone": "telephone numbers",
    "whole": "whole numbers", "number": "numbers", "comma": "numbers with a decimal comma",
    "amount": "amounts of money",
    "percent": "percentages", "currency": "currency codes", "country": "countries", "text": "text",
}  # fmt: skip
"""What values may be called, the most special first."""

_ALMOST = 0.95


def shape(column: Column) -> Said:
    """How its values look, as a template with its values: never one of them, for they may be somebody's."""
    if not column.filled:
        return _("empty")
    formats = sorted(each.partition(" ")[0] for each in column.possible if each.startswith(("day ", "moment ")))
    dated = formats[0] if formats and not column.possible & {"whole", "number"} else None
    name = dated or next((name for name in SHAPE_LABELS if name != "text" and looks(column, name) >= _ALMOST), None)
    what = SHAPE_LABELS[name or "text"]
    values: dict[str, Any] = {"what": what, "distinct": len(column.values), "longest": column.longest}
    if column.empty:
        return _("{what}, {distinct} distinct, longest {longest}, {empty} empty", **values, empty=column.empty)
    return _("{what}, {distinct} distinct, longest {longest}", **values)
