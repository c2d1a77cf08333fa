"""What a column is called, in a form in which case, spaces, scripts and ways to join words make no difference."""

from __future__ import annotations

import re

from crm_core.fields.folding import HAN, to_half_width
from crm_core.fields.matching import simplified

__all__ = ["plain", "singular", "words"]

_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^】]*】")
_CAPITALS = (re.compile(r"([a-z0-9])([A-Z])"), re.compile(r"([A-Z]+)([A-Z][a-z])"))
_WORD = re.compile(r"[^\W\d_]+|\d+")


def words(header: str) -> tuple[str, ...]:
    """The words of a header in small letters: ``billingCity``, ``Billing City *`` and ``BILLING_CITY`` have the same.

    What stands in brackets is left out (``金额（万元）``), traditional characters are read as simplified ones, and
    Chinese, which has no spaces, is a word by itself.
    """
    text = simplified(to_half_width(header))
    text = _ASIDE.sub(" ", text) if _ASIDE.sub("", text).strip() else text
    for pattern in _CAPITALS:
        text = pattern.sub(r"\1 \2", text)
    text = HAN.sub(lambda match: f" {match.group()} ", text)
    return tuple(_WORD.findall(text.lower()))


def plain(header: str) -> str:
    """The words without spaces, by which headers are compared."""
    return "".join(words(header))


def singular(word: str) -> str:
    """A word of a file's name without the ending of the plural: ``companies`` is ``company``."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word
