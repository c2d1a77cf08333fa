"""What a build decides about merging: which of two values survives."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["RULES", "Rule"]

Rule = Literal["target", "source", "filled", "newest", "longest", "union"]
"""Which value survives where two records are merged that differ in a field.

*target* or *source*: that record's, unless it is empty; *filled* (the default): the target's unless it is empty;
*newest*: the one that was written last, by the journal; *longest*: the longer text; *union*: the tags of both (the
default for tags).
"""

RULES: tuple[str, ...] = get_args(Rule)
