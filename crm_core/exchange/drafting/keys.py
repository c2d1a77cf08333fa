"""Keys: by which columns rows are known to the next import, and what tells them from the rows of another table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import attrs

from crm_core.exchange.drafting.headers import plain, singular, words
from crm_core.exchange.drafting.looks import looks
from crm_core.exchange.drafting.references import values_of
from crm_core.exchange.drafting.table import Column, Table
from crm_core.exchange.drafting.targets import Target

if TYPE_CHECKING:
    from crm_core.exchange.drafting.rows import Reading

__all__ = ["KEY_NAMES", "Key", "key_columns", "key_of", "prefixes"]

KEY_NAMES = re.compile(
    r"(?i)(?:^|[\W_]|(?<=[a-z]))(?:id|nr|no|num|number|code|key|uuid)\.?$|编号|编码|代码|单号|序号|号$"
)
"""What columns are called that hold keys."""

_LONGEST, _LONGEST_ALONE = 60, 200
_COMPARED = 8
_TELLING = 4
_BARE = frozenset({"id", "no", "nr", "number", "code", "key", "编号", "编码", "代码", "序号"})


@attrs.frozen
class Key:
    """The columns of a key, and whether rows remain that have the same."""

    columns: tuple[Column, ...]
    repeated: bool

    @property
    def template(self) -> str:
        """The columns in braces, joined by slashes."""
        return "/".join("{" + each.header + "}" for each in self.columns)


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


def key_of(table: Table, reading: Reading | None = None) -> Key:
    """The best key: a number, a unified code, an address for mail, a name; else several columns together."""
    usable = [
        each for each in table.columns
        if each.unique and each.filled and each.longest <= _LONGEST_ALONE and each.in_templates
    ]  # fmt: skip
    numbers = [each for each in usable if KEY_NAMES.search(each.header) and "phone" not in each.possible - {"whole"}]
    numbers = [each for each in numbers if looks(each, "mobile") < 0.5]
    names = []
    if reading is not None:
        named = [reading.chosen.get(Target(reading.record, name)) for name in ("code", "login", "name", "subject")]
        names = [each.column for each in named if each is not None and each.column in usable]
    codes = [each for each in usable if looks(each, "uscc") == 1]
    mail = [each for each in usable if "email" in each.possible]
    first = [each for each in usable[:1] if each.position == 0]
    for chosen in (numbers[:1], codes[:1], mail[:1], names[:1], first):
        if chosen:
            return Key(tuple(chosen), False)
    columns, repeated = key_columns(
        attrs.evolve(table, columns=tuple(each for each in table.columns if each.in_templates))
    )
    return Key(columns, repeated)


def prefixes(made: Sequence[tuple[Table, Key, Sequence[str]]]) -> Mapping[tuple[int, str], str]:
    """What stands before the key of each table's rows, by table and record, where two tables make records of one type.

    Tables of which one's keys are all among the other's speak of the same records, and need no words to tell them.
    """
    apart: dict[str, list[Table]] = {}
    for table, key, records in made:
        for record in records:
            others = [its for other, its, theirs in made if other is not table and record in theirs]
            if any(not _same(key, its) for its in others):
                apart.setdefault(record, []).append(table)
    found: dict[tuple[int, str], str] = {}
    for record, tables in apart.items():
        short = [_words(table)[-1] for table in tables]
        for table, word in zip(tables, short, strict=True):
            found[id(table), record] = (word if short.count(word) == 1 else " ".join(_words(table))) + " "
    return found


def _same(one: Key, other: Key) -> bool:
    if len(one.columns) != 1 or len(other.columns) != 1:
        return False
    mine, its = one.columns[0], other.columns[0]
    these, those = values_of(mine), values_of(its)
    if not (these <= those or those <= these):
        return False
    # Numbers from 1 on are in every table: they are the same only under a name that says of what.
    telling = not ({*mine.possible} & {"whole"}) and min(map(len, these)) >= _TELLING
    return telling or (plain(mine.header) == plain(its.header) and plain(mine.header) not in _BARE)


def _words(table: Table) -> list[str]:
    """The words of a table's name, of which the last mostly says what its rows are."""
    found = [singular(word) for word in words(table.title)]
    while len(found) > 1 and found[-1].isdecimal():
        found.pop()
    return found or ["row"]
