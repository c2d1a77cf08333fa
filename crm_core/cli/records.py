"""Records as people read them and as JSON: only the fields that the session may read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from crm_core.cli.moments import shown
from crm_core.errors import PermissionDenied
from crm_core.fields import Field, Money
from crm_core.records import Record, RecordType
from crm_core.translation import Translator

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["SYSTEM", "Shower", "plain", "readable", "record_json"]

SYSTEM = ("id", "version", "created_at", "created_by", "updated_at")
"""The columns that every record has."""


def readable(session: CrmSession, record_type: RecordType) -> list[Field]:
    """The fields that the actor may read."""
    return [field for field in record_type.fields if field.restricted is None or session.can(field.restricted)]


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


def _amount(amount: Decimal) -> str:
    """An amount with two decimals, or more where it has them: the database keeps four."""
    short = amount.quantize(Decimal("0.01"))
    return f"{short if short == amount else amount.normalize():f}"


def encoded(field: Field, value: Any) -> Any:
    """A field's value as JSON; amounts are texts without trailing zeros, however many the database keeps."""
    if isinstance(value, Money):
        return {"amount": plain(value.amount), "currency": value.currency}
    return None if value is None else plain(field.kind.encode(value))


def held(record: Record, name: str) -> Any:
    """A value that the store writes; a record rebuilt from the journal has not all of them."""
    return record.__dict__.get(name)


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


class Shower:
    """Shows values of one session to people; titles of records that others refer to are read once."""

    def __init__(self, session: CrmSession, translator: Translator) -> None:
        self.session = session
        self.translator = translator
        self.tz = session.policy.tz
        self._titles: dict[tuple[str, int], str] = {}

    def text(self, field: Field, value: Any, record_type: RecordType | None = None) -> str:
        """A field's value as text."""
        plugin = record_type.plugin if record_type is not None else None
        if value is None:
            return ""
        if field.target is not None:
            return self.reference(field.target, value)
        if isinstance(value, bool):
            return self.translator.text("yes" if value else "no")
        if isinstance(value, dt.datetime):
            return shown(value, self.tz)
        if isinstance(value, Enum):
            return self.translator.choice(str(value.value), plugin)
        if field.vocabulary is not None:
            return self.word(field.vocabulary, str(value), plugin)
        if isinstance(value, Money):
            return f"{_amount(value.amount)} {value.currency}"
        if isinstance(value, str):
            return value
        return field.kind.format(value)

    def word(self, vocabulary: str, word: str, plugin: str | None = None) -> str:
        """A word of a vocabulary by its label."""
        label = self.session.policy.vocabularies.get(vocabulary, {}).get(word)
        return self.translator.text(label, plugin) if label else word

    def reference(self, target: str, id_: int) -> str:
        """The record that is referred to: its id, and its title for whoever may see it."""
        if (target, id_) not in self._titles:
            self.prepare(target, [id_])
        title = self._titles[target, id_]
        return f"{id_} {title}".rstrip()

    def prepare(self, target: str, ids: Iterable[int]) -> None:
        """Read the titles of many records at once."""
        from sqlalchemy import select

        wanted = sorted({id_ for id_ in ids if (target, id_) not in self._titles})
        self._titles.update(((target, id_), "") for id_ in wanted)
        record_type = self.session.types.get(target)
        if record_type is None or record_type.title is None or not wanted:
            return
        if self.session.as_of is not None:
            found = [each for id_ in wanted if (each := self.session.get(record_type.cls, id_)) is not None]
            pairs = [(each.id, getattr(each, record_type.title)) for each in found]
        else:
            cls: Any = record_type.cls
            pairs = []
            for start in range(0, len(wanted), 500):
                query = select(cls.id, getattr(cls, record_type.title)).where(cls.id.in_(wanted[start : start + 500]))
                rows = self.session.execute(query, execution_options={"all_dates": True})
                pairs += [(row[0], row[1]) for row in rows]
        self._titles.update(((target, id_), title or "") for id_, title in pairs)

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """Labels and values of the filled fields of a record, custom fields included."""
        record_type = record.crm_type
        facts = [
            (self.translator.field(field, record_type), self.text(field, value, record_type))
            for field in readable(self.session, record_type)
            if (value := getattr(record, field.name)) not in (None, frozenset())
        ]
        custom = self.session.policy.custom.get(record_type.name, {})
        for name, value in (held(record, "custom") or {}).items():
            if name in custom:
                facts.append((self.translator.field(custom[name]), self.text(custom[name], value)))
            else:
                facts.append((name, str(value)))
        return facts
