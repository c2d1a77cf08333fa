"""What the tests of the journal share: stores, records of a plugin of their own, and a journal's replay."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.orm import Mapped

from crm_core.domain import accounts, activities, contacts, external, organisation, ownership  # noqa: F401
from crm_core.domain.accounts import Account
from crm_core.fields import Money, json, money, number, ref, tags, text
from crm_core.fields.field import Field
from crm_core.fields.kinds import DayKind, NumberKind, TextKind
from crm_core.records import Record, Types, administered, declared, extends, parent, record, via
from crm_core.store.engine import BEGIN
from crm_core.store.policy import Policy
from crm_core.store.store import Store
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@record("journal_test.machine", access=via("account_id"))
class Machine(Record):
    """Something of a plugin that hangs on accounts in every way there is."""

    account_id: Mapped[int] = ref("account")
    name: Mapped[str] = text(80)
    spare_for_id: Mapped[int | None] = ref("account", default=None, on_delete="clear")
    price: Mapped[Money | None] = money(default=None)
    weight: Mapped[Decimal | None] = number(3, default=None)
    built_for_id: Mapped[int | None] = ref("journal_test.machine", default=None, on_delete="clear")
    labels: Mapped[frozenset[str]] = tags(default=frozenset())
    readings: Mapped[Any | None] = json(default=None)

    account: Mapped[Account] = parent("account_id")


@record("journal_test.part", access=via("account_id"))
class Part(Record):
    """A part hangs on its machine and on the machine's account: two ways to the same root."""

    account_id: Mapped[int] = ref("account")
    machine_id: Mapped[int] = ref("journal_test.machine")
    name: Mapped[str] = text(80)


@extends("account", "journal_test.rating")
class Rating(Record):
    """One-to-one beside the account."""

    stars: Mapped[int] = number(0, default=0)
    remark: Mapped[str | None] = text(200, default=None)


@record("journal_test.note", access=administered())
class Note(Record):
    """Hangs on nothing."""

    name: Mapped[str] = text(80)
    body: Mapped[str | None] = text(None, default=None)


CUSTOM = {
    "account": {
        "colour": Field(TextKind(40), name="colour", optional=True, default=None),
        "size": Field(NumberKind(2), name="size", optional=True, default=None),
        "since": Field(DayKind(), name="since", optional=True, default=None),
    }
}
OWN = (Machine, Part, Rating, Note)


def kernel_types() -> Types:
    """The kernel's record types alone."""
    return Types(each for each in declared.values() if each.plugin == "crm")


def all_types() -> Types:
    """The kernel's and those of this module."""
    return Types(each for each in declared.values() if each.plugin == "crm" or each.cls in OWN)


def open_store(url: str, types: Types | None = None, **policy: Any) -> Store:
    """A store with its tables made."""
    store = Store(url, types or all_types(), Policy(custom=CUSTOM, **policy))
    store.create_all()
    return store


def make_tables(url: str) -> None:
    """What ``fill_database`` copies for tests that begin with an empty store."""
    open_store(url).close()


@contextmanager
def reopened(url: str) -> Iterator[Store]:
    """The store on a database in which :func:`make_tables` has made the tables, closed at the end."""
    store = Store(url, all_types(), Policy(custom=CUSTOM))
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened(url: str, types: Types | None = None, **policy: Any) -> Iterator[Store]:
    """A store, closed at the end."""
    store = open_store(url, types, **policy)
    try:
        yield store
    finally:
        store.close()


def clear(store: Store) -> None:
    """Empty every table of records and the journal: for properties that are tried many times on one database."""
    from sqlalchemy.schema import sort_tables

    tables = sort_tables([each.table for each in store.types.values()])
    with store.engine.begin() as connection:
        for table in [CHANGE, CHANGE_SET, *reversed(tables)]:
            connection.execute(delete(table))


Key = tuple[str, int]
State = dict[Key, dict[str, Any]]


def state(store: Store, *names: str) -> State:
    """Every record as it lies in the tables: what differs from ``None`` among its declared and custom fields."""
    found: State = {}
    with store.session(principal="test", read_only=True) as session:
        for record_type in store.types.values():
            if names and record_type.name not in names:
                continue
            ids = list(session.core(select(record_type.table.c.id)).scalars())
            for id_, values in session.writer.rows(record_type, ids).items():
                found[record_type.name, id_] = declared_values(values)
    return found


def declared_values(values: Any) -> dict[str, Any]:
    """Without what the store counts by itself, and without what is absent."""
    own = ("version", "created_at", "created_by", "updated_at")
    return {name: value for name, value in values.items() if name not in own and value not in (None, {})}


def reading(store: Store) -> Connection:
    """A connection that does not wait for a writer."""
    return store.engine.execution_options(**{BEGIN: "BEGIN"}).connect()


def changes(store: Store, change_set: int | None = None) -> list[Any]:
    """The journal's rows in order."""
    query = select(CHANGE, CHANGE_SET.c.at).join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
    if change_set is not None:
        query = query.where(CHANGE.c.change_set_id == change_set)
    with reading(store) as connection:
        return list(connection.execute(query.order_by(CHANGE_SET.c.at, CHANGE.c.change_set_id, CHANGE.c.position)))


def heads(store: Store) -> list[Any]:
    """The heads of all change sets, oldest first."""
    with reading(store) as connection:
        return list(connection.execute(select(CHANGE_SET).order_by(CHANGE_SET.c.place, CHANGE_SET.c.id)))


def decoded(store: Store, row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after of a journal row as Python values."""
    record_type = store.types.get(row.type)
    return decode_values(record_type, row.before), decode_values(record_type, row.after)


def replay(store: Store) -> State:
    """What the journal alone says there is now; checks on the way that each change fits what it found."""
    found: State = {}
    for row in changes(store):
        key = (row.type, row.record_id)
        before, after = decoded(store, row)
        if row.operation == "create":
            assert key not in found, f"{key} was created twice"
            assert not before
            found[key] = declared_values(after)
        elif row.operation == "delete":
            assert not after
            assert declared_values(before) == found.pop(key), f"{key} was not as its deletion says"
        else:
            found[key] = _step(key, found[key], before, after)
    return found


def _step(key: Key, had: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    assert before.keys() == after.keys(), f"{key}: an update names the same fields before and after"
    assert before, f"{key}: an update without any change"
    new = dict(had)
    for name, value in before.items():
        assert value != after[name], f"{key}.{name} did not change"
        if name == "custom":
            inner = had.get("custom", {})
            for part, old in value.items():
                assert inner.get(part) == old, f"{key}.custom.{part}"
            merged = {**inner, **after["custom"]}
            new["custom"] = {part: value for part, value in merged.items() if value is not None}
        else:
            assert had.get(name) == value, f"{key}.{name}"
            new[name] = after[name]
    return declared_values(new)


numbers = itertools.count(1)
