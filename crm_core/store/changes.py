"""Changes: what a change set did to records, as values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs

from crm_core.records import RecordType

__all__ = ["Change", "ChangeBatch", "ChangeSet", "Operation"]

Operation = Literal["create", "update", "delete"]


@attrs.frozen
class Change:
    """One record's change: the changed fields before and after (a creation has no ``before``, a deletion no ``after``).

    Values are Python values by field name; absent fields are ``None`` or unchanged. A deletion's ``before`` is the
    whole record.
    """

    type: str
    id: int
    operation: Operation
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that changed."""
        return frozenset(self.before) | frozenset(self.after)


@attrs.frozen
class ChangeBatch:
    """All changes of one record type in one change set, in the order in which they happened."""

    type: RecordType
    changes: Sequence[Change]

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def of(self, *operations: Operation) -> list[Change]:
        """The changes with one of these operations."""
        return [change for change in self.changes if change.operation in operations]

    def touching(self, *fields: str) -> list[Change]:
        """The changes that create or delete a record, or change one of ``fields``."""
        wanted = set(fields)
        return [change for change in self.changes if change.operation != "update" or wanted & set(change.after)]


@attrs.frozen
class ChangeSet:
    """Who changed something, when and why: the head of a group of changes that were committed together.

    ``user_id`` is the person behind it (if any), ``principal`` the login or the system principal, ``source`` the way
    it came in (``session``, ``import``, ``undo`` ...).
    """

    id: int
    at: dt.datetime
    user_id: int | None
    principal: str
    reason: str | None
    source: str
    undoes: int | None = None
    changes: Sequence[Change] = ()
