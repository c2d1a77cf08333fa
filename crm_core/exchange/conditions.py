"""Tests of columns: ``only_if = { AddressType = "Main Office", EndDate = false }``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Cell", "all_hold", "is_test"]

Cell = Callable[[Any], Any]


def is_test(value: Any) -> bool:
    """Whether a mapping may write this as a test: a text, a list of texts, or whether there is anything at all."""
    return isinstance(value, str | bool) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def all_hold(tests: Mapping[str, Any], cell: Callable[[str], Cell]) -> Callable[[Any], bool] | None:
    """One function that is true for rows that pass every test; ``None`` where there is none."""
    checks = [_check(cell(column), wanted) for column, wanted in tests.items()]
    if not checks:
        return None
    return lambda row: all(check(row) for check in checks)


def _check(get: Cell, wanted: Any) -> Callable[[Any], bool]:
    if isinstance(wanted, bool):
        return lambda row: (get(row) is not None) is wanted
    words = frozenset([wanted] if isinstance(wanted, str) else wanted)
    return lambda row: _text(get(row)) in words


def _text(value: Any) -> Any:
    """JSON's true and numbers as a file of texts would write them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None or isinstance(value, str) else str(value)
