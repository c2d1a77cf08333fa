"""Erasing personal data: values are replaced by a tombstone in rows and journal; this alone is final."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from crm_core.errors import Conflict, PermissionDenied, ValidationError
from crm_core.records import Record, RecordType
from crm_core.store.absent import Absent
from crm_core.store.erasing.blanking import Blanking, custom_names, personal_names
from crm_core.store.erasing.concerned import anchors, identities, mentioned, present
from crm_core.store.erasing.copies import blank_copies
from crm_core.store.erasing.raw import erase_raw
from crm_core.store.erasing.texts import blank_errors, blank_reasons
from crm_core.store.journal import Entry
from crm_core.store.marks import ERASED
from crm_core.store.partitions.whole import whole
from crm_core.store.parts import in_parts
from crm_core.store.values import column_values, key_column

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["ERASED", "erase", "erase_again", "erase_texts", "erased_key", "is_erased", "tombstone"]

_KEY = frozenset({"key"})
_ERASED_AT = "erased_at"


def erase(session: CrmSession, record: Record, reason: str) -> int:
    """Erase the personal data of a record and of what hangs on it; see :func:`crm_core.domain.contacts.erase`."""
    _begin(session, record, reason)
    with whole(session):
        blanking = _erase(session, record.crm_type, record.id, rows=True)
    _finish(session)
    return blanking.changed


def erase_again(session: CrmSession, record_type: RecordType, id_: int) -> int:
    """Blank in the journal what is personal of somebody who was erased: something of it came back."""
    return _erase(session, record_type, id_, rows=False).changed


def _erase(session: CrmSession, record_type: RecordType, id_: int, *, rows: bool) -> Blanking:
    """Blank the journal of a person, and (``rows``) what lies in the tables of them."""
    blanking = Blanking(session)
    persons, hooks = identities(session, record_type, id_), anchors(session, record_type)
    blank_copies(blanking, record_type, persons)  # while the journal still says what was copied
    if rows:
        _erase_rows(session, record_type, {id_}, {_ERASED_AT: session.clock()})
    blanking.whole(record_type, persons)
    once = mentioned(session, hooks, persons)
    for other, each in hooks.items():
        names = _KEY if other.name == "external_ref" else None
        here = present(session, other, each, persons)
        if not rows:
            pass
        elif isinstance(other, Absent):
            erase_raw(session, other, here)
        elif names is None:
            _erase_rows(session, other, here)
        else:
            _erase_keys(session, here)
        blanking.whole(other, here | (persons if other.extends == record_type.name else set()), names)
        blanking.while_theirs(other, once.get(other.name, set()) - here, each, persons, names)
    blank_reasons(blanking)
    blank_errors(session, blanking.texts)
    return blanking


def erase_texts(session: CrmSession, record: Record, names: Iterable[str], reason: str) -> int:
    """Erase some texts of a record; see :func:`crm_core.domain.contacts.erase_texts`."""
    record_type = record.crm_type
    wanted = [record_type.field(name) for name in names]
    for field in wanted:
        if field.kind.python != "str" and not field.optional:
            raise ValidationError(
                "{record}.{field} is no text, and cannot be empty.",
                mend="Correct its value instead, or delete the record.",
                record=record_type.name,
                field=field.name,
            )
    _begin(session, record, reason)
    blanking = Blanking(session)
    _write(session, record_type, {record.id}, {field.name: None if field.optional else ERASED for field in wanted})
    columns = {name for field in wanted for name in (field.name, key_column(field), *field.column_names)}
    with whole(session):
        blanking.whole(record_type, {record.id}, frozenset(columns))
    _finish(session)
    return blanking.changed


def is_erased(record_type: RecordType, values: Mapping[str, Any]) -> bool:
    """Whether these values of a record are what an erasure left."""
    return values.get(_ERASED_AT) is not None or any(
        field.personal and values.get(field.name) == ERASED for field in record_type.fields
    )


def tombstone(record_type: RecordType) -> dict[str, Any]:
    """The values that replace the personal fields of a record."""
    return {field.name: None if field.optional else ERASED for field in record_type.fields if field.personal}


def erased_key(system: str, record_type: str, key: str) -> str:
    """What stands in place of the key of an erased record; it tells only whether somebody else has the same key."""
    if key.startswith(ERASED):
        return key
    return f"{ERASED} {sha256(f'{system}|{record_type}|{key}'.encode()).hexdigest()[:40]}"


def _begin(session: CrmSession, record: Record, reason: str) -> None:
    permission = record.crm_type.permission("erase")
    if not session.visibility.reach(permission).all:
        raise PermissionDenied(
            "{principal} may not erase personal data.",
            mend="A role with the permission {permission} at scope all is needed.",
            principal=session.actor.principal,
            permission=permission,
        )
    if session.new or session.dirty or session.deleted or session.writer.log:
        raise Conflict("An erasure stands alone.", mend="Commit the other changes of this session first.")
    session.reason, session.source = reason, "erasure"


def _finish(session: CrmSession) -> None:
    session.writer.checked = len(session.writer.log)
    session.expire_all()
    session.commit()
    session.store.scrub()


def _erase_rows(
    session: CrmSession, record_type: RecordType, ids: set[int], more: Mapping[str, dt.datetime] | None = None
) -> None:
    """Put tombstones into the rows of records, and ``more`` beside them where the type has such fields."""
    if not personal_names(session, record_type):
        return
    values = tombstone(record_type) | {
        name: value for name, value in (more or {}).items() if name in record_type.by_name
    }
    _write(session, record_type, ids, values)
    names = custom_names(session, record_type)
    for part in in_parts(sorted(ids if names else ())):
        for id_, old in session.writer.rows(record_type, part).items():
            had = old.get("custom") or {}
            if names & had.keys():
                kept = {name: value for name, value in had.items() if name not in names}
                table = record_type.table
                session.core(update(table).where(table.c.id == id_).values(custom=kept))


def _write(session: CrmSession, record_type: RecordType, ids: set[int], values: Mapping[str, Any]) -> None:
    """Write the same values into rows and the log; what stood there is not said again."""
    table = record_type.table
    row: dict[str, Any] = {}
    for name, value in values.items():
        row |= column_values(record_type.by_name[name], value)
    before = {name: None if name == _ERASED_AT else ERASED for name in values}
    for part in in_parts(sorted(ids)):
        old = session.writer.rows(record_type, part)
        session.core(
            update(table)
            .where(table.c.id.in_(part))
            .values(**row, version=table.c.version + 1, updated_at=session.clock())
        )
        session.writer.log += [
            Entry(record_type, record_type.name, id_, "update", dict(before), dict(values), old[id_]["version"] + 1)
            for id_ in part
        ]


def _erase_keys(session: CrmSession, ids: set[int]) -> None:
    """Keys in other systems may be e-mail addresses: a digest replaces them, by which an import knows them again."""
    table = session.types["external_ref"].table
    for part in in_parts(sorted(ids)):
        for row in session.core(select(table).where(table.c.id.in_(part))).all():
            key = erased_key(row.system, row.record_type, row.key)
            session.core(update(table).where(table.c.id == row.id).values(key=key))
