"""The formula guard: a spreadsheet must not take a cell of ours for a formula, and import takes the guard off again.

A text that begins with ``=``, ``+``, ``-``, ``@`` (also as wide as a Chinese character), a tab or a line break gets an
apostrophe in front. So does one that begins with apostrophes before such a character; otherwise nobody could tell
whether they were ours.
"""

from __future__ import annotations

import re

__all__ = ["guarded", "unguarded"]

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def guarded(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs."""
    return "'" + text if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """``text`` as it was before :func:`guarded`."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text, 1) else text
