"""What an undo will change, held before any of it is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.records import RecordType
from crm_core.store.locking import all_at_once, in_turn
from crm_core.store.tables import CHANGE

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["hold"]


def hold(session: CrmSession, change_set_id: int, only: Mapping[str, Collection[int]] | None, *, large: bool) -> None:
    """Wait for whoever is changing what is to be taken back; a ``large`` undo takes its turn, like an import."""
    if session.dialect != "postgresql":
        return
    here = CHANGE.c.change_set_id == change_set_id
    if large:
        names = session.core(select(CHANGE.c.type).where(here).distinct()).scalars()
        in_turn(session, [session.types[name] for name in names if name in session.types])
        return
    changing: defaultdict[RecordType, set[int]] = defaultdict(set)
    going: defaultdict[RecordType, set[int]] = defaultdict(set)
    rows: Any = session.core(select(CHANGE.c.type, CHANGE.c.operation, CHANGE.c.record_id).where(here)).all()
    for name, operation, id_ in rows:
        record_type = session.types.get(name)
        if record_type is not None and (only is None or id_ in only.get(name, ())):
            (going if operation == "create" else changing)[record_type].add(id_)
    all_at_once(session, changing, going)
