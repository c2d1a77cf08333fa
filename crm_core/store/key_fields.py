"""Key fields: in whatever way a record is written, only stewards (and the system) change what the build guards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from crm_core.domain.quality import DECIDE, require_proposal
from crm_core.errors import PermissionDenied
from crm_core.records import RecordType

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["check_key_fields", "check_proposals", "guarded", "not_steward_of", "require_steward", "touched"]


def guarded(session: CrmSession, record_type: RecordType) -> frozenset[str]:
    """The fields of a type that the actor must not change without being its steward; none for the system."""
    key_fields = session.policy.steward.key_fields
    if not key_fields or session.actor.system or session.writer.is_kernel:
        return frozenset()
    return frozenset(key_fields.get(record_type.name, ()))


def touched(change: Mapping[str, Any], names: frozenset[str]) -> frozenset[str]:
    """Those of the fields (or custom fields) ``names`` that a change touches."""
    return names & (change.keys() | (change.get("custom") or {}).keys())


def check_key_fields(
    session: CrmSession, record_type: RecordType, changes: Iterable[tuple[int, Mapping[str, Any]]]
) -> None:
    """Refuse changes of key fields by whoever is no steward of the record; what is new may still be shaped."""
    names = guarded(session, record_type)
    if not names:
        return
    created = session.writer.created.of(record_type)
    concerned = {id_: found for id_, change in changes if id_ not in created and (found := touched(change, names))}
    missing = not_steward_of(session, record_type, concerned)
    if missing:
        first = min(missing)
        field = min(concerned[first])
        raise PermissionDenied(
            "{field} of the {record} {id} is a key field: only a steward changes it.",
            mend="Propose it: crm quality propose {record} {id} {field}=...",
            record=record_type.name,
            id=first,
            field=field,
        )


def check_proposals(session: CrmSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """A proposal that is written by hand is about the record that it is shown for, too."""
    if not session.writer.is_kernel:  # a merge turns what it moves in several steps
        for row in rows:
            require_proposal(session, row)


def not_steward_of(session: CrmSession, record_type: RecordType, ids: Iterable[int]) -> set[int]:
    """Those of ``ids`` that the actor is no steward of."""
    wanted = set(ids)
    reach = session.visibility.reach(DECIDE)
    if not wanted or reach.all:
        return set()
    if reach.nothing and not reach.share_roles:
        return wanted
    return wanted - session.writer.visible_ids(record_type, wanted, permission=DECIDE)


def require_steward(session: CrmSession, record_type: RecordType, ids: Iterable[int]) -> None:
    """Refuse whoever may not decide about these records."""
    missing = not_steward_of(session, record_type, ids)
    if missing:
        raise PermissionDenied(
            "{principal} is no steward of the {record} {id}.",
            mend="A role with the permission {permission} that reaches it is needed.",
            principal=session.actor.principal,
            record=record_type.name,
            id=min(missing),
            permission=DECIDE,
        )
