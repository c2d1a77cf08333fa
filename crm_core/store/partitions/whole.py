"""The journal with the parts that are kept beside it, for whoever must reach all of it: an erasure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from crm_core.store.partitions.changing import guarded, take_turns
from crm_core.store.partitions.layout import REST
from crm_core.store.partitions.moving import erasures, put_back, take_out
from crm_core.store.tables import JOURNAL_PART

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["out_of_reach", "whole"]


@contextmanager
def whole(session: CrmSession) -> Iterator[None]:
    """Within the session's transaction, let the parts that are kept belong to the journal again.

    Nobody else sees it: they are detached before the commit. Raises :class:`~crm_core.errors.Conflict` where others
    work with the journal for long.
    """
    kept = []
    if session.dialect == "postgresql":
        query = select(JOURNAL_PART.c.number, JOURNAL_PART.c.cut).where(JOURNAL_PART.c.file.is_(None))
        kept = list(session.core(query.order_by(JOURNAL_PART.c.number)).all())
    if not kept:
        yield
        return
    connection = session.core_connection()
    # Also what is done meanwhile waits for nobody for long: the journal is ours, and whoever has something else may
    # be waiting for it.
    with guarded():
        take_turns(connection)
        staying = erasures(connection, REST)
        for row in kept:
            put_back(connection, row.number)
        yield
        for row in kept:
            take_out(connection, row.number, row.cut, staying)
        session.core(text("SET LOCAL lock_timeout TO DEFAULT"))


def out_of_reach(session: CrmSession) -> list[str]:
    """The files in which parts of the journal are: what an erasure cannot reach until they are attached again."""
    if session.dialect != "postgresql":
        return []
    query = select(JOURNAL_PART.c.file).where(JOURNAL_PART.c.file.is_not(None)).order_by(JOURNAL_PART.c.number)
    return list(session.core(query).scalars())
