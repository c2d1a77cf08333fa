"""Erasing personal data: values are replaced by a tombstone in rows and journal; this alone is final."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select, update

from crm_core.domain.redirects import Redirect
from crm_core.errors import Conflict, PermissionDenied
from crm_core.records import Record, RecordType
from crm_core.store.dependants import RAW
from crm_core.store.journal import Entry
from crm_core.store.marks import ERASED
from crm_core.store.tables import CHANGE
from crm_core.store.values import column_values, decode_values, encode_values, key_column

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["ERASED", "erase", "erase_journal", "erased_key", "is_erased", "tombstone"]


def erase(session: CrmSession, record: Record, reason: str) -> int:
    """Erase the personal data of a record and of what hangs on it; see :func:`crm_core.domain.contacts.erase`."""
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
    rewritten = 0
    for record_type, ids in _concerned(session, record):
        values = tombstone(record_type)
        old = session.writer.rows(record_type, ids)
        entries = [
            Entry(record_type, record_type.name, id_, "update", dict.fromkeys(values, ERASED), dict(values),
                  old[id_]["version"] + 1)
            for id_ in sorted(ids)
        ]  # fmt: skip
        row: dict[str, Any] = {}
        for name, value in values.items():
            row |= column_values(record_type.by_name[name], value)
        session.core(
            update(record_type.table)
            .where(record_type.table.c.id.in_(sorted(ids)))
            .values(**row, version=record_type.table.c.version + 1, updated_at=session.clock())
        )
        _erase_custom(session, record_type, old)
        rewritten += erase_journal(session, record_type, ids)
        session.writer.log += entries
    merged = _merged_into(session, record)
    if merged:
        rewritten += erase_journal(session, record.crm_type, merged)
        for extension in session.types.extensions(record.crm_type.name):
            rewritten += erase_journal(session, extension, merged)
    for record_type, gone in _once_concerned(session, record, {record.id, *merged}):
        rewritten += erase_journal(session, record_type, gone)
    rewritten += _erase_keys(session, record.id)
    session.writer.checked = len(session.writer.log)
    session.expire_all()
    session.commit()
    session.store.scrub()
    return rewritten


def _custom_names(session: CrmSession, record_type: RecordType) -> frozenset[str]:
    """The personal custom fields of a type in this build."""
    fields = session.policy.custom.get(record_type.name, {})
    return frozenset(name for name, field in fields.items() if field.personal)


def _is_personal(session: CrmSession, record_type: RecordType) -> bool:
    return any(field.personal for field in record_type.fields) or bool(_custom_names(session, record_type))


def _erase_custom(session: CrmSession, record_type: RecordType, rows: dict[int, dict[str, Any]]) -> None:
    """Take the personal custom fields out of rows."""
    names = _custom_names(session, record_type)
    table = record_type.table
    for id_, values in rows.items():
        had = values.get("custom") or {}
        if names & had.keys():
            kept = {name: value for name, value in had.items() if name not in names}
            session.core(update(table).where(table.c.id == id_).values(custom=kept))


def _concerned(session: CrmSession, record: Record) -> list[tuple[RecordType, set[int]]]:
    """The record, its extensions, and the records with personal fields that refer to it."""
    record_type = record.crm_type
    found: list[tuple[RecordType, set[int]]] = [(record_type, {record.id})]
    for other in session.types.values():
        if not _is_personal(session, other):
            continue
        columns = [field.name for field in other.refs if field.target == record_type.name]
        columns += ["id"] if other.extends == record_type.name else []
        ids = {
            id_
            for column in columns
            for id_ in session.core(select(other.table.c.id).where(other.table.c[column] == record.id)).scalars()
        }
        if ids:
            found.append((other, ids))
    return found


def _merged_into(session: CrmSession, record: Record) -> set[int]:
    """What was merged into the record: the same person, of whom only the journal still tells."""
    redirect = Redirect.crm_type.table
    query = select(redirect.c.source_id).where(
        redirect.c.record_type == record.crm_type.name, redirect.c.target_id == record.id
    )
    return set(session.core(query).scalars()) if Redirect.crm_type.name in session.types else set()


def _once_concerned(session: CrmSession, record: Record, persons: set[int]) -> list[tuple[RecordType, set[int]]]:
    """Records with personal fields that referred to it and were deleted since: only the journal still has them."""
    found: list[tuple[RecordType, set[int]]] = []
    for other in session.types.values():
        columns = [field.name for field in other.refs if field.target == record.crm_type.name]
        if not columns or not _is_personal(session, other):
            continue
        patterns = [
            f'"{column}":{person}{end}' for column in columns for person in sorted(persons) for end in (",", "}")
        ]
        sides = (CHANGE.c.before, CHANGE.c.after)
        mentions = or_(*(side.contains(pattern, autoescape=True) for pattern in patterns for side in sides))
        query = select(CHANGE.c.record_id).where(CHANGE.c.type == other.name, CHANGE.c.operation != "update", mentions)
        ids = set(session.core(query).scalars())
        ids -= session.writer.rows(other, ids).keys()
        if ids:
            found.append((other, ids))
    return found


def _erase_keys(session: CrmSession, record_id: int) -> int:
    """Keys in other systems may be e-mail addresses: a digest replaces them, by which an import knows them again."""
    external = session.types["external_ref"]
    ids = set(session.core(select(external.table.c.id).where(external.table.c.record_id == record_id)).scalars())
    for id_ in ids:
        row = session.core(select(external.table).where(external.table.c.id == id_)).one()
        key = erased_key(row.system, row.record_type, row.key)
        session.core(update(external.table).where(external.table.c.id == id_).values(key=key))
    return erase_journal(session, external, ids, frozenset({"key"})) if ids else 0


def erased_key(system: str, record_type: str, key: str) -> str:
    """What stands in place of the key of an erased record; it tells only whether somebody else has the same key."""
    if key.startswith(ERASED):
        return key
    return f"{ERASED} {sha256(f'{system}|{record_type}|{key}'.encode()).hexdigest()[:40]}"


def is_erased(record_type: RecordType, values: Mapping[str, Any]) -> bool:
    """Whether these values of a record are what an erasure left."""
    return values.get("erased_at") is not None or any(
        field.personal and values.get(field.name) == ERASED for field in record_type.fields
    )


def tombstone(record_type: RecordType) -> dict[str, Any]:
    """The values that replace the personal fields of a record."""
    return {field.name: None if field.optional else ERASED for field in record_type.fields if field.personal}


def erase_journal(
    session: CrmSession, record_type: RecordType, ids: set[int], names: frozenset[str] | None = None
) -> int:
    """Replace the personal values of records in every journal row; returns how many rows changed."""
    personal = names or frozenset(
        name
        for field in record_type.fields
        if field.personal
        for name in (field.name, key_column(field), *field.column_names)  # the columns, where a row was kept raw
    )
    custom = _custom_names(session, record_type)
    rows = session.core(
        select(CHANGE.c.change_set_id, CHANGE.c.position, CHANGE.c.before, CHANGE.c.after).where(
            CHANGE.c.record_id.in_(sorted(ids)), CHANGE.c.type == record_type.name
        )
    ).all()
    changed = []
    for row in rows:
        before, after = _cleaned(row.before, personal, custom), _cleaned(row.after, personal, custom)
        if (before, after) != (row.before, row.after):
            changed.append(
                {"b_set": row.change_set_id, "b_position": row.position, "b_before": before, "b_after": after}
            )
    if changed:
        session.core(
            update(CHANGE)
            .where(CHANGE.c.change_set_id == bindparam("b_set"), CHANGE.c.position == bindparam("b_position"))
            .values(before=bindparam("b_before"), after=bindparam("b_after")),
            changed,
        )
    return len(changed)


def _cleaned(text: str | None, personal: frozenset[str], custom: frozenset[str]) -> str | None:
    if text is None:
        return None
    values = decode_values(None, text)
    cleaned = _blank(values, personal, custom)
    if RAW in values:
        cleaned[RAW] = _blank(values[RAW], personal, custom)
    return encode_values(cleaned) if cleaned != values else text


def _blank(values: dict[str, Any], personal: frozenset[str], custom: frozenset[str]) -> dict[str, Any]:
    blank = {name: ERASED if name in personal and value is not None else value for name, value in values.items()}
    own = values.get("custom")
    if isinstance(own, dict):
        blank["custom"] = _blank(own, custom, frozenset())
    return blank
