"""What an answer holds, as one text that can be searched for words and compared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

from crm_core import Record

__all__ = ["told"]


def told(answer: Any) -> str:
    """All of an answer, in an order of its own where it has none; errors by their words."""
    return "\n".join(_lines(answer, ""))


def _lines(value: Any, at: str) -> list[str]:
    if value is None or isinstance(value, str | int | float | bool | Decimal | dt.date | dt.time | dt.timedelta):
        return [f"{at}={value!r}"]
    if isinstance(value, Enum):
        return [f"{at}={value.value!r}"]
    if isinstance(value, Exception):
        return [f"{at}={type(value).__name__}: {value}"]
    if isinstance(value, Record):
        shown = {name: each for name, each in sorted(vars(value).items()) if not name.startswith("_")}
        loaded = {name: each.id if isinstance(each, Record) else each for name, each in shown.items()}
        return [line for name, each in loaded.items() for line in _lines(each, f"{at}.{value.crm_type.name}.{name}")]
    if attrs.has(type(value)):
        fields = [field.name for field in attrs.fields(type(value)) if not field.name.startswith("_")]
        return [line for name in fields for line in _lines(getattr(value, name), f"{at}.{name}")]
    if isinstance(value, Mapping):
        return [line for key in sorted(value, key=str) for line in _lines(value[key], f"{at}[{key}]")]
    if isinstance(value, set | frozenset):
        return [f"{at}={sorted(map(str, value))}"]
    if hasattr(value, "__iter__"):
        return [line for number, each in enumerate(value) for line in _lines(each, f"{at}[{number}]")]
    return [f"{at}={value!r}"]
