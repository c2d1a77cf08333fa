"""Records as people read them and as JSON: only the fields that the session may read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crm_core.errors import PermissionDenied
from crm_core.fields import Field, Money
from crm_core.records import Record, RecordType
from crm_core.views.showing import Shower, held, readable

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["SYSTEM", "Shower", "encoded", "held", "plain", "readable", "record_json", "require_readable"]

SYSTEM = ("id", "version", "created_at", "created_by", "updated_at")
"""The columns that every record has."""


def require_readable(session: CrmSession, record_type: RecordType, field: Field) -> None:
    """Refuse a field that the actor may not read."""
    if field.restricted is not None and not session.can(field.restricted):
        raise PermissionDenied(
            "{record}.{field} may not be read by {principal}.",
            mend="A role with the permission {permission} is needed.",
            record=record_type.name,
            field=field.name,
            principal=session.actor.principal,
            permission=field.restricted,
        )


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


def record_json(session: CrmSession, record: Record, names: Iterable[str] | None = None) -> dict[str, Any]:
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
