"""What an undo reads of the journal before it begins: the rows of the change set, and whether it was undone already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select

from crm_core.store.tables import CHANGE, CHANGE_SET

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["pages", "standing"]

_PAGE = 1000


def standing(session: CrmSession, change_set_id: int) -> int | None:
    """The undo of a change set that has not itself been undone."""
    undoes = session.core(select(CHANGE_SET.c.id).where(CHANGE_SET.c.undoes == change_set_id).order_by(CHANGE_SET.c.id))
    return next((each for each in undoes.scalars().all() if standing(session, each) is None), None)


def pages(session: CrmSession, change_set_id: int) -> Iterator[Sequence[Row[Any]]]:
    """The change set's rows, last first."""
    position: int | None = None
    while True:
        query = select(CHANGE).where(CHANGE.c.change_set_id == change_set_id)
        if position is not None:
            query = query.where(CHANGE.c.position < position)
        rows = session.core(query.order_by(CHANGE.c.position.desc()).limit(_PAGE)).all()
        if not rows:
            return
        position = rows[-1].position
        yield rows
