"""Which records were merged into others: told to whoever sees those."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.domain.redirects import Redirect
from crm_core.records import RecordType

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["merges_into"]


def merges_into(
    session: CrmSession, record_type: RecordType, ids: Sequence[int], until: dt.datetime | None, limit: int
) -> list[Any]:
    """The latest redirects that lead to records which the actor sees: rows of id, target and moment, no names.

    Redirects themselves are for administrators; that something was merged into a record is told with the record.
    """
    row = Redirect.crm_type.table
    visible = sorted(session.writer.visible_ids(record_type, set(ids)))
    query = (
        select(row.c.id, row.c.target_id, row.c.at)
        .where(row.c.record_type == record_type.name, row.c.target_id.in_(visible))
        .order_by(row.c.at.desc(), row.c.id.desc())
        .limit(limit)
    )
    if until is not None:
        query = query.where(row.c.at < until)
    return list(session.core(query))
