"""What an export writes of each record: which columns, and how a value becomes a cell or a JSON value."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from crm_core.errors import ExchangeError, PermissionDenied, nearest
from crm_core.exchange.guard import guarded
from crm_core.fields.composites import ADDRESS_PARTS
from crm_core.fields.field import Field
from crm_core.fields.kinds import (
    AddressKind,
    ChoiceKind,
    DayKind,
    FlagKind,
    Kind,
    MomentKind,
    MoneyKind,
    NumberKind,
    PhoneKind,
    RefKind,
    json_form,
)
from crm_core.records import RecordType
from crm_core.store.session import CrmSession

__all__ = ["Column", "csv_columns", "exported", "json_columns", "sheet_columns"]

_STAMPS = {
    "created_at": Field(MomentKind(), name="created_at", optional=True),
    "updated_at": Field(MomentKind(), name="updated_at", optional=True),
    "created_by": Field(RefKind("user"), name="created_by", optional=True),
    "version": Field(NumberKind(0), name="version", optional=True),
}


@attrs.frozen(eq=False)
class Column:
    """One column: ``get`` gives what is written for a record; ``width`` is how many characters a spreadsheet shows."""

    name: str
    get: Callable[[Any], Any]
    width: int = 0


def exported(session: CrmSession, record_type: RecordType, names: Sequence[str] | None) -> list[tuple[Field, bool]]:
    """The fields to write, each with whether it is a custom one; without ``names``, all that may be read.

    Raises :class:`ExchangeError` for an unknown name, :class:`PermissionDenied` for one that may not be read.
    """
    custom = session.policy.custom.get(record_type.name, {})
    if names is None:
        own = [(field, False) for field in record_type.fields if _readable(session, field)]
        return own + [(field, True) for field in custom.values() if _readable(session, field)]
    found: list[tuple[Field, bool]] = []
    for name in names:
        if name == "id":
            continue
        field = record_type.by_name.get(name) or _STAMPS.get(name) or custom.get(name)
        if field is None:
            known = ["id", *record_type.by_name, *custom, *_STAMPS]
            raise ExchangeError(
                "{record} has no field {field!r}.", mend="Did you mean {near}?", record=record_type.name, field=name,
                near=nearest(name, known),
            )  # fmt: skip
        if not _readable(session, field):
            raise PermissionDenied(
                "{record}.{field} may not be read by {principal}.",
                mend="Leave it out, or use a role with the permission {permission}.",
                record=record_type.name,
                field=name,
                principal=session.actor.principal,
                permission=field.restricted,
            )
        found.append((field, name in custom and name not in record_type.by_name))
    return found


def _readable(session: CrmSession, field: Field) -> bool:
    return field.restricted is None or session.can(field.restricted)


def _value(name: str, record: Any) -> Any:
    return getattr(record, name)


def _custom_form(name: str, record: Any) -> Any:
    return (record.custom or {}).get(name)


def json_columns(fields: Sequence[tuple[Field, bool]]) -> Iterator[Column]:
    """Columns of JSON lines: the values as the journal has them, so that nothing is lost."""
    for field, custom in fields:
        if custom:
            yield Column(field.name, functools.partial(_custom_form, field.name))
        else:
            yield Column(field.name, functools.partial(_json, field))


def _json(field: Field, record: Any) -> Any:
    value = getattr(record, field.name)
    return None if value is None else json_form(field.kind, value)


def csv_columns(fields: Sequence[tuple[Field, bool]]) -> Iterator[Column]:
    """Columns of CSV: an address and an amount take several; texts are guarded, numbers are not."""
    for field, custom in fields:
        get = functools.partial(_decoded, field) if custom else functools.partial(_value, field.name)
        if isinstance(field.kind, MoneyKind):
            yield Column(f"{field.name}.amount", functools.partial(_amount, get))
            yield Column(f"{field.name}.currency", functools.partial(_part, get, "currency"))
        elif isinstance(field.kind, AddressKind):
            for part, _ in ADDRESS_PARTS:
                yield Column(f"{field.name}.{part}", functools.partial(_part, get, part))
        else:
            plain = isinstance(field.kind, NumberKind | RefKind)
            yield Column(field.name, functools.partial(_cell, get, field.kind.format, plain))


def sheet_columns(fields: Sequence[tuple[Field, bool]], tz: dt.tzinfo) -> Iterator[Column]:
    """Columns of a spreadsheet: numbers, days, moments of the zone ``tz`` and flags as such, all else as text."""
    for field, custom in fields:
        get = functools.partial(_decoded, field) if custom else functools.partial(_value, field.name)
        kind = field.kind
        if isinstance(kind, MoneyKind):
            yield Column(f"{field.name}.amount", functools.partial(_raw_part, get, "amount"), 16)
            yield Column(f"{field.name}.currency", functools.partial(_raw_part, get, "currency"))
        elif isinstance(kind, AddressKind):
            for part, _ in ADDRESS_PARTS:
                yield Column(f"{field.name}.{part}", functools.partial(_raw_part, get, part), 16)
        elif isinstance(kind, NumberKind | DayKind | FlagKind):
            yield Column(field.name, get, 12)
        elif isinstance(kind, MomentKind):
            # Stamps of the record itself are for people; they are never read again.
            about = field.name in _STAMPS and not custom
            yield Column(field.name, functools.partial(_moment, get, tz, about), 20)
        else:
            yield Column(field.name, functools.partial(_words, get, kind.format), _width(kind))


def _width(kind: Kind) -> int:
    return 22 if isinstance(kind, RefKind) else 16 if isinstance(kind, ChoiceKind | PhoneKind) else 30


def _raw_part(get: Callable[[Any], Any], part: str, record: Any) -> Any:
    value = get(record)
    return None if value is None else getattr(value, part)


def _moment(get: Callable[[Any], Any], tz: dt.tzinfo, about: bool, record: Any) -> Any:
    from crm_core.exchange.sheets.writing import moment_cell

    value = get(record)
    return None if value is None else moment_cell(value, tz, about=about)


def _words(get: Callable[[Any], Any], form: Callable[[Any], str], record: Any) -> str | None:
    value = get(record)
    return None if value is None else form(value)


def _decoded(field: Field, record: Any) -> Any:
    form = _custom_form(field.name, record)
    return None if form is None else field.kind.decode(form)


def _cell(get: Callable[[Any], Any], form: Callable[[Any], str], plain: bool, record: Any) -> str:
    value = get(record)
    if value is None:
        return ""
    return form(value) if plain else guarded(form(value))


def _amount(get: Callable[[Any], Any], record: Any) -> str:
    value = get(record)
    return "" if value is None else f"{value.amount:f}"


def _part(get: Callable[[Any], Any], part: str, record: Any) -> str:
    value = get(record)
    return "" if value is None else guarded(getattr(value, part) or "")
