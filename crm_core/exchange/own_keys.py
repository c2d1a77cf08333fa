"""Keys of cards and events: those that came with them, and the ``UID`` that says which record of ours one is.

What was imported keeps the ``UID`` that it came with, so that whoever it came from knows it again. Anything else has
one of ours, which stays the same for the life of the record, and is recognised when the file comes back; a record of
another database with the same number has another one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import not_, or_, select

from crm_core.domain.external import ExternalRef
from crm_core.errors import PermissionDenied
from crm_core.store.marks import ERASED

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["fitting", "given_uids", "made_up", "may_read_keys", "own_id", "uid_of"]

_LONGEST = 200
_TOO_LONG = "sha256:"
_DIGESTS = ("card:", "event:", _TOO_LONG, ERASED)
"""How keys begin that nobody gave: what was read had none, or one that was too long, or it was erased."""

_OWN = re.compile(r"([a-z][a-z0-9_.]*)-(\d{1,19})-([0-9a-f]{16})@crm-core")


def uid_of(record: Any) -> str:
    """The key of a record that was read."""
    name = record.crm_type.name
    return f"{name}-{record.id}-{_mark(name, record)}@crm-core"


def own_id(uid: str, name: str) -> int | None:
    """Which record of type ``name`` a key may stand for; whether it does, :func:`uid_of` of the record tells."""
    found = _OWN.fullmatch(uid)
    return int(found[2]) if found is not None and found[1] == name and int(found[2]) < 2**63 else None


def made_up(name: Literal["card", "event"], content: str) -> str:
    """A key for what came without one: the same for the same content."""
    return f"{name}:{hashlib.sha256(content.encode()).hexdigest()[:40]}"


def fitting(key: str) -> str:
    """A key as it is kept: a digest in place of one that is too long."""
    return key if len(key) <= _LONGEST else _TOO_LONG + hashlib.sha256(key.encode()).hexdigest()


def may_read_keys(session: CrmSession) -> None:
    """Raise :class:`~crm_core.errors.PermissionDenied` for whoever may not read the keys of other systems."""
    if not session.visibility.reach("external_ref.read").all:
        raise PermissionDenied(
            "{principal} may not read the keys of other systems.",
            mend="Leave them out, or use a role with the permission external_ref.read at scope all.",
            principal=session.actor.principal,
        )


def given_uids(session: CrmSession, name: str, ids: Collection[int], system: str) -> dict[int, str]:
    """The ``UID`` under which each of these records of type ``name`` came from another ``system``, by one statement.

    Whoever sees a record may know the ``UID`` that an address book or calendar gave it: it says nothing of anything
    else. Those of a system that was chosen are for whoever :func:`may_read_keys`.
    """
    if session.as_of is not None or not ids:
        return {}
    looking = session if session.actor.system else session.as_system("keys of what is written")
    query = (
        select(ExternalRef.record_id, ExternalRef.key)
        .where(
            ExternalRef.system == system, ExternalRef.record_type == name, ExternalRef.record_id.in_(sorted(ids)),
            not_(or_(*(ExternalRef.key.startswith(each) for each in _DIGESTS))),
        )
        .order_by(ExternalRef.id.desc())
    )  # fmt: skip
    return {row.record_id: row.key for row in looking.execute(query)}


def _mark(name: str, record: Any) -> str:
    words = f"{name} {record.id} {record.created_at.isoformat()}"
    return hashlib.sha256(words.encode()).hexdigest()[:16]
