"""Contact points as keys: two ways of writing one number or address are the same key."""

from __future__ import annotations

import re

from crm_core.domain.contacts import PointKind
from crm_core.fields.folding import to_half_width

__all__ = ["PHONES", "digits_of", "point_key"]

PHONES = frozenset({PointKind.PHONE, PointKind.MOBILE, PointKind.FAX})
"""The kinds whose values are telephone numbers."""


def digits_of(value: str) -> str:
    """The digits of a telephone number; the same for every way of writing it, but for the prefix of its country."""
    return re.sub(r"\D", "", to_half_width(value))


def point_key(kind: PointKind, value: str) -> str:
    """What a contact point comes down to; empty where nothing is left.

    Of a telephone number the national digits, so that ``138 0013 8000``, ``0086-13800138000`` and ``+8613800138000``
    are one. E-mail addresses and other names are compared without case.
    """
    text = to_half_width(value).strip()
    if kind not in PHONES:
        return text.casefold()
    digits = digits_of(text)
    if not text.startswith(("+", "00")):
        return digits.lstrip("0")
    import phonenumbers

    try:
        number = phonenumbers.parse("+" + digits.lstrip("0"), None)
    except phonenumbers.NumberParseException:
        return digits.lstrip("0")
    return str(number.national_number)
