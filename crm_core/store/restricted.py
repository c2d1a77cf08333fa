"""Fields with readers of their own: closed in the mapping, opened for each session that may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import event, inspect
from sqlalchemy.orm import object_session, undefer
from sqlalchemy.orm.base import ATTR_WAS_SET, PASSIVE_NO_RESULT, SQL_OK

from crm_core.fields.field import Field
from crm_core.records import Record, RecordType, Types

if TYPE_CHECKING:
    from crm_core.store.reading import Reading

__all__ = ["attributes_of", "open_options", "watch"]


def attributes_of(field: Field) -> set[str]:
    """The names of the mapped attributes that hold a field."""
    names = {*field.column_names} if len(field.column_names) == 1 else {f"_{name}" for name in field.column_names}
    return names | ({f"{field.name}_key"} if field.folded else set())


def open_options(reading: Reading, statement: Any) -> list[Any]:
    """Load restricted fields of a statement's entities at once for those who may read them."""
    options = []
    for description in getattr(statement, "column_descriptions", ()):
        entity = description.get("entity")
        if description["expr"] is not entity:
            continue
        record_type: RecordType = description["type"].crm_type
        for field in record_type.restricted:
            if reading.readable(record_type, field):
                options += [undefer(getattr(entity, name)) for name in sorted(attributes_of(field))]
    return options


@attrs.frozen
class _Opened:
    """Loads one attribute of one record when it is first asked for."""

    name: str

    def __call__(self, state: Any, passive: Any) -> Any:
        if not passive & SQL_OK:
            return PASSIVE_NO_RESULT
        state.manager.expired_attribute_loader(state, {self.name}, passive)
        return ATTR_WAS_SET


def watch(types: Types) -> None:
    """Open restricted fields of records that come in by other ways: along a navigation, by a refresh."""
    for record_type in types.values():
        if record_type.restricted:
            # For each store anew: what listens already does not listen twice.
            event.listen(record_type.cls, "load", _come)
            event.listen(record_type.cls, "refresh", _come)
            event.listen(record_type.cls, "expire", _come)


def _come(record: Record | None, _context: Any, _names: Any = None) -> None:
    """What the mapping bars is loaded when it is asked for, as if it were deferred without a bar."""
    from crm_core.store.session import CrmSession

    if record is None:
        return  # a rollback expires also what nobody holds any longer
    session = object_session(record)
    if not isinstance(session, CrmSession):
        return
    record_type = record.crm_type
    for field in record_type.restricted:
        if session._reading.readable(record_type, field):
            state = inspect(record)
            for name in attributes_of(field) - state.dict.keys():
                state.expired_attributes.discard(name)
                state.callables = {**state.callables, name: _Opened(name)}
