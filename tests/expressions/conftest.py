from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from sqlalchemy import Connection, FromClause, case, create_engine, not_, select
from sqlalchemy.orm import Mapped

from crm_core import fields as f
from crm_core.expressions import Derived, Environment, Filter, parse
from crm_core.fields import Address, Field, Money, choice, day, email, flag, moment, money, number, ref, tags, text
from crm_core.fields.kinds import (
    AddressKind,
    ChoiceKind,
    DayKind,
    FlagKind,
    JsonKind,
    MomentKind,
    MoneyKind,
    NumberKind,
    RefKind,
    TagsKind,
    TextKind,
)
from crm_core.records import Dated, Record, RecordType, Types, extends, parent, public, record

HIDDEN = 7
"""Rows of this version nobody may see."""


class Stage(Enum):
    IDEA = "idea"
    WON = "won"
    LOST = "lost"


@record("probe.person", access=public())
class Person(Record):
    name: Mapped[str] = text(200, folded=True, surname=True)
    age: Mapped[int | None] = number(0, default=None)
    code: Mapped[str | None] = text(40, default=None, restricted="person.read_code")
    mentor_id: Mapped[int | None] = ref("probe.person", default=None, restricted="person.read_mentor",
                                        collection="pupils")  # fmt: skip


@record("probe.company", access=public())
class Company(Record):
    name: Mapped[str] = text(200, folded=True)
    grade: Mapped[str | None] = text(10, default=None)
    alias: Mapped[str | None] = text(200, default=None, folded=True)
    mail: Mapped[str | None] = email(default=None)
    size: Mapped[int | None] = number(0, default=None)
    share: Mapped[Decimal | None] = number(4, default=None)
    ratio: Mapped[Decimal | None] = number(2, default=None)
    stage: Mapped[Stage | None] = choice(Stage, default=None)
    former: Mapped[Stage | None] = choice(Stage, default=None)
    worth: Mapped[Money | None] = money(default=None)
    budget: Mapped[Money | None] = money(2, default=None)
    tags: Mapped[frozenset[str] | None] = tags(default=None)
    founded: Mapped[dt.date | None] = day(default=None)
    closed: Mapped[dt.date | None] = day(default=None)
    seen: Mapped[dt.datetime | None] = moment(default=None)
    met: Mapped[dt.datetime | None] = moment(default=None)
    active: Mapped[bool | None] = flag(default=None)
    loyal: Mapped[bool] = flag(default=True)
    place: Mapped[Address | None] = f.address(default=None)
    extra: Mapped[Any | None] = f.json(default=None)
    secret: Mapped[str | None] = text(40, default=None, restricted="company.read_secret")
    boss_id: Mapped[int | None] = ref("probe.person", default=None)
    parent_id: Mapped[int | None] = ref("probe.company", default=None, collection="branches")

    boss: Mapped[Person | None] = parent("boss_id")


@record("probe.job", access=public())
class Job(Dated):
    company_id: Mapped[int] = ref("probe.company", collection="jobs")
    person_id: Mapped[int] = ref("probe.person", collection="jobs")
    role: Mapped[str | None] = text(40, default=None)
    level: Mapped[int | None] = number(0, default=None)


@extends("probe.company", "vip.status")
class Status(Record):
    tier: Mapped[str | None] = text(40, default=None)
    limit: Mapped[Decimal | None] = number(2, default=None)
    hidden: Mapped[str | None] = text(40, default=None, restricted="vip.read_hidden")
    agent_id: Mapped[int | None] = ref("probe.person", default=None)


@record("vip.gift", access=public())
class Gift(Record):
    company_id: Mapped[int] = ref("probe.company", collection="gifts")
    amount: Mapped[Money] = money()
    note: Mapped[str | None] = text(40, default=None)


CUSTOM: dict[str, Field] = {
    "c_text": Field(TextKind(200), "c_text"),
    "c_int": Field(NumberKind(0), "c_int"),
    "c_number": Field(NumberKind(2), "c_number"),
    "c_day": Field(DayKind(), "c_day"),
    "c_moment": Field(MomentKind(), "c_moment"),
    "c_flag": Field(FlagKind(), "c_flag"),
    "c_tags": Field(TagsKind(), "c_tags"),
    "c_choice": Field(ChoiceKind(Stage), "c_choice"),
    "c_money": Field(MoneyKind(4), "c_money"),
    "c_ref": Field(RefKind("probe.person"), "c_ref"),
    "c_address": Field(AddressKind(), "c_address"),
    "c_json": Field(JsonKind(), "c_json"),
    "c_secret": Field(TextKind(40), "c_secret", restricted="company.read_secret"),
}

TYPES = Types(cls.crm_type for cls in (Person, Company, Job, Status, Gift))
NOW = dt.datetime(2026, 11, 23, 2, 30, tzinfo=dt.UTC)

DERIVED = (
    Derived("probe.company", "chief", "probe.person", through="probe.job", back="company_id", forward="person_id",
            where={"role": "chief"}),
    Derived("probe.company", "rival", "probe.company", through="probe.company", back="parent_id",
            forward="parent_id", where={"former": Stage.WON, "alias": None}),
    Derived("probe.person", "tutor", "probe.person", through="probe.person", back="mentor_id", forward="mentor_id"),
    Derived("probe.person", "ghost", "no.such", through="probe.job", back="person_id", forward="person_id"),
)  # fmt: skip


def visible(record_type: RecordType, table: FromClause) -> Any:
    return None if record_type.name == "vip.gift" else table.c.version != HIDDEN


def environment(**changes: Any) -> Environment:
    values: dict[str, Any] = {
        "now": NOW,
        "tz": ZoneInfo("Asia/Shanghai"),
        "visible": visible,
        "custom": {"probe.company": CUSTOM},
        "derived": DERIVED,
    }
    return Environment(**values | changes)


TEXTS = ["", "A", "B", "a", "ab", "Ab", "AB", "ABC", "上海", "上", "海军", "单雨", "Ü", "ß", "SS", "ss", "%", "_",
         "a_b", "é", "é", "😀", "\U0010ffff", "￿", "\ud7ff", "chief", "buyer", "gold", "x,y", '"', "\\", "Ａ",
         "it's", "line\nbreak", "a\x1fA", "Ab\x1fa"]  # fmt: skip
INTS = [0, 1, -1, 2, 7, 50, 51, 10**12, 10**18 - 1, -(10**18) + 1, 2**53 + 1]
DECIMALS = ["0", "0.01", "-0.01", "-0.5", "0.1", "12.34", "12.3", "50", "99999999999999.99", "-99999999999999.99"]
DAYS = ["2026-11-23", "2026-11-22", "2026-01-31", "2024-02-29", "0001-01-01", "9999-12-31", "1970-01-01", "0999-05-05"]
MOMENTS = ["2026-11-22T16:00:00+00:00", "2026-11-22T16:00:00.000001+00:00", "2026-11-22T15:59:59.999999+00:00",
           "2026-11-23T02:30:00+00:00", "2026-01-31T10:00:00+08:00", "0001-01-02T00:00:00+00:00",
           "9999-12-30T23:59:59.999999+00:00", "2026-03-29T01:30:00+00:00"]  # fmt: skip
CURRENCIES = ["CNY", "EUR"]


@attrs.frozen
class World:
    """Every row of the sample, by type and id; what is hidden is not found."""

    rows: Mapping[str, Mapping[int, Mapping[str, Any]]]
    at: dt.datetime

    def record(self, record_type: RecordType, id: int) -> Mapping[str, Any] | None:
        row = self.rows[record_type.name].get(id)
        return row if row is not None and self._visible(record_type, row) else None

    def members(self, record_type: RecordType, field: str, id: int) -> Iterable[Mapping[str, Any]]:
        return [
            row
            for row in self.rows[record_type.name].values()
            if row.get(field) == id and self._visible(record_type, row) and self._valid(record_type, row)
        ]

    def _visible(self, record_type: RecordType, row: Mapping[str, Any]) -> bool:
        return record_type.name == "vip.gift" or row["version"] != HIDDEN

    def _valid(self, record_type: RecordType, row: Mapping[str, Any]) -> bool:
        if not record_type.dated:
            return True
        since, until = row["valid_from"], row["valid_to"]
        return (since is None or since <= self.at) and (until is None or until > self.at)


def columns_of(record_type: RecordType, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as its table holds it."""
    values: dict[str, Any] = {name: row[name] for name in ("id", "version", "created_at", "created_by", "updated_at")}
    for field in record_type.fields:
        value = row[field.name]
        parts = (None,) * len(field.column_names) if value is None else field.kind.split(value)
        values |= dict(zip(field.column_names, parts, strict=True))
        if field.folded:
            values[f"{field.name}_key"] = None if value is None else f.sort_key(value, surname=field.surname)
    values["custom"] = row.get("custom")
    return values


class Sample:
    """Random rows full of the values where databases and Python could part."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ids = itertools.count(1)
        self.rows: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in TYPES}
        for _ in range(8):
            self._add("probe.person", mentor_id=self._id("probe.person"))
        for _ in range(40):
            self._add("probe.company", boss_id=self._id("probe.person"), parent_id=self._id("probe.company"),
                      custom=self._custom())  # fmt: skip
        for id in list(self.rows["probe.company"]):
            if self.random.random() < 0.5:
                self._add("vip.status", id=id, agent_id=self._id("probe.person"))
        for name, fields in (("probe.job", ("company_id", "person_id")), ("vip.gift", ("company_id",))):
            for _ in range(60):
                refs = {field: TYPES[name].field(field).target for field in fields}
                self._add(name, **{field: self._id(str(target), always=True) for field, target in refs.items()})

    def _id(self, name: str, always: bool = False) -> int | None:
        ids = list(self.rows[name])
        return self.random.choice(ids) if ids and (always or self.random.random() < 0.7) else None

    def _custom(self) -> dict[str, Any] | None:
        if self.random.random() < 0.2:
            return None
        custom: dict[str, Any] = {}
        for name, field in CUSTOM.items():
            value = self._value(field)
            if value is not None or self.random.random() < 0.3:
                encoded = None if value is None else field.kind.encode(value)
                custom[name] = format(encoded, "f") if isinstance(encoded, Decimal) else encoded
        return custom

    def _add(self, name: str, **given: Any) -> None:
        record_type = TYPES[name]
        row: dict[str, Any] = {field.name: self._value(field) for field in record_type.fields}
        row |= {
            "id": next(self.ids), "created_at": NOW, "updated_at": self._moment(), "created_by": self._maybe([1, 2]),
            "version": self.random.choice([1, 1, 2, HIDDEN]), "custom": None,
        }  # fmt: skip
        row |= given
        self.rows[name][row["id"]] = row

    def _maybe(self, values: Iterable[Any]) -> Any:
        return None if self.random.random() < 0.2 else self.random.choice(list(values))

    def _moment(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.random.choice(MOMENTS)).astimezone(dt.UTC)

    def _value(self, field: Field) -> Any:
        if field.optional and self.random.random() < 0.2:
            return None
        pick = self.random.choice
        match field.kind:
            case NumberKind(scale=0):
                return pick(INTS)
            case NumberKind() | MoneyKind():
                amount = Decimal(pick(DECIMALS))
                return amount if isinstance(field.kind, NumberKind) else Money(amount, pick(CURRENCIES))
            case ChoiceKind():
                return pick(list(Stage))
            case DayKind():
                return dt.date.fromisoformat(pick(DAYS))
            case MomentKind():
                return self._moment()
            case FlagKind():
                return pick([True, False])
            case TagsKind():
                return frozenset(self.random.sample([word for word in TEXTS if word], self.random.randrange(4)))
            case AddressKind():
                return Address(city=self._maybe(TEXTS), country="CN")
            case RefKind():
                return pick(range(1, 9))
            case JsonKind():
                return pick([{"a": 1}, [], "x"])
            case _:
                return pick(TEXTS)

    def insert(self, connection: Connection) -> None:
        for name, rows in self.rows.items():
            record_type = TYPES[name]
            connection.execute(record_type.table.insert(), [columns_of(record_type, row) for row in rows.values()])


def three_valued(connection: Connection, bound: Filter) -> dict[int, bool | None]:
    """What SQL says of each row: true, false or null."""
    table = bound.record_type.table
    where = bound.where()
    answer = case((where, 1), (not_(where), 0))
    found = connection.execute(select(table.c.id, answer))
    answers = {id: None if value is None else bool(value) for id, value in found}
    chosen = set(connection.scalars(select(table.c.id).where(bound.where())))
    assert chosen == {id for id, value in answers.items() if value}
    return answers


@attrs.frozen
class Kit:
    """What the tests of expressions share."""

    types: Types
    company: RecordType
    environment: Callable[..., Environment]
    sample: Callable[[int], Sample]
    world: Callable[..., World]
    three_valued: Callable[[Connection, Filter], dict[int, bool | None]]
    columns_of: Callable[[RecordType, Mapping[str, Any]], dict[str, Any]]
    hidden: int = HIDDEN

    def bind(self, source: str, type_name: str = "probe.company", **changes: Any) -> Filter:
        return parse(source).bind(self.types, self.types[type_name], self.environment(**changes))

    def create(self, connection: Connection) -> None:
        for record_type in self.types.values():
            record_type.table.create(connection)


@pytest.fixture
def database_connection(database_url: str, fill_database: Any) -> Iterator[Connection]:
    """A connection to an empty database with the tables of the sample; nothing stays."""
    fill_database(_tables)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()


@pytest.fixture(scope="session")
def kit() -> Kit:
    return KIT


KIT = Kit(TYPES, Company.crm_type, environment, Sample, World, three_valued, columns_of)


def _tables(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        KIT.create(connection)
    engine.dispose()
