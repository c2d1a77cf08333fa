"""Which records were made in the current transaction: their maker goes on writing them before anybody owns them."""

from __future__ import annotations

from collections.abc import Iterable, Set

from crm_core.records import RecordType
from crm_core.store.journal import Entry

__all__ = ["Created"]

_NONE: frozenset[int] = frozenset()
_LIMIT = 20_000


class Created:
    """Ids by record type: an extension has the id of the record it extends, and making the one is not the other."""

    def __init__(self) -> None:
        self._ids: dict[str, set[int]] = {}

    def of(self, record_type: RecordType) -> Set[int]:
        """The ids of one type."""
        return self._ids.get(record_type.name, _NONE)

    def add(self, record_type: RecordType, ids: Iterable[int]) -> set[int]:
        """Take in ids; returns those that are new."""
        held = self._ids.setdefault(record_type.name, set())
        fresh = set(ids) - held
        held |= fresh
        return fresh

    def shrink(self, record_type: RecordType, latest: Iterable[int]) -> bool:
        """Forget all but the ``latest`` of a long import, whose earlier records are found in the database."""
        if len(self.of(record_type)) <= _LIMIT:
            return False
        self._ids[record_type.name] = set(latest)
        return True

    def discard(self, record_type: RecordType, ids: Iterable[int]) -> None:
        """These were not made after all."""
        if record_type.name in self._ids:
            self._ids[record_type.name].difference_update(ids)

    def undo(self, entries: Iterable[Entry]) -> None:
        """What these entries made is rolled back."""
        for entry in entries:
            if entry.operation == "create" and entry.type is not None:
                self.discard(entry.type, (entry.id,))

    def clear(self) -> None:
        """The transaction has ended."""
        self._ids.clear()
