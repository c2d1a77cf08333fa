"""Marks: words that occur nowhere else, written into rows, so that wherever one shows up it tells whose it is."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.fields import Money
from crm_core.fields.kinds import DayKind, MomentKind, MoneyKind, NumberKind, TextKind

if TYPE_CHECKING:
    from crm_core.fields import Field
    from crm_core.records import RecordType
    from crm_core.testing.conformance.oracle import Row

__all__ = ["MARK", "Lively", "Mark", "markable", "marks_in", "owners"]

MARK = re.compile(r"zq\d{6}x", re.IGNORECASE)
_LENGTH = 9
_DAYS = 40
"""How far from today the days lie that are drawn, so that something is due, overdue and to come."""


@attrs.frozen
class Mark:
    """Where a word stands: in which field of which record."""

    record: str
    id: int
    field: str


def marks_in(text: str) -> set[str]:
    """The words in a text, whatever became of their case."""
    return {found.lower() for found in MARK.findall(text)}


def owners(rows: Mapping[str, Mapping[int, Row]], names: Mapping[str, RecordType]) -> dict[str, list[Mark]]:
    """Where each word stands among the rows of a database; a plugin may have copied one."""
    found: defaultdict[str, list[Mark]] = defaultdict(list)
    for record, of_type in rows.items():
        fields = names[record].field_of_column
        for id_, row in of_type.items():
            for column, value in row.items():
                field = fields.get(column)
                if field is not None and isinstance(value, str):
                    mark = Mark(record, id_, field.name)  # a sort key beside the name holds it again
                    for word in marks_in(value):
                        if mark not in found[word]:
                            found[word].append(mark)
    return found


def markable(field: Field) -> bool:
    """Whether any word may stand in a field."""
    kind = field.kind
    fits = type(kind) is TextKind and (kind.length is None or kind.length >= _LENGTH)
    return fits and field.vocabulary is None


class Lively:
    """Turns drawn values into those of a living business: words, days around ``now``, small numbers.

    ``left`` are fields by record type that stay as they are, such as the halves of soft references.
    """

    def __init__(self, chance: random.Random, now: dt.datetime, left: Iterable[tuple[str, str]] = ()) -> None:
        self.chance = chance
        self.now = now
        self._left = frozenset(left)
        self._number = 0

    def word(self) -> str:
        """A word that was never given before."""
        self._number += 1
        return f"zq{self._number:06d}x"

    def __call__(self, record_type: RecordType, values: Mapping[str, Any], given: frozenset[str]) -> dict[str, Any]:
        """The values, made lively but for those that are ``given``."""
        lively = dict(values)
        for field in record_type.fields:
            name = field.name
            untouched = name in given or (record_type.name, name) in self._left
            if untouched or (field.optional and self.chance.random() < 0.2):
                continue
            made = self._made(field, lively.get(name))
            if made is not None:
                lively[name] = made
        if record_type.dated and not {"valid_from", "valid_to"} & given:
            lively["valid_from"], lively["valid_to"] = self.validity()
        return lively

    def validity(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """Mostly valid now, sometimes over, sometimes to come."""
        start = self.chance.choice([None, -300, -30, -3, -3, 5])
        end = self.chance.choice([None, None, None, -1, 20])
        if start is not None and end is not None and start >= end:
            end = None
        return self._day(start), self._day(end)

    def _day(self, days: int | None) -> dt.datetime | None:
        return None if days is None else self.now + dt.timedelta(days=days)

    def _made(self, field: Field, value: Any) -> Any:
        chance, kind = self.chance, field.kind
        if markable(field):
            return self.word()
        moment = self.now + dt.timedelta(days=chance.randint(-_DAYS, _DAYS), hours=chance.randint(-9, 9))
        match kind:
            case DayKind():
                return moment.date()
            case MomentKind():
                return moment
            case NumberKind() if chance.random() < 0.8:
                number = chance.randint(0, 5)
                return number if kind.scale == 0 else Decimal(number) / 5
            case MoneyKind():
                return Money(Decimal(chance.randint(0, 5000)), "CNY")
        return value
