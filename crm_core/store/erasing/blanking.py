"""Blanking values in the journal: whole records, or what they held while they were a person's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from sqlalchemy import Row, bindparam, select, update

from crm_core.store.absent import Absent
from crm_core.store.differences import RAW
from crm_core.store.erasing.concerned import Anchor, Kept
from crm_core.store.marks import ERASED
from crm_core.store.parts import in_parts
from crm_core.store.tables import CHANGE
from crm_core.store.values import decode_values, encode_values, key_column

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Blanking", "custom_names", "flat", "personal_names"]

_CUSTOM = "custom."

Wanted: TypeAlias = Callable[[str, Any], bool]


def custom_names(session: CrmSession, record_type: Kept) -> frozenset[str]:
    """The personal custom fields of a type, as the build or else the catalogue has them."""
    if isinstance(record_type, Absent):
        return record_type.custom
    fields = session.policy.custom.get(record_type.name, {})
    return frozenset(name for name, field in fields.items() if field.personal)


def personal_names(session: CrmSession, record_type: Kept) -> frozenset[str]:
    """Under which names the journal may keep personal values of a type; custom fields as ``custom.<name>``."""
    custom = frozenset(_CUSTOM + name for name in custom_names(session, record_type))
    if isinstance(record_type, Absent):
        return record_type.names | custom
    return custom | frozenset(
        name
        for field in record_type.fields
        if field.personal
        for name in (field.name, key_column(field), *field.column_names)  # the columns, where a row was kept raw
    )


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Journalled values by name, with custom fields as ``custom.<name>``, also of a row that was kept raw."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name == RAW and isinstance(value, Mapping):
            found |= flat(value)
        elif name == "custom":
            found |= {_CUSTOM + key: each for key, each in _custom(value).items()}
        else:
            found[name] = value
    return found


@attrs.define
class Blanking:
    """One erasure's work on the journal.

    ``changed`` counts rewritten rows, ``texts`` gathers the values by which people know the person (fields that are
    personal and searched), and ``theirs`` counts by change set the rows that are about the person.
    """

    session: CrmSession
    changed: int = 0
    texts: set[str] = attrs.field(factory=set)
    theirs: Counter[int] = attrs.field(factory=Counter)

    def whole(self, record_type: Kept, ids: Iterable[int], names: frozenset[str] | None = None) -> None:
        """Blank the personal values (or the fields ``names``) of records in every row of the journal."""
        personal = personal_names(self.session, record_type) if names is None else names

        def wanted(name: str, value: Any) -> bool:
            return name in personal

        for history in self._histories(record_type, ids):
            self.theirs.update(row.change_set_id for row in history)
            self.write(record_type, [(row, wanted, wanted) for row in history])

    def while_theirs(
        self,
        record_type: Kept,
        ids: Iterable[int],
        hooks: Sequence[Anchor],
        persons: set[int],
        names: frozenset[str] | None = None,
    ) -> None:
        """Blank what records held while they referred to one of ``persons``; what they held before and since stays.

        A value that was written then goes with the reference, until another one is written.
        """
        personal = personal_names(self.session, record_type) if names is None else names
        for history in self._histories(record_type, ids):
            place = _place_then(history, hooks)
            carried: dict[str, Any] = {}
            work: list[tuple[Row[Any], Wanted, Wanted]] = []
            for row in history:
                before, after = flat(decode_values(None, row.before)), flat(decode_values(None, row.after))
                was = _place(place, before, row, hooks)
                place = was if row.operation == "delete" else _place(was, after, row, hooks)
                had, has = (any(hook.holds(each, persons) for hook in hooks) for each in (was, place))
                if had or has:
                    self.theirs[row.change_set_id] += 1
                old = _held(personal, had, carried)
                if has:
                    carried |= {name: value for name, value in after.items() if name in personal}
                else:
                    carried = {name: value for name, value in carried.items() if after.get(name, value) == value}
                work.append((row, old, _held(personal, has, carried)))
            self.write(record_type, work)

    def write(self, record_type: Kept, work: Iterable[tuple[Row[Any], Wanted, Wanted]]) -> None:
        """Rewrite journal rows: what is wanted of their values before and after becomes a tombstone."""
        telling = _telling(record_type)
        changed = []
        for row, *wanted in work:
            sides = []
            for text, each in zip((row.before, row.after), wanted, strict=True):
                values = decode_values(None, text)
                gone = _blank(values, each)
                self.texts.update(
                    value for name, value in gone if name in telling and isinstance(value, str) and value.strip()
                )
                sides.append(encode_values(values) if gone else text)
            if sides != [row.before, row.after]:
                changed.append(
                    {"b_set": row.change_set_id, "b_position": row.position, "b_before": sides[0], "b_after": sides[1]}
                )
        if changed:
            self.session.core(
                update(CHANGE)
                .where(CHANGE.c.change_set_id == bindparam("b_set"), CHANGE.c.position == bindparam("b_position"))
                .values(before=bindparam("b_before"), after=bindparam("b_after")),
                changed,
            )
        self.changed += len(changed)

    def _histories(self, record_type: Kept, ids: Iterable[int]) -> Iterator[list[Row[Any]]]:
        for part in in_parts(sorted(ids)):
            query = (
                select(CHANGE)
                .where(CHANGE.c.record_id.in_(part), CHANGE.c.type == record_type.name)
                .order_by(CHANGE.c.record_id, CHANGE.c.version, CHANGE.c.position)
            )
            rows = self.session.core(query).all()
            for _, history in groupby(rows, key=lambda row: row.record_id):
                yield list(history)


def _telling(record_type: Kept) -> Collection[str]:
    if isinstance(record_type, Absent):
        return record_type.telling
    return {field.name for field in record_type.fields if field.personal and field.search}


def _place_then(history: Sequence[Row[Any]], hooks: Sequence[Anchor]) -> dict[str, Any]:
    """Where a record was before its first row that is here: what came before may be detached, and later rows tell."""
    found: dict[str, Any] = {}
    if history[0].operation != "create":
        for row in reversed(history):
            found = _place(found, flat(decode_values(None, row.before)), row, hooks)
    return found


def _place(
    known: Mapping[str, Any], values: Mapping[str, Any], row: Row[Any], hooks: Sequence[Anchor]
) -> dict[str, Any]:
    columns = {column for hook in hooks for column in (hook.column, hook.type_column) if column is not None}
    return {**known, "id": row.record_id, **{name: values[name] for name in columns & values.keys()}}


def _held(personal: frozenset[str], theirs: bool, carried: Mapping[str, Any]) -> Wanted:
    had = dict(carried)
    return lambda name, value: name in personal and (theirs or (name in had and had[name] == value))


def _custom(value: Any) -> dict[str, Any]:
    """Custom fields; a row that was kept raw may hold them as the driver gave them."""
    if isinstance(value, str):
        value = decode_values(None, value)
    return value if isinstance(value, dict) else {}


def _blank(values: dict[str, Any], wanted: Wanted) -> list[tuple[str, Any]]:
    """Blank in place; returns what is gone by name."""
    gone: list[tuple[str, Any]] = []
    for name, value in values.items():
        if name == RAW and isinstance(value, dict):
            gone += _blank(value, wanted)
        elif name == "custom":
            custom = _custom(value)
            found = _blank(custom, lambda key, each: wanted(_CUSTOM + key, each))
            if found:
                values[name] = encode_values(custom) if isinstance(value, str) else custom
                gone += [(_CUSTOM + key, each) for key, each in found]
        elif value is not None and value != ERASED and wanted(name, value):
            values[name] = ERASED
            gone.append((name, value))
    return gone
