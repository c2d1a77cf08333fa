"""Where the next page of a list begins, as a word that can be given back."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

from crm_core.errors import ExpressionError

__all__ = ["read", "write"]


def write(values: Sequence[Any]) -> str:
    """The values of a cursor as one word."""
    text = json.dumps([_encode(value) for value in values], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(word: str) -> tuple[Any, ...]:
    """The values in a word made by :func:`write`."""
    try:
        text = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
        return tuple(_decode(value) for value in json.loads(text))
    except (binascii.Error, ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise ExpressionError(
            "{word!r} is no cursor.",
            mend="Copy it from the end of the page before, and keep the same --order.",
            word=word,
        ) from error


def _encode(value: Any) -> Any:
    match value:
        case dt.datetime():
            return {"moment": value.isoformat()}
        case dt.date():
            return {"day": value.isoformat()}
        case Decimal():
            return {"number": str(value)}
        case Enum():
            return value.value
    return value


def _decode(value: Any) -> Any:
    match value:
        case {"moment": text}:
            return dt.datetime.fromisoformat(text)
        case {"day": text}:
            return dt.date.fromisoformat(text)
        case {"number": text}:
            return Decimal(text)
    return value
