"""The limit: plain SQL through the database's driver (sqlite3, psycopg), no checks, no history, nothing kept beside."""

from __future__ import annotations

import datetime as dt
from typing import Any

from serving import InBatches, serve

TABLES = (
    """CREATE TABLE account (id BIGINT PRIMARY KEY, name VARCHAR(200) NOT NULL, industry VARCHAR(80),
       grade VARCHAR(10), employees INTEGER, website VARCHAR(500), email VARCHAR(254), phone VARCHAR(40),
       kind VARCHAR(40) NOT NULL, active BOOLEAN NOT NULL, created_at TIMESTAMP NOT NULL,
       updated_at TIMESTAMP NOT NULL)""",
    "CREATE INDEX account_name ON account (name, id)",
    "CREATE INDEX account_grade ON account (grade)",
    """CREATE TABLE contact (id BIGINT PRIMARY KEY, name VARCHAR(200) NOT NULL, family_name VARCHAR(80),
       given_name VARCHAR(80), created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL)""",
    "CREATE INDEX contact_name ON contact (name, id)",
    """CREATE TABLE affiliation (id BIGINT PRIMARY KEY, account_id BIGINT NOT NULL REFERENCES account,
       contact_id BIGINT NOT NULL REFERENCES contact, role VARCHAR(80), title VARCHAR(120))""",
    "CREATE INDEX affiliation_account ON affiliation (account_id)",
    "CREATE INDEX affiliation_contact ON affiliation (contact_id)",
    """CREATE TABLE ownership (id BIGINT PRIMARY KEY, account_id BIGINT NOT NULL REFERENCES account,
       user_id BIGINT NOT NULL, role VARCHAR(20) NOT NULL, valid_from TIMESTAMP NOT NULL)""",
    "CREATE INDEX ownership_account ON ownership (account_id)",
    "CREATE INDEX ownership_user ON ownership (user_id, account_id)",
)
INSERTS = (
    "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'company', TRUE, ?, ?)",
    "INSERT INTO contact VALUES (?, ?, ?, ?, ?, ?)",
    "INSERT INTO affiliation VALUES (?, ?, ?, ?, ?)",
    "INSERT INTO ownership VALUES (?, ?, ?, 'owner', ?)",
)
COLUMNS = (
    "a.id, a.name, a.industry, a.grade, a.employees, a.website, a.email, a.phone, a.kind, a.active, a.created_at, "
    "a.updated_at"
)
SINCE = "2020-01-01 00:00:00"


class Raw(InBatches):
    """Statements as one writes them by hand."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.page_size, self.next_id = given["page"], 1
        database = given["database"]
        self.sqlite = database["kind"] == "sqlite"
        if self.sqlite:
            import sqlite3

            self.connection: Any = sqlite3.connect(database["path"], isolation_level=None)
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                self.connection.execute(f"PRAGMA {pragma}")
        else:
            import psycopg

            where = {"host": database["host"], "port": database["port"], "user": database["user"]}
            self.connection = psycopg.connect(dbname=database["name"], autocommit=True, **where)
        if given["fresh"]:
            for statement in TABLES:
                self.connection.execute(statement)

    def sql(self, statement: str) -> str:
        """A statement in the driver's style of parameters."""
        return statement if self.sqlite else statement.replace("?", "%s")

    def ask(self, statement: str, *values: Any) -> list[Any]:
        """All rows."""
        found: list[Any] = self.connection.execute(self.sql(statement), values).fetchall()
        return found

    def ids(self, count: int) -> list[int]:
        return [row[0] for row in self.ask("SELECT id FROM account ORDER BY id LIMIT ?", count)]

    def _ready(self, rows: list[dict[str, Any]]) -> list[list[tuple[Any, ...]]]:
        now = str(dt.datetime.now(dt.UTC).replace(tzinfo=None))
        lists: list[list[tuple[Any, ...]]] = [[], [], [], []]
        for row in rows:
            id_ = self.next_id
            self.next_id += 1
            lists[0].append(
                (id_, row["name"], row["industry"], row["grade"], row["employees"], row["website"], row["email"],
                 row["phone"], now, now)
            )  # fmt: skip
            lists[1].append((id_, row["person"], row["family"], row["given"], now, now))
            lists[2].append((id_, id_, id_, row["role"], row["title"]))
            lists[3].append((id_, id_, row["user"], SINCE))
        return lists

    def write(self, rows: list[dict[str, Any]]) -> None:
        cursor = self.connection.cursor()
        cursor.execute("BEGIN")
        for statement, values in zip(INSERTS, self._ready(rows), strict=True):
            cursor.executemany(self.sql(statement), values)
        cursor.execute("COMMIT")

    def update(self, ids: list[int], names: list[str]) -> None:
        cursor = self.connection.cursor()
        cursor.execute("BEGIN")
        cursor.executemany(self.sql("UPDATE account SET name = ? WHERE id = ?"), list(zip(names, ids, strict=True)))
        cursor.execute("COMMIT")

    def edit(self, ids: list[int], names: list[str]) -> None:
        for id_, name in zip(ids, names, strict=True):
            self.ask(f"SELECT {COLUMNS} FROM account AS a WHERE id = ?", id_)
            self.connection.execute(self.sql("UPDATE account SET name = ? WHERE id = ?"), (name, id_))

    def page(self, position: int, key: str | None, user: int | None) -> list[str]:
        source = "account AS a"
        where, values = ["TRUE"], []
        if user is not None:
            source += " JOIN ownership AS o ON o.account_id = a.id"
            where, values = ["o.user_id = ?"], [user]
        if key is not None:
            where.append("a.name > ?")
            values.append(key)
        statement = f"SELECT {COLUMNS} FROM {source} WHERE {' AND '.join(where)} ORDER BY a.name, a.id LIMIT ?"
        return [row[1] for row in self.ask(statement, *values, self.page_size)]

    def search(self, word: str, user: int | None) -> list[str]:
        like = "LIKE" if self.sqlite else "ILIKE"
        statement = f"SELECT {COLUMNS} FROM account AS a WHERE a.name {like} ? ORDER BY a.name, a.id LIMIT ?"
        return [row[1] for row in self.ask(statement, f"%{word}%", self.page_size)]

    def count(self) -> tuple[int, int]:
        return self.ask("SELECT count(*) FROM account")[0][0], self.ask("SELECT count(*) FROM contact")[0][0]


if __name__ == "__main__":
    serve(Raw)
