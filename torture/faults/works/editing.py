"""The daily work of people, a transaction each; and the erasure of a person."""

from __future__ import annotations

from collections.abc import Callable

from crm_core import Account, Activity, Contact, Crm, CrmSession, contacts, ownership, pools
from torture.faults.ground import Ground
from torture.faults.works.work import Work

__all__ = ["Editing", "Erasing"]

_MARK = "edited"


class Editing(Work):
    """Creations, changes, deletions, transfers, claims and releases; whoever comes back does what is not done yet."""

    name = "edit"

    def run(self, ground: Ground, crm: Crm) -> None:
        for number, step in enumerate(self._steps(ground)):
            with crm.session("director", reason=f"{_MARK} {number}") as session:
                step(session)
            ground.acknowledge(session.last_change_set)
        for id_ in ground.facts["free"]:
            with crm.session("sales2", reason=f"{_MARK} by claiming") as session:
                self._claim(session, id_)
            ground.acknowledge(session.last_change_set)

    def _steps(self, ground: Ground) -> list[Callable[[CrmSession], object]]:
        first, second = ground.facts["pairs"][0]
        third, fourth = ground.facts["pairs"][1]
        return [
            lambda session: self._found(session, "Founded"),
            lambda session: self._rename(session, first),
            lambda session: self._transfer(session, second),
            lambda session: self._delete(session, third),
            lambda session: self._visit(session, fourth),
            lambda session: self._found(session, "Founded later"),
        ]

    @staticmethod
    def _found(session: CrmSession, name: str) -> None:
        if not session.count(Account, f"name == {name!r}"):
            account = session.add_one(Account(name=name))
            person = session.add_one(Contact(name=f"Founder of {name}"))
            contacts.affiliate(session, person, account)

    @staticmethod
    def _rename(session: CrmSession, id_: int) -> None:
        session.require(Account, id_).name = "Renamed"

    @staticmethod
    def _transfer(session: CrmSession, id_: int) -> None:
        account = session.require(Account, id_)
        owner = ownership.owner(session, account)
        if owner is None or owner.login != "sales3":
            ownership.transfer(session, account, to="sales3")

    @staticmethod
    def _delete(session: CrmSession, id_: int) -> None:
        account = session.get(Account, id_)
        if account is not None:
            session.delete(account)

    @staticmethod
    def _visit(session: CrmSession, id_: int) -> None:
        if not session.count(Activity, "subject == 'A visit'"):
            session.add(Activity(kind="visit", account_id=id_, subject="A visit"))

    @staticmethod
    def _claim(session: CrmSession, id_: int) -> None:
        if session.get(Account, id_) is None:  # whoever does not own it does not see it
            pools.claim(session, "all", id_)


class Erasing(Work):
    """The erasure of a person, in rows and journal: after it nothing may be found of them."""

    name = "erase"
    hooks = False

    def run(self, ground: Ground, crm: Crm) -> None:
        with crm.system_session("erasure") as session:
            person = session.require(Contact, ground.facts["person"])
            if person.erased_at is None:
                contacts.erase(session, person, reason="asked for")
        ground.acknowledge(session.last_change_set)
