"""Whether two databases hold the same, though ids differ, and moments that were the present when they were written.

Every record gets a colour by its type and what it holds, then a new one by the colours of what it refers to, a few
times over. What stands in two databases is the same when as many records have each colour.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, TypeAlias

from crm_core import Crm, SoftReference
from torture.examining.replaying import state

__all__ = ["Likeness", "difference", "likeness"]

Likeness: TypeAlias = Counter[tuple[str, str]]
"""How many records there are, by type and colour."""

_ROUNDS = 3


def likeness(crm: Crm, since: dt.datetime, newest: int) -> Likeness:
    """What the tables hold now; moments and days from ``since`` on count as one, the present.

    ``newest`` is the highest id of before: higher ones that stand inside of values differ from run to run.
    """
    there = state(crm.store)
    references = {each.name: {field.name: field.target or "" for field in each.refs} for each in crm.types.values()}
    soft = {(each.record, each.id_field): each for each in crm.build.policy.references}
    for name, field in soft:
        references.get(name, {})[field] = ""
    extended = {each.name: each.extends for each in crm.types.values() if each.extends}
    colours = {
        key: _colour(
            key[0],
            sorted(
                (name, _plain(value, since, newest))
                for name, value in values.items()
                if name not in references[key[0]] and name not in ("id", "version")
            ),
        )
        for key, values in there.items()
    }
    for _ in range(_ROUNDS):
        colours = {
            key: _colour(
                own,
                sorted(
                    (name, colours.get((_target(soft.get((key[0], name)), target, values), values[name]), ""))
                    for name, target in references[key[0]].items()
                    if values.get(name) is not None
                ),
                colours.get((extended.get(key[0], ""), key[1]), ""),
            )
            for (key, own), values in zip(colours.items(), there.values(), strict=True)
        }
    return Counter((name, colours[name, id_]) for name, id_ in there)


def difference(wanted: Likeness, found: Likeness) -> tuple[Counter[str], Counter[str]]:
    """How many records are missing, and how many should not be there, by type."""
    missing: Counter[str] = Counter()
    superfluous: Counter[str] = Counter()
    for (name, _), count in (wanted - found).items():
        missing[name] += count
    for (name, _), count in (found - wanted).items():
        superfluous[name] += count
    return missing, superfluous


def _target(soft: SoftReference | None, target: str, values: Mapping[str, Any]) -> str:
    if soft is None:
        return target
    return soft.target or values.get(soft.type_field or "", "")


def _colour(*parts: Any) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:16]


def _plain(value: Any, since: dt.datetime, newest: int) -> str:
    if isinstance(value, dt.datetime):
        return "now" if value >= since else value.isoformat()
    if isinstance(value, dt.date):
        return "today" if value >= since.date() else value.isoformat()
    if isinstance(value, frozenset):
        return repr(sorted(value))
    if isinstance(value, dict):
        return repr(sorted((name, _plain(each, since, newest)) for name, each in value.items()))
    if isinstance(value, list):
        return repr([_plain(each, since, newest) for each in value])
    if isinstance(value, int) and value > newest:
        return "new"
    return repr(value)
