"""What merges wrote of a person into the records of somebody else, which is there still when they are taken apart.

A merge copies from the source to what stays. As long as the two are one, what stays is the person; but once they are
two again, the other one's journal holds values that were never theirs.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from sqlalchemy import Row, or_, select

from crm_core.domain.redirects import Redirect
from crm_core.records import RecordType
from crm_core.store.erasing.blanking import Blanking, flat, personal_names
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["blank_copies"]

Value: TypeAlias = "tuple[str, str, str]"
"""Record type, field, and the value in words."""


@attrs.frozen
class _Merge:
    """One merge of a record that went, and what took it apart again, if anything did."""

    source_id: int
    target_id: int
    made: int
    at: dt.datetime
    undone: int | None
    until: dt.datetime | None


@attrs.frozen
class _Step:
    """A record whose copies are looked for: all that it is, or only what came to it from the person, while it did."""

    id: int
    values: frozenset[Value] | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


def blank_copies(blanking: Blanking, record_type: RecordType, persons: set[int]) -> None:
    """Blank in the journals of others what merges copied to them from any of ``persons``, and from there to others."""
    if Redirect.crm_type.name not in blanking.session.types:
        return
    work = [_Step(id_) for id_ in sorted(persons)]
    seen: set[tuple[int, int]] = set()
    while work:
        step = work.pop()
        for merge in _merges(blanking.session, record_type, step.id):
            inside = (step.since is None or merge.at >= step.since) and (step.until is None or merge.at <= step.until)
            if inside and (step.id, merge.made) not in seen:
                seen.add((step.id, merge.made))
                copied = _blank(blanking, merge, step.values)
                if copied:
                    work.append(_Step(merge.target_id, copied, merge.at, merge.until))


def _merges(session: CrmSession, record_type: RecordType, id_: int) -> list[_Merge]:
    """The merges in which a record was the one that went, whether they were taken apart or not."""
    query = (
        select(CHANGE, CHANGE_SET.c.at)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(
            CHANGE.c.type == Redirect.crm_type.name,
            CHANGE.c.operation != "update",
            or_(
                *(
                    side.contains(f'"source_id":{id_}{end}', autoescape=True)
                    for side in (CHANGE.c.before, CHANGE.c.after)
                    for end in (",", "}")
                )
            ),
        )
        .order_by(CHANGE.c.record_id, CHANGE.c.version)
    )
    rows = session.core(query).all()
    found = []
    for number, row in enumerate(rows):
        values = decode_values(None, row.after)
        if row.operation != "create" or values.get("record_type") != record_type.name:
            continue
        # Nothing but its end comes after its beginning: a redirect that came back has a life of its own each time.
        end = next((each for each in rows[number + 1 : number + 2] if each.record_id == row.record_id), None)
        found.append(
            _Merge(
                values["source_id"],
                values["target_id"],
                row.change_set_id,
                row.at,
                None if end is None else end.change_set_id,
                None if end is None else end.at,
            )
        )
    return found


def _blank(blanking: Blanking, merge: _Merge, only: frozenset[Value] | None) -> frozenset[Value]:
    """Blank what one merge copied: where it wrote it, and afterwards until it was replaced or the merge undone."""
    session = blanking.session
    blanking.theirs.update({set_id: 0 for set_id in (merge.made, merge.undone) if set_id is not None})
    written: defaultdict[RecordType, dict[int, tuple[int, dict[str, Any]]]] = defaultdict(dict)
    copied: set[Value] = set()
    for row in session.core(select(CHANGE).where(CHANGE.c.change_set_id == merge.made)):
        record_type = session.types.get(row.type)
        personal = personal_names(session, record_type) if record_type is not None else frozenset()
        values = {
            name: value
            for name, value in flat(decode_values(None, row.after)).items()
            if name in personal and value is not None and (only is None or _value(row.type, name, value) in only)
        }
        if record_type is not None and values:
            written[record_type][row.record_id] = (row.version, values)
            copied.update(_value(row.type, name, value) for name, value in values.items())
    for record_type, records in written.items():
        for id_, (version, values) in records.items():
            _blank_record(blanking, record_type, id_, version, values, merge.undone)
    return frozenset(copied)


def _blank_record(
    blanking: Blanking, record_type: RecordType, id_: int, version: int, values: Mapping[str, Any], undone: int | None
) -> None:
    query = (
        select(CHANGE)
        .where(CHANGE.c.record_id == id_, CHANGE.c.type == record_type.name, CHANGE.c.version >= version)
        .order_by(CHANGE.c.version, CHANGE.c.position)
    )

    def copy(name: str, value: Any) -> bool:
        return name in values and values[name] == value

    def nothing(_name: str, _value: Any) -> bool:
        return False

    work: list[tuple[Row[Any], Any, Any]] = []
    for row in blanking.session.core(query):
        if undone is not None and row.change_set_id == undone:
            work.append((row, copy, nothing))
            break
        # What stood there before the merge was not a copy, even if it said the same.
        work.append((row, copy if work else nothing, copy))
    blanking.write(record_type, work)


def _value(type_name: str, name: str, value: Any) -> Value:
    return type_name, name, repr(value)
