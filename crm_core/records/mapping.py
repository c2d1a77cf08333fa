"""From a record type to a mapped class: columns, composites, navigation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import BindParameter, and_
from sqlalchemy.orm import CompositeProperty, composite, deferred, foreign, relationship, remote

from crm_core.fields.field import Field
from crm_core.records.types import ParentField, RecordType, declared, mapper_registry

__all__ = ["map_record", "record_type_target"]


def map_record(record_type: RecordType) -> None:
    """Map the class; navigation is resolved when the build is assembled, because the target may come later."""
    table = record_type.table
    properties: dict[str, Any] = {}
    for field in record_type.fields:
        names = field.column_names
        if len(names) > 1:
            for name in names:
                properties[f"_{name}"] = table.c[name]
            properties[field.name] = composite(
                _maker(field),
                *(table.c[name] for name in names),
                comparator_factory=_Whole,
                return_none_on=lambda *values: all(value is None for value in values),
                deferred=bool(field.restricted),
                raiseload=bool(field.restricted),
            )
        elif field.restricted:
            # Closed by default: the session opens it for those who may read it.
            properties[field.name] = deferred(table.c[field.name], raiseload=True)
        if field.folded and field.restricted:
            properties[f"{field.name}_key"] = deferred(table.c[f"{field.name}_key"], raiseload=True)
    for parent_field in record_type.parents:
        properties[parent_field.name] = _navigation(record_type, parent_field)
    mapper_registry(record_type.plugin).map_imperatively(
        record_type.cls,
        table,
        properties=properties,
        version_id_col=table.c.version,
        confirm_deleted_rows=True,
    )


class _Whole(CompositeProperty.Comparator[Any]):
    """Takes a value in ``update().values()``: SQLAlchemy does only where a class makes values, not a function."""

    def _bulk_update_tuples(self, value: Any) -> list[tuple[Any, Any]]:
        given = value.value if isinstance(value, BindParameter) else value
        record_type: RecordType = self.prop.parent.class_.crm_type
        field = record_type.by_name[self.prop.key]
        checked = field.check(given, record_type.name)
        elements = self._comparable_elements
        parts = [None] * len(elements) if checked is None else field.kind.split(checked)
        return list(zip(elements, parts, strict=True))


def _maker(field: Field) -> Callable[..., Any]:
    """Makes the value of a field from its columns; SQLAlchemy's history asks for halves, which are no value."""

    def make(*values: Any) -> Any:
        if field.kind.name == "money" and None in values:
            return None
        return field.kind.join(values)

    return make


def _navigation(record_type: RecordType, parent_field: ParentField) -> Any:
    target_name = record_type_target(record_type, parent_field)

    def target() -> Any:
        return declared.find(target_name).cls

    def condition() -> Any:
        target_id = declared.find(target_name).table.c.id
        own = record_type.table.c[parent_field.field]
        return and_(remote(target_id) == foreign(own))

    return relationship(target, primaryjoin=condition, viewonly=True, lazy="select", uselist=False)


def record_type_target(record_type: RecordType, parent_field: ParentField) -> str:
    """The name of the record type that a navigation leads to."""
    target = record_type.by_name[parent_field.field].target
    assert target is not None
    return target
