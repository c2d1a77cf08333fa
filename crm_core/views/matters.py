"""What matters of data quality are about, for whoever reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["readable_subjects"]


def readable_subjects(session: CrmSession, matters: Iterable[Any]) -> dict[int, str]:
    """The subjects of matters (or rows of their ``id``, ``subject``, ``record_type`` and ``record_id``), by id.

    They hold texts of the records that they are about: what was planned, the name of a deal. So only those are told
    whose record the actor may read, and none of a type that the build has no more. A statement for each type of which
    the actor does not see everything.
    """
    found: dict[int, str] = {}
    asked: defaultdict[str, list[Any]] = defaultdict(list)
    for each in matters:
        known = session.types.get(each.record_type)
        if each.subject and known is not None:
            if session.visibility.criterion(known, known.table) is None:
                found[each.id] = each.subject
            else:
                asked[known.name].append(each)
    for name, rows in asked.items():
        cls: Any = session.types[name].cls
        seen: set[int] = set()
        for part in in_parts(sorted({each.record_id for each in rows})):
            seen.update(session.scalars(select(cls.id).where(cls.id.in_(part)), execution_options={"all_dates": True}))
        found.update((each.id, each.subject) for each in rows if each.record_id in seen)
    return found
