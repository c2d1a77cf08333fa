"""A company whose customers may be there twice, and what its tests share."""

from __future__ import annotations

from typing import Any

import attrs

from crm_core import Account, Affiliation, Contact, ContactPoint, Crm, PointKind, Unit, User, organisation, ownership
from crm_core.store.session import CrmSession


@attrs.frozen
class Company:
    """Li and Wang sell in East, Zhao is in charge of it, Sun sells in West, Qian administers."""

    crm: Crm

    def session(self, login: str, **options: Any) -> CrmSession:
        return self.crm.session(login, **options)

    def system(self, **options: Any) -> CrmSession:
        return self.crm.system_session("test", **options)

    def account(self, owner: str | None, **values: Any) -> int:
        """An account, owned by somebody."""
        with self.system() as session:
            account = session.add_one(Account(**values))
            if owner is not None:
                ownership.assign(session, account, to=owner, since_always=True)
            return account.id

    def person(self, account: int | None, name: str, *points: tuple[str, str], **values: Any) -> int:
        """A contact, who works at an account."""
        with self.system() as session:
            contact = session.add_one(Contact(name=name, **values))
            if account is not None:
                session.add(Affiliation(account_id=account, contact_id=contact.id))
            for kind, value in points:
                session.add(ContactPoint(contact_id=contact.id, kind=PointKind(kind), value=value))
            return contact.id


def opened(url: str, **sections: Any) -> Crm:
    """A CRM with its tables."""
    crm = Crm.open({"crm": {"database": url}, **sections}, check=False)
    crm.migrate()
    return crm


def populate(crm: Crm) -> Company:
    with crm.system_session("init") as session:
        root = session.add_one(Unit(name="Root"))
        for name in ("East", "West"):
            session.add(Unit(name=name, parent_id=root.id))
        session.flush()
        for login, unit, role in (
            ("li", "East", "sales"),
            ("wang", "East", "sales"),
            ("zhao", "East", "manager"),
            ("sun", "West", "sales"),
            ("qian", "Root", "administrator"),
        ):
            session.add(User(login=login, name=login.capitalize()))
            session.flush()
            organisation.join(session, login, unit, role=role, since_always=True)
    return Company(crm)
