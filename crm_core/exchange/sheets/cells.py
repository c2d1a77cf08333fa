"""What a cell of a spreadsheet holds, as the import takes it: texts, and numbers that stay numbers.

Days and moments become text as ISO 8601 writes it, because only people see them as a date: ``2026-11-23``,
``2026-11-23T09:30:00``. Numbers stay numbers, so that no rule about commas is applied to them.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any, TypeAlias

__all__ = ["SURE_DIGITS", "Value", "digits_lost", "exact", "readable"]

Value: TypeAlias = str | int | float

SURE_DIGITS = 15
"""How many digits of a number a spreadsheet keeps; what stands behind them becomes zeros."""

# What fits into 64 bits, as the memory of rows that wait takes it.
_MOST = 10**18
_CUT = re.compile(r"\s*[+-]?\d+(?:[.,]\d+)?E\+\d+\s*", re.IGNORECASE)


def readable(value: Any) -> Value:
    """A value of the reader as text or number; what is empty is an empty text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _MOST else value
    if isinstance(value, int):
        return value
    if isinstance(value, dt.datetime):
        return (value.date() if value.time() == dt.time() else value).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        seconds = round(value.total_seconds())
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return "" if value is None else str(value)


def exact(value: int | float) -> int | Decimal:
    """A number as it was meant: the noise of binary fractions stands behind the digits that a spreadsheet keeps."""
    return value if isinstance(value, int) else Decimal(f"{value:.{SURE_DIGITS}g}")


def digits_lost(value: Any) -> bool:
    """Whether a cell that stands for a text was once taken for a number that was too long, such as ``1.23E+17``."""
    if isinstance(value, str):
        return "+" in value and _CUT.fullmatch(value) is not None
    return isinstance(value, int | float) and abs(value) >= 10**SURE_DIGITS
