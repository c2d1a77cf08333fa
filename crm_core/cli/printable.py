"""Text that a terminal may show: data must not steer it."""

from __future__ import annotations

import re

__all__ = ["printable", "printable_json"]

# Escape sequences could clear the screen or retitle the window; marks of direction could turn a name round.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` with control characters written as ``\\x1b``; line breaks and tabs stay."""
    return _STEERING.sub(lambda match: ascii(match[0])[1:-1], text)


def printable_json(text: str) -> str:
    """JSON that says the same, with the characters of texts that steer a terminal escaped."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
