"""ORM ``update()`` and ``delete()`` with criteria: carried out through the one write path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Table, select
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import ORMExecuteState

from crm_core.errors import UnsupportedStatement
from crm_core.records import RecordType
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["change_by_criteria"]


class Changed(IteratorResult[Any]):
    """The result of an update or delete with criteria: no rows, only how many were matched."""

    def __init__(self, rowcount: int) -> None:
        super().__init__(SimpleResultMetaData(()), iter(()))
        self.rowcount = rowcount


def change_by_criteria(session: CrmSession, state: ORMExecuteState) -> Changed:
    """Find the records the actor may see, then update or delete them with checks and journal."""
    statement: Any = state.statement
    if isinstance(state.parameters, list) or (state.parameters and not statement._where_criteria):
        raise UnsupportedStatement(
            "An update by a list of keys would bypass checks and journal.",
            mend="Write session.update_many(Record, [{{'id': ..., ...}}]).",
        )
    mapper = state.bind_mapper
    whole = isinstance(getattr(statement, "table", None), Table)  # and no alias
    if mapper is None or not whole or not state.is_orm_statement or bool(getattr(statement, "_returning", False)):
        raise UnsupportedStatement(
            "This statement would bypass checks and journal.",
            mend="Write update(Record) or delete(Record) with where(), without returning().",
        )
    record_type: RecordType = session._own_type(mapper.class_.crm_type)
    query = select(mapper.class_.id)
    if statement._where_criteria:
        query = query.where(*statement._where_criteria)
    ids = list(session.scalars(query, state.parameters or None, execution_options=_dates(state)))
    if state.is_delete:
        session.writer.delete(record_type, ids)
        return Changed(len(ids))
    values = _values(record_type, statement)
    checked = {
        name: value if name == "custom" else record_type.field(name).check(value, record_type.name)
        for name, value in values.items()
    }
    session.writer.may_change(record_type, ids, "update")  # all or none, before the first is written
    for part in in_parts(ids):
        session.writer.update(record_type, dict.fromkeys(part, checked))
    return Changed(len(ids))


def _dates(state: ORMExecuteState) -> dict[str, Any]:
    return {"all_dates": bool(state.execution_options.get("all_dates"))}


def _values(record_type: RecordType, statement: Any) -> dict[str, Any]:
    """The new values by field; computed values are refused, because they could not be checked before."""
    given: dict[str, Any] = {}
    for target, value in dict(statement._values or {}).items():
        name = getattr(target, "key", None) or str(target)
        plain = value.value if isinstance(value, BindParameter) else value
        if hasattr(plain, "get_children"):
            raise UnsupportedStatement(
                "update() with a computed value for {field} cannot be checked beforehand.",
                mend="Read the records and use session.update_many().",
                record=record_type.name,
                field=name,
            )
        given[name] = plain
    whole: dict[str, Any] = {}
    for field in record_type.fields:
        names = field.column_names
        present = [name for name in names if name in given]
        if present and len(names) > 1:
            whole[field.name] = field.kind.join(tuple(given.pop(name, None) for name in names))
        elif field.name in given:
            whole[field.name] = given.pop(field.name)
    if "custom" in given:
        whole["custom"] = given.pop("custom")
    if given:
        record_type.field(min(given))  # raises with the nearest names
    return whole
