"""Times for many rows of which only one may hold at a time: one after the other, beside those that there are."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from crm_core.records import RecordType
    from crm_core.store.session import CrmSession

__all__ = ["spread"]

Key = tuple[int, tuple[Any, ...]]
"""The number of the rule, and the values that only one row may have at a time."""

Interval = tuple[dt.datetime | None, dt.datetime | None]
_STEP = dt.timedelta(hours=1)
_FIRST, _LAST = (moment.replace(tzinfo=dt.UTC) for moment in (dt.datetime.min, dt.datetime.max))


def spread(session: CrmSession, record_type: RecordType, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with times at which no two hold that exclude each other; those without room beside others are left out.

    Rows that exclude nothing keep their times. Of those that do, the last one holds now and from now on, where no row
    is there already; and before the first one there is room for more.
    """
    found = [dict(row) for row in rows]
    if not record_type.exclusive:
        return found
    taken = _taken(session, record_type)
    groups: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row, number in zip(found, _connected([_keys(record_type, row) for row in found]), strict=True):
        groups[number].append(row)
    kept: list[dict[str, Any]] = []
    for group in groups.values():
        keys = {key for row in group for key in _keys(record_type, row)}
        if not keys:
            kept += group
            continue
        held = [each for key in keys for each in taken[key]]
        for row, (start, end) in zip(group, _places(held, len(group), session.now), strict=False):
            row["valid_from"], row["valid_to"] = start, end
            kept.append(row)
    return kept


def _keys(record_type: RecordType, row: Mapping[str, Any]) -> list[Key]:
    return [
        (number, tuple(row[name] for name in rule.fields))
        for number, rule in enumerate(record_type.exclusive)
        if all(row.get(name) == value for name, value in rule.when)
    ]


def _taken(session: CrmSession, record_type: RecordType) -> defaultdict[Key, list[Interval]]:
    """When rows hold that are there already."""
    found: defaultdict[Key, list[Interval]] = defaultdict(list)
    for record in session.list(record_type.cls, limit=None, all_dates=True):
        row = {field.name: getattr(record, field.name) for field in record_type.fields}
        for key in _keys(record_type, row):
            found[key].append((row["valid_from"], row["valid_to"]))
    return found


def _connected(keys: Sequence[Sequence[Key]]) -> Iterator[int]:
    """A number for each row: the same one for rows that share a key, directly or through others."""
    first: dict[Key, int] = {}
    leader = list(range(len(keys)))

    def lead(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for number, each in enumerate(keys):
        for key in each:
            leader[lead(number)] = lead(first.setdefault(key, number))
    return (lead(number) for number in range(len(keys)))


@attrs.frozen
class _Gap:
    start: dt.datetime
    end: dt.datetime


def _places(held: Sequence[Interval], count: int, now: dt.datetime) -> list[Interval]:
    """Up to so many intervals, one after the other, in the largest time in which no row holds."""
    if not held:
        steps = [now - _STEP * number for number in range(count, 0, -1)]
        return list(zip(steps, [*steps[1:], None], strict=True))
    edges = [(_FIRST, _FIRST), *sorted(((start or _FIRST), (end or _LAST)) for start, end in held), (_LAST, _LAST)]
    latest, gaps = _FIRST, []
    for (_, end), (start, _) in pairwise(edges):
        latest = max(latest, end)
        if start > latest:
            gaps.append(_Gap(latest, start))
    if not gaps:
        return []
    widest = max(gaps, key=lambda gap: gap.end - gap.start)
    step = min(_STEP, (widest.end - widest.start) / (count + 1))
    begin = widest.start if widest.start > _FIRST else widest.end - step * count
    return [(begin + step * number, begin + step * (number + 1)) for number in range(count)]
