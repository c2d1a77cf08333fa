"""The rows that expressions are asked about, in memory, and the names that they have there."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from crm_core import Account, Crm
from crm_core.errors import ValidationError
from crm_core.expressions import Environment
from crm_core.fields import Address, Money, kinds
from crm_core.records import RecordType, Types
from torture.fuzz.texts import text

__all__ = ["Names", "World", "enrich"]

_KINDS: tuple[tuple[type, str], ...] = (
    (kinds.TextKind, "text"), (kinds.ChoiceKind, "choice"), (kinds.NumberKind, "number"), (kinds.MoneyKind, "money"),
    (kinds.DayKind, "day"), (kinds.MomentKind, "moment"), (kinds.FlagKind, "flag"), (kinds.TagsKind, "tags"),
    (kinds.AddressKind, "address"), (kinds.RefKind, "number"), (kinds.JsonKind, "json"),
)  # fmt: skip


@attrs.frozen
class Names:
    """What an expression over a record type can name: fields by sort, steps and collections by what they lead to."""

    fields: list[tuple[str, str]]
    steps: list[tuple[str, str]]
    collections: list[tuple[str, str]]

    @classmethod
    def of(cls, record_type: RecordType, types: Types, env: Environment) -> Names:
        found = cls(
            [("id", "number"), ("version", "number"), ("created_at", "moment"), ("updated_at", "moment")], [], []
        )
        custom = env.custom.get(record_type.name, {})
        for prefix, fields in (
            ("", [*record_type.fields, *custom.values()]),
            *((f"{each.plugin}.", list(each.fields)) for each in types.extensions(record_type.name)),
        ):
            for field in fields:
                sort = next(sort for kind, sort in _KINDS if isinstance(field.kind, kind))
                found.fields.append((prefix + field.name, sort))
                if field.target in types and field.name.endswith("_id"):
                    found.steps.append((prefix + field.name.removesuffix("_id"), str(field.target)))
        found.steps.extend((each.name, each.target) for each in env.derived if each.record_type == record_type.name)
        for child, field in types.referring(record_type.name):
            if isinstance(field.kind, kinds.RefKind) and field.kind.collection:
                prefix = "" if child.plugin == record_type.plugin else f"{child.plugin}."
                found.collections.append((prefix + field.kind.collection, child.name))
        return found


@attrs.frozen
class World:
    """Every row of the database in memory."""

    rows: Mapping[str, Mapping[int, Any]]
    at: dt.datetime
    words: list[str]

    @classmethod
    def of(cls, crm: Crm, at: dt.datetime) -> World:
        with crm.system_session("fuzz", read_only=True) as session:
            rows = {
                name: {each.id: each for each in session.list(record_type.cls, all_dates=True)}
                for name, record_type in crm.types.items()
            }
        words = {
            value
            for name, record_type in crm.types.items()
            for each in rows[name].values()
            for field in record_type.fields
            if isinstance(value := getattr(each, field.name), str) and len(value) < 60
        }
        return cls(rows, at, sorted(words))

    def record(self, record_type: RecordType, id: int) -> Any:
        """The record of that type with that id."""
        return self.rows[record_type.name].get(id)

    def members(self, record_type: RecordType, field: str, id: int) -> Iterable[Any]:
        """The records of that type that refer to it, of dated ones those that hold."""
        return [
            each
            for each in self.rows[record_type.name].values()
            if getattr(each, field) == id and (not record_type.dated or self._holds(each))
        ]

    def _holds(self, row: Any) -> bool:
        return (row.valid_from is None or row.valid_from <= self.at) and (
            row.valid_to is None or row.valid_to > self.at
        )


def enrich(crm: Crm) -> None:
    """Values in which databases and Python could part, in every field that accounts have."""
    chance = random.Random(5)
    with crm.system_session("fuzz") as session:
        for number in range(24):
            account = Account(name=text(chance, 2).strip() or "x")
            for field in (*Account.crm_type.fields, *crm.build.policy.custom["account"].values()):
                values = _VALUES.get(field.kind.name)
                if values is None or field.name in ("name", "kind", "registration_country") or chance.random() < 0.2:
                    continue
                value = text(chance, 2) if values == "text" else chance.choice(values)
                try:
                    value = field.check(value)
                except ValidationError:
                    continue
                if field.name in Account.crm_type.by_name:
                    setattr(account, field.name, value)
                else:
                    form = field.kind.encode(value)
                    account.custom = {
                        **(account.custom or {}),
                        field.name: f"{form:f}" if isinstance(form, Decimal) else form,
                    }
            session.add(account)
            if number % 6 == 5:
                session.flush()


_VALUES: Mapping[str, Any] = {
    "text": "text",
    "number": (0, 1, -1, 50, Decimal("0.1"), Decimal("12.34"), Decimal("-0.5"), 10**15, Decimal("99999999999999.99")),
    "money": tuple(Money(amount, currency) for amount in ("0", "-0.5", "12.34", "100000",
    "99999999999999") for currency in ("CNY", "EUR")),
    "day": tuple(dt.date.fromisoformat(each) for each in ("0001-01-01", "2024-02-29", "2026-11-23", "9999-12-31",
                         "1970-01-01")),
    "moment": tuple(
        dt.datetime.fromisoformat(each)
        for each in ("0001-01-02T00:00:00Z", "2026-11-22T16:00:00Z", "2026-11-22T15:59:59.999999Z",
                             "9999-12-31T00:00:00Z")
    ),
    "flag": (True, False),
    "tags": (frozenset(), frozenset({"vip"}), frozenset({"a,b", "上海", '"'}), frozenset({"%", "_"})),
    "address": (Address(city="上海", country="CN"), Address(street="Street 1", city="Ulm", country="DE")),
    "choice": ("person", "company", "small", "large"),
}  # fmt: skip
