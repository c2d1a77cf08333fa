"""What of an import might have been there already, as far as whoever imports may know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.exchange.report import Double

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["first_doubles", "served_already"]

_FIRST = 100


def first_doubles(session: CrmSession) -> tuple[Double, ...]:
    """The likeliest pairs of what came in and what it might be a double of, with their names."""
    found = sorted(session.duplicates, key=lambda each: (-each.score, each.id, each.other_id))[:_FIRST]
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    for each in found:
        wanted[each.record_type] |= {each.id, each.other_id}
    names = {name: _names(session, name, ids) for name, ids in wanted.items()}
    return tuple(
        Double(
            each.record_type,
            each.id,
            names[each.record_type].get(each.id, ""),
            each.other_id,
            names[each.record_type].get(each.other_id, ""),
            each.score,
            tuple(sorted({key.kind for key in each.keys})),
        )
        for each in found
    )


def served_already(session: CrmSession) -> tuple[tuple[str, str | None], ...]:
    """The customers that came in and that somebody serves already, and whom to ask, if that may be told."""
    served = session.served[:_FIRST]
    names = _names(session, "account", {each.id for each in served})
    return tuple((names.get(each.id, ""), each.ask) for each in served)


def _names(session: CrmSession, name: str, ids: Iterable[int]) -> dict[int, str]:
    record_type = session.types[name]
    cls: Any = record_type.cls
    if record_type.title is None:
        return {}
    query = select(cls.id, getattr(cls, record_type.title)).where(cls.id.in_(sorted(ids)))
    return {row[0]: row[1] for row in session.execute(query)}
