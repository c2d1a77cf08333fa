"""Ours: the kernel with the plugins that are named; access is checked where ``access`` says so."""

from __future__ import annotations

import datetime as dt
from typing import Any

from serving import serve

from crm_core import Account, Affiliation, Contact, Crm, Membership, Ownership, Unit, User

SINCE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
IMPORTER = "importer"
OWN = ("name", "industry", "grade", "employees", "website", "email", "phone")


class Ours:
    """``add_many`` and ``update_many`` for many, objects for one, keyset pages; every page in a session of its own."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.page_size, self.access = given["page"], given["access"]
        database = given["database"]
        if database["kind"] == "sqlite":
            url = f"sqlite:///{database['path']}"
        else:
            url = f"postgresql+psycopg://{database['user']}@{database['host']}:{database['port']}/{database['name']}"
        build = {"crm": {"name": "benchmark", "database": url, "plugins": given["plugins"]}}
        self.crm = Crm.open(build, check=not given["fresh"])
        if given["fresh"]:
            self.crm.migrate()
            self._organise(given["users"])
        with self.crm.system_session("init", read_only=True) as session:
            found = {user.login: user.id for user in session.list(User, limit=None)}
        self.users = [found[f"user{number}"] for number in range(given["users"])]

    def _organise(self, users: int) -> None:
        with self.crm.system_session("init") as session:
            unit = session.add_one(Unit(name="Sales"))
            for number in range(users):
                user = session.add_one(User(login=f"user{number}", name=f"User {number}"))
                session.add(Membership(user_id=user.id, unit_id=unit.id, role="sales"))
            importer = session.add_one(User(login=IMPORTER, name="Importer"))
            session.add(Membership(user_id=importer.id, unit_id=unit.id, role="administrator"))

    def _session(self, user: int | None = None, read_only: bool = False) -> Any:
        if user is not None:
            return self.crm.session(f"user{user}", read_only=read_only)
        if self.access:
            return self.crm.session(IMPORTER, read_only=read_only)
        return self.crm.system_session("import", read_only=read_only)

    def ids(self, count: int) -> list[int]:
        with self.crm.system_session("read", read_only=True) as session:
            return [account.id for account in session.list(Account, order="id", limit=count)]

    def bulk(self, rows: list[dict[str, Any]]) -> None:
        for offset in range(0, len(rows), 1000):
            part = rows[offset : offset + 1000]
            with self._session() as session:
                accounts = session.add_many(Account, ({key: row[key] for key in OWN} for row in part))
                contacts = session.add_many(
                    Contact,
                    ({"name": row["person"], "family_name": row["family"], "given_name": row["given"]} for row in part),
                )
                session.add_many(
                    Affiliation,
                    (
                        {"account_id": one, "contact_id": two, "role": row["role"], "title": row["title"]}
                        for one, two, row in zip(accounts, contacts, part, strict=True)
                    ),
                )
                session.add_many(
                    Ownership,
                    (
                        {"account_id": one, "user_id": self.users[row["user"]], "valid_from": SINCE}
                        for one, row in zip(accounts, part, strict=True)
                    ),
                )

    def single(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            with self._session() as session:
                account = session.add_one(Account(**{key: row[key] for key in OWN}))
                contact = session.add_one(
                    Contact(name=row["person"], family_name=row["family"], given_name=row["given"])
                )
                link = {"role": row["role"], "title": row["title"]}
                session.add(Affiliation(account_id=account.id, contact_id=contact.id, **link))
                session.add(Ownership(account_id=account.id, user_id=self.users[row["user"]], valid_from=SINCE))

    def update(self, ids: list[int], names: list[str]) -> None:
        with self._session() as session:
            session.update_many(Account, ({"id": id_, "name": name} for id_, name in zip(ids, names, strict=True)))

    def edit(self, ids: list[int], names: list[str]) -> None:
        for id_, name in zip(ids, names, strict=True):
            with self._session() as session:
                session.require(Account, id_).name = name

    def page(self, position: int, key: Any, user: int | None) -> list[str]:
        with self._session(user, read_only=True) as session:
            found = session.list(Account, order="name", limit=self.page_size, after=key)
            return [account.name for account in found]

    def key(self, name: str) -> Any:
        """Where a name stands in the order: what a client got with the page before, so it is not measured."""
        with self.crm.system_session("read", read_only=True) as session:
            (account,) = session.list(Account, f'iequals(name, "{name}")', limit=1)
            return session.cursor(account, "name")

    def search(self, word: str, user: int | None) -> list[str]:
        with self._session(user, read_only=True) as session:
            found = session.list(Account, f'icontains(name, "{word}")', order="name", limit=self.page_size)
            return [account.name for account in found]

    def count(self) -> tuple[int, int]:
        with self.crm.system_session("read", read_only=True) as session:
            return session.count(Account), session.count(Contact)


if __name__ == "__main__":
    serve(Ours)
