"""Tryton: parties with a person among their contact mechanisms, ``create`` with lists, pages by offset, ``ir.rule``.

The module ``crm_benchmark_owner`` (the folder ``tryton_owner``, copied into Tryton's modules) gives parties a
salesperson and an index for the order of the list.
"""

from __future__ import annotations

import os
from typing import Any

from serving import serve

MODULES = ["party", "sale_opportunity", "crm_benchmark_owner"]
ADMINISTRATOR = 1


class Tryton:
    """What its client and its scripts do: models in a transaction."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.page_size = given["page"]
        database = given["database"]
        from trytond import config

        if database["kind"] == "sqlite":
            folder, file = os.path.split(database["path"])
            self.name = file.removesuffix(".sqlite")
            config.set("database", "uri", "sqlite://")
            config.set("database", "path", folder)
        else:
            self.name = database["name"]
            place = f"{database['user']}@{database['host']}:{database['port']}"
            config.set("database", "uri", f"postgresql://{place}/")
        from trytond.pool import Pool
        from trytond.transaction import Transaction

        Pool.start()
        self.transaction, self.pool = Transaction, Pool(self.name)
        if given["fresh"]:
            self._make(given["users"])
        else:
            self.pool.init()
        with self._begin(readonly=True):
            users = self.pool.get("res.user").search([("login", "like", "user%")], order=[("id", "ASC")])
            self.users = [user.id for user in users]

    def _begin(self, user: int = ADMINISTRATOR, readonly: bool = False, checked: bool = False) -> Any:
        return self.transaction().start(self.name, user, readonly=readonly, context={"_check_access": checked})

    def _make(self, users: int) -> None:
        from trytond import backend

        database = backend.Database().connect()
        if backend.name == "sqlite":
            connection = database.get_connection(autocommit=True)
            database.create(connection, self.name)
            database.put_connection(connection)
            database.close()
        database = backend.Database(self.name).connect()
        connection = database.get_connection()
        database.init()
        with connection.cursor() if backend.name == "postgresql" else _closing(connection.cursor()) as cursor:
            from sql import Table

            settings = Table("ir_configuration")
            cursor.execute(*settings.insert([settings.language], [["en"]]))
        connection.commit()
        database.put_connection(connection)
        self.pool.init(update=["res", "ir"], lang=["en"])
        with self.transaction().start(self.name, 0):
            self.pool.get("ir.module").update_list()
            self.pool.get("res.user").create(
                [{"login": "administrator", "name": "Administrator", "administrator": True}]
            )
        self.pool.init(update=MODULES, lang=["en"], activatedeps=True)
        with self.transaction().start(self.name, 0):
            self.pool.get("res.user").create(
                [{"login": f"user{number:02d}", "name": f"User {number}"} for number in range(users)]
            )
            rule = {"domain": '[["salesperson", "=", {"__class__": "Eval", "v": "user_id", "d": -1}]]'}
            self.pool.get("ir.rule.group").create(
                [
                    {
                        "name": "Own parties",
                        "model": "party.party",
                        "global_p": False,
                        "default_p": True,
                        "rules": [("create", [rule])],
                    }
                ]
            )

    def ids(self, count: int) -> list[int]:
        with self._begin(readonly=True):
            found = self.pool.get("party.party").search([], order=[("id", "ASC")], limit=count)
            return [party.id for party in found]

    def _values(self, row: dict[str, Any]) -> dict[str, Any]:
        ways = [
            {"type": "email", "value": row["email"], "name": row["person"], "comment": row["title"]},
            {"type": "phone", "value": row["phone"]},
            {"type": "website", "value": row["website"]},
        ]
        return {
            "name": row["name"],
            "salesperson": self.users[row["user"]],
            "contact_mechanisms": [("create", ways)],
        }

    def bulk(self, rows: list[dict[str, Any]]) -> None:
        Party = self.pool.get("party.party")  # noqa: N806 - as Tryton writes it
        for offset in range(0, len(rows), 1000):
            with self._begin():
                Party.create([self._values(row) for row in rows[offset : offset + 1000]])

    def single(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            with self._begin():
                self.pool.get("party.party").create([self._values(row)])

    def update(self, ids: list[int], names: list[str]) -> None:
        with self._begin():
            Party = self.pool.get("party.party")  # noqa: N806
            parties = Party.browse(ids)
            for party, name in zip(parties, names, strict=True):
                party.name = name
            Party.save(parties)

    def edit(self, ids: list[int], names: list[str]) -> None:
        for id_, name in zip(ids, names, strict=True):
            with self._begin():
                party = self.pool.get("party.party")(id_)
                party.name = name
                party.save()

    def _names(self, domain: list[Any], position: int, user: int | None) -> list[str]:
        order = [("name", "ASC"), ("id", "ASC")]
        reader = ADMINISTRATOR if user is None else self.users[user]
        with self._begin(reader, readonly=True, checked=user is not None):
            found = self.pool.get("party.party").search(domain, position, self.page_size, order)
            return [party.name for party in found]

    def page(self, position: int, key: str | None, user: int | None) -> list[str]:
        return self._names([], position, user)

    def search(self, word: str, user: int | None) -> list[str]:
        return self._names([("name", "ilike", f"%{word}%")], 0, user)

    def count(self) -> tuple[int, int]:
        with self._begin(readonly=True):
            people = self.pool.get("party.contact_mechanism").search([("name", "!=", None)], count=True)
            return self.pool.get("party.party").search([], count=True), people


def _closing(cursor: Any) -> Any:
    from contextlib import closing

    return closing(cursor)


if __name__ == "__main__":
    serve(Tryton)
