"""The columns by which the rows of a table are told apart, and found again by the next import."""

from __future__ import annotations

import re
from itertools import combinations

from crm_core.exchange.drafting.table import Column, Table

__all__ = ["KEY_NAMES", "key_columns"]

KEY_NAMES = re.compile(
    r"(?i)(?:^|[\W_]|(?<=[a-z]))(?:id|nr|no|num|number|code|key|uuid)\.?$|编号|编码|代码|单号|序号|号$"
)
"""What columns are called that hold keys."""

_LONGEST = 60
_COMPARED = 8


def key_columns(table: Table) -> tuple[tuple[Column, ...], bool]:
    """The fewest columns that tell rows apart; those that are called like keys before others.

    Also whether rows remain that are the same in all of them.
    """
    whole = [column for column in table.columns if column.filled and not column.empty and column.longest <= _LONGEST]
    ordered = sorted(whole, key=lambda each: (KEY_NAMES.search(each.header) is None, each.position))
    for column in ordered:
        if column.unique and (KEY_NAMES.search(column.header) or column.position == 0 or "email" in column.possible):
            return (column,), False
    for count in (2, 3):
        for chosen in combinations(ordered[:_COMPARED], count):
            seen = {tuple(row[column.position].strip() for column in chosen) for row in table.rows}
            if len(seen) == len(table.rows):
                return chosen, False
    return tuple(ordered[:3] or table.columns[:1]), True
