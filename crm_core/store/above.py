"""What stands above rows is locked before they are written: first users, then the records by which rows exclude others.

Rules that look at such rows lock it anyway, but only afterwards. Whoever changed a row, and then waited for its
account, would stand against whoever has the account and then comes to its rows, as an import does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership
from crm_core.records import Exclusive, RecordType
from crm_core.store.locking import lock, lock_selected
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.records import Record
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["above_changes", "above_new", "above_work"]


def above_new(session: CrmSession, record_type: RecordType, rows: Iterable[Mapping[str, Any]]) -> None:
    """Lock what stands above rows that are about to be inserted."""
    if session.dialect == "postgresql" and record_type.exclusive:
        wanted = _Above(session)
        for row in rows:
            wanted.add(record_type, row.get, row)
        wanted.lock()


def above_work(session: CrmSession, work: Collection[tuple[Record, Entry]]) -> None:
    """Lock what stands above records that are about to be flushed."""
    if session.dialect != "postgresql":
        return
    wanted = _Above(session)
    for record, entry in work:
        if record.crm_type.exclusive:
            wanted.add(record.crm_type, partial(getattr, record), entry.after)
    wanted.lock()


def above_changes(session: CrmSession, record_type: RecordType, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Lock what stands above rows that are about to be changed, by id; a statement for each of their rules."""
    if session.dialect != "postgresql" or not record_type.exclusive:
        return
    wanted = _Above(session)
    for values in changes.values():
        wanted.add_users(record_type, values)
    wanted.lock()
    table = record_type.table
    given = {name for values in changes.values() for name in values}
    for exclusive in record_type.exclusive:
        target = _target(session, record_type, exclusive)
        if target is None:
            continue
        kept = [table.c[name] == value for name, value in exclusive.when if name not in given]
        for part in in_parts(sorted(changes)):
            lock_selected(session, target, select(table.c[exclusive.fields[0]]).where(table.c.id.in_(part), *kept))
        if exclusive.fields[0] in given:
            lock(session, target, {id_ for each in changes.values() if (id_ := each.get(exclusive.fields[0]))})


def _target(session: CrmSession, record_type: RecordType, exclusive: Exclusive) -> RecordType | None:
    """The type of the record to which all rows belong that a rule holds against each other."""
    field = record_type.by_name.get(exclusive.fields[0])
    return None if field is None or field.target is None else session.types[field.target]


class _Above:
    """What is to be locked."""

    def __init__(self, session: CrmSession) -> None:
        self._session = session
        self._users: set[int] = set()
        self._records: defaultdict[RecordType, set[int]] = defaultdict(set)

    def add(self, record_type: RecordType, value: Callable[[str], Any], given: Mapping[str, Any]) -> None:
        """What stands above a row with such values, some of which are new.

        Of what was created in this transaction nobody else knows: whoever has only that stands in nobody's way.
        """
        created = self._session.writer.created
        for exclusive in record_type.exclusive:
            target = _target(self._session, record_type, exclusive)
            id_ = value(exclusive.fields[0])
            if target is None or id_ is None or id_ in created.of(target):
                continue
            self.add_users(record_type, given)
            if all(value(name) == each for name, each in exclusive.when):
                self._records[target].add(id_)

    def add_users(self, record_type: RecordType, given: Mapping[str, Any]) -> None:
        """Whoever becomes responsible must be active, and stay so until then."""
        session = self._session
        if record_type is not Ownership.crm_type or (session.actor.system and session.source == "import"):
            return
        user_id = given.get("user_id")
        if user_id is not None and user_id != session.actor.user_id:
            self._users.add(user_id)

    def lock(self) -> None:
        """Lock it, users first: as does whoever claims an account, which counts what they have."""
        lock(self._session, User.crm_type, self._users, shared=True)
        for record_type in sorted(self._records, key=lambda each: each.name):
            lock(self._session, record_type, self._records[record_type])
