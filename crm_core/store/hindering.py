"""What stands in the way of a deletion: its type is named to whoever sees a part of it, and to nobody else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from crm_core.errors import Conflict
from crm_core.records import RecordType
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["known_type", "sees_one", "still_referred", "would_go_along"]

_MEND = "Hand those over or delete them first."
_ASK = "Ask somebody who sees more, such as an administrator, to hand those over or to delete them."


def sees_one(session: CrmSession, record_type: RecordType, ids: Collection[int]) -> bool:
    """Whether the actor sees at least one of these records, or made it just now; looks no further than to the first."""
    if session.actor.system:
        return bool(ids)
    if not session.writer.created.of(record_type).isdisjoint(ids):
        return True
    return any(session.writer.visible_ids(record_type, part) for part in in_parts(sorted(ids)))


def known_type(session: CrmSession, rows: Mapping[RecordType, Collection[int]]) -> RecordType | None:
    """The first type, by name, of which the actor sees at least one of the rows.

    By name, so that it does not depend on rows that are out of sight in what order they were met.
    """
    ordered = sorted(rows, key=lambda each: each.name)
    return next((each for each in ordered if sees_one(session, each, rows[each])), None)


def still_referred(session: CrmSession, rows: Mapping[RecordType, Collection[int]]) -> Conflict:
    """The refusal of a deletion because of these rows, as far as the actor may be told."""
    known = known_type(session, rows)
    if known is None:
        return Conflict("It is still referred to by records that you do not see.", mend=_ASK)
    return Conflict("It is still referred to by records of type {record}.", mend=_MEND, record=known.name)


def would_go_along(session: CrmSession, rows: Mapping[str, Collection[int]]) -> Conflict:
    """The refusal of a merge that would take these rows along; those of plugins that are not in the build, nobody sees.

    ``rows`` are by the name of their type; a type of which there are none is nothing.
    """
    there = {name: ids for name, ids in rows.items() if ids}
    types = session.types
    known = known_type(session, {types[name]: ids for name, ids in there.items() if name in types})
    name = min(there) if session.actor.system else known.name if known is not None else None
    if name is None:
        return Conflict("Records that you do not see would go with it.", mend=_ASK)
    return Conflict("Records of type {record} would go with it.", mend=_MEND, record=name)
