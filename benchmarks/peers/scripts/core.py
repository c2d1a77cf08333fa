"""The other limit: SQLAlchemy Core on the same tables as the driver alone."""

from __future__ import annotations

import datetime as dt
from typing import Any

from serving import InBatches, serve
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)

METADATA = MetaData()
ACCOUNT = Table(
    "account", METADATA, Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False), Column("industry", String(80)),
    Column("grade", String(10), index=True), Column("employees", Integer), Column("website", String(500)),
    Column("email", String(254)), Column("phone", String(40)), Column("kind", String(40), nullable=False),
    Column("active", Boolean, nullable=False), Column("created_at", DateTime, nullable=False),
    Column("updated_at", DateTime, nullable=False), Index("account_name", "name", "id"),
)  # fmt: skip
CONTACT = Table(
    "contact", METADATA, Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False), Column("family_name", String(80)), Column("given_name", String(80)),
    Column("created_at", DateTime, nullable=False), Column("updated_at", DateTime, nullable=False),
    Index("contact_name", "name", "id"),
)  # fmt: skip
AFFILIATION = Table(
    "affiliation", METADATA, Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("account.id"), nullable=False, index=True),
    Column("contact_id", ForeignKey("contact.id"), nullable=False, index=True),
    Column("role", String(80)), Column("title", String(120)),
)  # fmt: skip
OWNERSHIP = Table(
    "ownership", METADATA, Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("account.id"), nullable=False, index=True),
    Column("user_id", BigInteger, nullable=False), Column("role", String(20), nullable=False),
    Column("valid_from", DateTime, nullable=False), Index("ownership_user", "user_id", "account_id"),
)  # fmt: skip
TABLES = (ACCOUNT, CONTACT, AFFILIATION, OWNERSHIP)
SINCE = dt.datetime(2020, 1, 1)
RENAME = update(ACCOUNT).where(ACCOUNT.c.id == bindparam("b_id")).values(name=bindparam("b_name"))


class Core(InBatches):
    """Expressions of SQLAlchemy, without its objects."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.page_size, self.next_id = given["page"], 1
        database = given["database"]
        if database["kind"] == "sqlite":
            self.engine = create_engine(f"sqlite:///{database['path']}")
            event.listen(self.engine, "connect", _settle)
        else:
            place = f"{database['user']}@{database['host']}:{database['port']}/{database['name']}"
            self.engine = create_engine(f"postgresql+psycopg://{place}")
        if given["fresh"]:
            METADATA.create_all(self.engine)

    def ids(self, count: int) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.scalars(select(ACCOUNT.c.id).order_by(ACCOUNT.c.id).limit(count)))

    def write(self, rows: list[dict[str, Any]]) -> None:
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        stamp = {"created_at": now, "updated_at": now}
        lists: list[list[dict[str, Any]]] = [[], [], [], []]
        own = ("name", "industry", "grade", "employees", "website", "email", "phone")
        for row in rows:
            id_ = self.next_id
            self.next_id += 1
            lists[0].append({"id": id_, **{key: row[key] for key in own}, "kind": "company", "active": True, **stamp})
            person = {"name": row["person"], "family_name": row["family"], "given_name": row["given"]}
            lists[1].append({"id": id_, **person, **stamp})
            link = {"role": row["role"], "title": row["title"]}
            lists[2].append({"id": id_, "account_id": id_, "contact_id": id_, **link})
            owner = {"user_id": row["user"], "role": "owner", "valid_from": SINCE}
            lists[3].append({"id": id_, "account_id": id_, **owner})
        with self.engine.begin() as connection:
            for table, values in zip(TABLES, lists, strict=True):
                connection.execute(insert(table), values)

    def update(self, ids: list[int], names: list[str]) -> None:
        with self.engine.begin() as connection:
            connection.execute(RENAME, [{"b_id": id_, "b_name": name} for id_, name in zip(ids, names, strict=True)])

    def edit(self, ids: list[int], names: list[str]) -> None:
        for id_, name in zip(ids, names, strict=True):
            with self.engine.begin() as connection:
                connection.execute(select(ACCOUNT).where(ACCOUNT.c.id == id_)).one()
                connection.execute(RENAME, {"b_id": id_, "b_name": name})

    def _names(self, statement: Any) -> list[str]:
        statement = statement.order_by(ACCOUNT.c.name, ACCOUNT.c.id).limit(self.page_size)
        with self.engine.connect() as connection:
            return [row.name for row in connection.execute(statement)]

    def page(self, position: int, key: str | None, user: int | None) -> list[str]:
        statement = select(ACCOUNT)
        if user is not None:
            joined = ACCOUNT.join(OWNERSHIP, OWNERSHIP.c.account_id == ACCOUNT.c.id)
            statement = statement.select_from(joined).where(OWNERSHIP.c.user_id == user)
        return self._names(statement if key is None else statement.where(ACCOUNT.c.name > key))

    def search(self, word: str, user: int | None) -> list[str]:
        return self._names(select(ACCOUNT).where(ACCOUNT.c.name.ilike(f"%{word}%")))

    def count(self) -> tuple[int, int]:
        with self.engine.connect() as connection:
            accounts, contacts = (
                connection.scalar(select(func.count()).select_from(table)) or 0 for table in (ACCOUNT, CONTACT)
            )
        return accounts, contacts


def _settle(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


if __name__ == "__main__":
    serve(Core)
