"""Keys that we give to others: the ``UID`` of a card or an event that says which record of ours it is.

It stays the same for the life of the record, and is recognised when the file comes back. A record of another database
with the same number has another one.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

__all__ = ["own_id", "uid_of"]

_OWN = re.compile(r"([a-z][a-z0-9_.]*)-(\d{1,19})-([0-9a-f]{16})@crm-core")


def uid_of(record: Any) -> str:
    """The key of a record that was read."""
    name = record.crm_type.name
    return f"{name}-{record.id}-{_mark(name, record)}@crm-core"


def own_id(uid: str, name: str) -> int | None:
    """Which record of type ``name`` a key may stand for; whether it does, :func:`uid_of` of the record tells."""
    found = _OWN.fullmatch(uid)
    return int(found[2]) if found is not None and found[1] == name and int(found[2]) < 2**63 else None


def _mark(name: str, record: Any) -> str:
    words = f"{name} {record.id} {record.created_at.isoformat()}"
    return hashlib.sha256(words.encode()).hexdigest()[:16]
