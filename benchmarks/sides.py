"""The sides of the comparison that live in this process: crm-core, and raw Core on the same tables."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from benchmarks.rows import SINCE, Row, customers
from crm_core import Account, Affiliation, Contact, Membership, Ownership, OwnershipRole, Record, Unit, User
from crm_core.assembly import Crm
from crm_core.fields import sort_key
from crm_core.hooks import Dispatcher, hookimpl
from crm_core.store.store import Store
from crm_core.testing.postgresql import PostgreSQLServer

BATCH = 1000
TABLES: tuple[type[Record], ...] = (Account, Contact, Affiliation, Ownership)


class Listener:
    """A plugin that looks at every batch, as the aim demands."""

    seen = 0

    @hookimpl
    def crm_check_changes(self, batch: Any) -> None:
        """Count."""
        self.seen += len(batch)


def made(server: PostgreSQLServer | None, folder: Path, name: str) -> str:
    """The address of a new, empty database: on a server, or as a file."""
    return f"sqlite:///{folder}/{name}.db" if server is None else server.create_database(name)


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """A fresh CRM with its organisation: fifty users in one unit."""
    crm = Crm.open({"crm": {"name": "benchmark", "database": url, "plugins": []}}, check=False)
    store = crm.store
    store.dispatch = Dispatcher([("listener", Listener())])
    store.create_all()
    with store.session(principal="init") as session:
        if session.scalar(select(func.count()).select_from(User)) == 0:
            unit = session.add_one(Unit(name="Sales"))
            for number in range(50):
                user = session.add_one(User(login=f"user{number}", name=f"User {number}"))
                session.add(Membership(user_id=user.id, unit_id=unit.id, role="sales"))
            boss = session.add_one(User(login="boss", name="Boss"))
            session.add(Membership(user_id=boss.id, unit_id=unit.id, role="manager"))
            admin = session.add_one(User(login="admin", name="Administrator"))
            session.add(Membership(user_id=admin.id, unit_id=unit.id, role="administrator"))
    try:
        yield store
    finally:
        crm.close()


def user_ids(store: Store) -> list[int]:
    """The fifty salespeople."""
    with store.session(principal="read", read_only=True) as session:
        return list(session.scalars(select(User.id).where(User.login.startswith("user")).order_by(User.id)))


def crm_bulk(store: Store, count: int, start: int) -> float:
    """Bulk create with everything on; returns seconds."""
    users = user_ids(store)
    source = list(customers(count, start))
    begun = time.perf_counter()
    for offset in range(0, count, BATCH):
        part = source[offset : offset + BATCH]
        with store.session(principal="import") as session:
            accounts = session.add_many(Account, (account for account, _, _, _ in part))
            people = session.add_many(Contact, (contact for _, contact, _, _ in part))
            session.add_many(
                Affiliation,
                (
                    {"account_id": account, "contact_id": person, **link}
                    for account, person, (_, _, link, _) in zip(accounts, people, part, strict=True)
                ),
            )
            session.add_many(
                Ownership,
                (
                    {"account_id": account, "user_id": users[owner["user"]], "valid_from": SINCE}
                    for account, (_, _, _, owner) in zip(accounts, part, strict=True)
                ),
            )
    return time.perf_counter() - begun


def crm_import(store: Store, count: int) -> None:
    """One long change set that streams, as imports do."""
    users = user_ids(store)
    with store.session(principal="import", source="import", streaming=True) as session:
        for offset in range(0, count, BATCH):
            part = list(customers(min(BATCH, count - offset), offset))
            accounts = session.add_many(Account, (account for account, _, _, _ in part))
            people = session.add_many(Contact, (contact for _, contact, _, _ in part))
            links = zip(accounts, people, part, strict=True)
            session.add_many(Affiliation, ({"account_id": one, "contact_id": two, **row[2]} for one, two, row in links))
            owners = zip(accounts, part, strict=True)
            session.add_many(Ownership, ({"account_id": one, "user_id": users[row[3]["user"]]} for one, row in owners))


def crm_single(store: Store, count: int, start: int) -> float:
    """One transaction for each customer, by objects."""
    users = user_ids(store)
    source = list(customers(count, start))
    begun = time.perf_counter()
    for account_row, contact_row, link, owner in source:
        with store.session(principal="import") as session:
            account = session.add_one(Account(**account_row))
            contact = session.add_one(Contact(**contact_row))
            session.add(Affiliation(account_id=account.id, contact_id=contact.id, **link))
            session.add(Ownership(account_id=account.id, user_id=users[owner["user"]], valid_from=SINCE))
    return time.perf_counter() - begun


def crm_update(store: Store, ids: Sequence[int], mark: str) -> float:
    """Bulk update of one field of given accounts."""
    begun = time.perf_counter()
    with store.session(principal="import") as session:
        session.update_many(Account, ({"id": id_, "name": f"{mark} {id_}"} for id_ in ids))
    return time.perf_counter() - begun


class CoreSide:
    """Raw Core on the kernel's own tables, with given ids and ready rows: the limit."""

    def __init__(self, store: Store) -> None:
        self.engine = store.engine
        self.users = user_ids(store)
        self._next = 10**12

    def rows(self, part: Sequence[tuple[Row, Row, Row, Row]]) -> list[list[Row]]:
        """Complete column values, made outside the measured time."""
        now = dt.datetime.now(dt.UTC)
        stamp = {"version": 1, "created_at": now, "created_by": None, "updated_at": now, "custom": None}
        lists: list[list[Row]] = [[], [], [], []]
        for account, contact, link, owner in part:
            self._next += 2
            given = (
                {**account, "id": self._next, "name_key": sort_key(account["name"])},
                {**contact, "id": self._next + 1, "name_key": sort_key(contact["name"], surname=True)},
                {**link, "id": self._next, "account_id": self._next, "contact_id": self._next + 1},
                {
                    "id": self._next,
                    "account_id": self._next,
                    "user_id": self.users[owner["user"]],
                    "role": OwnershipRole.OWNER,
                    "scope": "",
                    "valid_from": SINCE,
                },
            )
            for record, row, collected in zip(TABLES, given, lists, strict=True):
                defaults = {"kind": "company", "active": True, "tags": frozenset()} if record is Account else {}
                whole = dict.fromkeys((column.name for column in record.crm_type.table.c), None)
                collected.append({**whole, **defaults, **row, **stamp})
        return lists

    def bulk(self, count: int, start: int) -> float:
        """Insert ready rows; returns seconds."""
        source = list(customers(count, start))
        batches = [self.rows(source[offset : offset + BATCH]) for offset in range(0, count, BATCH)]
        statements = [insert(record.crm_type.table) for record in TABLES]
        begun = time.perf_counter()
        for batch in batches:
            with self.engine.begin() as connection:
                for statement, rows in zip(statements, batch, strict=True):
                    connection.execute(statement, rows)
        return time.perf_counter() - begun

    def single(self, count: int, start: int) -> float:
        """One transaction for each customer."""
        ready = [self.rows([customer]) for customer in customers(count, start)]
        statements = [insert(record.crm_type.table) for record in TABLES]
        begun = time.perf_counter()
        for batch in ready:
            with self.engine.begin() as connection:
                for statement, rows in zip(statements, batch, strict=True):
                    connection.execute(statement, rows)
        return time.perf_counter() - begun

    def update(self, ids: Sequence[int], mark: str) -> float:
        """Update the name of given accounts."""
        table = Account.crm_type.table
        statement = update(table).where(table.c.id == bindparam("b_id")).values(name=bindparam("b_name"))
        rows = [{"b_id": id_, "b_name": f"{mark} {id_}"} for id_ in ids]
        begun = time.perf_counter()
        with self.engine.begin() as connection:
            connection.execute(statement, rows)
        return time.perf_counter() - begun
