"""Which records were merged into others: told to whoever sees those."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from crm_core.domain.redirects import Redirect
from crm_core.fields.columns import BIGINT, Moment
from crm_core.records import RecordType
from crm_core.store.quick import quickly

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["merges_into"]


def merges_into(
    session: CrmSession, record_type: RecordType, ids: Sequence[int], until: dt.datetime | None, limit: int
) -> list[Any]:
    """The latest redirects that lead to records which the actor sees: rows of id, target and moment, no names.

    Redirects themselves are for administrators; that something was merged into a record is told with the record.
    """
    given: dict[str, Any] = {"type": record_type.name, "ids": list(ids)}
    if not quickly(session.core_connection(), _any(), given).all():
        return []  # as it is of most records
    visible = list(session.scalars(_seen(record_type), {"ids": list(ids)}, execution_options={"all_dates": True}))
    given.update(ids=visible, until=until, most=limit)
    return list(session.core(_merged(until is not None), given))


# Made once: to put them together takes longer than to run them.
_IDS: Any = bindparam("ids", type_=BIGINT, expanding=True)


@functools.cache
def _any() -> Any:
    row = Redirect.crm_type.table
    return select(row.c.id).where(row.c.record_type == bindparam("type"), row.c.target_id.in_(_IDS))


@functools.cache
def _seen(record_type: RecordType) -> Any:
    record: Any = record_type.cls
    return select(record.id).where(record.id.in_(_IDS))


@functools.cache
def _merged(until: bool) -> Any:
    row = Redirect.crm_type.table
    query = (
        select(row.c.id, row.c.target_id, row.c.at)
        .where(row.c.record_type == bindparam("type"), row.c.target_id.in_(_IDS))
        .order_by(row.c.at.desc(), row.c.id.desc())
        .limit(bindparam("most", type_=BIGINT))
    )
    return query.where(row.c.at < bindparam("until", type_=Moment())) if until else query
