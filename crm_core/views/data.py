"""What people look at as JSON takes it, for an application that shows it in its own way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.fields import Field, Money
from crm_core.records import Record, RecordType
from crm_core.store.explain import Ground
from crm_core.store.history import HistoryEvent
from crm_core.views.completeness import Question
from crm_core.views.overview import Extension, Fact
from crm_core.views.showing import held, readable

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["SYSTEM", "as_data", "encoded", "event_data", "plain", "record_data"]

SYSTEM = ("id", "version", "created_at", "created_by", "updated_at")
"""The columns that every record has."""


def as_data(session: CrmSession, value: Any) -> Any:
    """A record, a view or a part of one, or a list of them, as ``json.dumps`` takes it; ``crm ... --json`` writes it.

    Records have the fields that the actor may read. Attrs classes, such as :class:`~crm_core.views.Overview`,
    :class:`~crm_core.HistoryEvent` or :class:`~crm_core.Hit`, become objects with the names of their attributes.
    Moments are texts in ISO form and UTC, days in ISO form, decimal numbers texts; questions and grounds have their
    sentence as ``text``, in English.
    """
    match value:
        case Record():
            return record_data(session, value)
        case HistoryEvent():
            return event_data(session.types.get(value.change.type), value)
        case Question():
            return {"kind": value.kind, "text": str(value), "contact_id": value.contact_id}
        case Ground():
            return {"kind": value.kind, "text": str(value)}
        case Extension():
            return {"type": value.record_type.name, "facts": as_data(session, value.facts)}
        case Fact():
            shown = plain(value.value) if value.field is None else encoded(value.field, value.value)
            return {"name": value.name, "label": value.label, "value": shown}
        case RecordType():
            return value.name
        case Money():
            return {"amount": plain(value.amount), "currency": value.currency}
        case Mapping():
            return {str(key): as_data(session, each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_data(session, each) for each in value]
    if attrs.has(type(value)):
        return {each.name: as_data(session, getattr(value, each.name)) for each in attrs.fields(type(value))}
    return plain(value)


def plain(value: Any) -> Any:
    """A value that is in no field, as JSON: days and moments in ISO form, numbers with decimals as text."""
    match value:
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
        case dt.date():
            return value.isoformat()
        case Decimal():
            return f"{value.normalize():f}"
        case Mapping():
            return {key: plain(each) for key, each in value.items()}
    return value


def encoded(field: Field, value: Any) -> Any:
    """A field's value as JSON; amounts are texts without trailing zeros, however many the database keeps."""
    if isinstance(value, Money):
        return {"amount": plain(value.amount), "currency": value.currency}
    return None if value is None else plain(field.kind.encode(value))


def record_data(session: CrmSession, record: Record, names: Iterable[str] | None = None) -> dict[str, Any]:
    """A record as JSON; with ``names`` only these."""
    record_type = record.crm_type
    values: dict[str, Any] = {name: plain(held(record, name)) for name in SYSTEM}
    values |= {field.name: encoded(field, getattr(record, field.name)) for field in readable(session, record_type)}
    custom = session.policy.custom.get(record_type.name, {})
    values["custom"] = {
        name: encoded(custom[name], value) if name in custom else plain(value)
        for name, value in sorted((held(record, "custom") or {}).items())
    }
    if names is None:
        return values
    return {name: values[name] if name in values else values["custom"].get(name) for name in names}


def event_data(record_type: RecordType | None, event: HistoryEvent) -> dict[str, Any]:
    """One change of a history; of a plugin that is not loaded as the journal has it."""
    return {
        "at": plain(event.at),
        "principal": event.principal,
        "reason": event.reason,
        "source": event.source,
        "change_set": event.change_set_id,
        "version": event.version,
        "operation": event.change.operation,
        "inactive": event.inactive,
        "before": _values(record_type, event.change.before),
        "after": _values(record_type, event.change.after),
    }


def _values(record_type: RecordType | None, values: Mapping[str, Any]) -> dict[str, Any]:
    if record_type is None:
        return {name: plain(value) for name, value in values.items()}
    # An erased value is a mark in place of what was there, whatever the kind of the field.
    return {
        name: encoded(record_type.by_name[name], value)
        if name in record_type.by_name and not isinstance(value, str)
        else plain(value)
        for name, value in values.items()
    }
