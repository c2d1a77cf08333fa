"""Text of TOML read so that whatever is wrong with it is told in one way."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

__all__ = ["DEEPEST", "exact", "nested_deeper", "read_toml"]

DEEPEST = 100
"""Levels of tables and lists in each other: whoever works with them later calls itself for each."""


def exact(text: str) -> Decimal:
    """A number with its decimals, for ``parse_float``; raises :class:`ValueError` for one that nothing could hold."""
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError(f"the number {text} is too large or too small") from None


def read_toml(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """The content of a text.

    Raises :class:`tomllib.TOMLDecodeError`, which is a :class:`ValueError`, for all that is no TOML or could not be
    worked with: whole numbers with thousands of digits, tables in each other without end.
    """
    try:
        content = tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from None
    except ValueError as error:
        raise tomllib.TOMLDecodeError(str(error)) from None
    if nested_deeper(content, DEEPEST):
        raise tomllib.TOMLDecodeError("it is nested too deeply")
    return content


def nested_deeper(value: Any, levels: int) -> bool:
    """Whether lists and tables are in each other more than so many times."""
    level = [value]
    for _ in range(levels):
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [each for some in inside for each in some]
    return bool(level)
