"""People who change employer and role, and what stays known."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core import Account, Affiliation, Contact, Crm, NotFound, Unit, contacts, organisation

JANUARY, MARCH, JUNE = dt.date(2024, 1, 1), dt.date(2024, 3, 15), dt.date(2024, 6, 1)


def buyers(crm: Crm, account_id: int, day: dt.date) -> list[str]:
    moment = dt.datetime.combine(day, dt.time(12), dt.UTC)
    with crm.system_session("test", at=moment) as session:
        query = (
            select(Contact.name)
            .join(Affiliation, Affiliation.contact_id == Contact.id)
            .where(Affiliation.account_id == account_id, Affiliation.role == "buyer")
            .order_by(Contact.id)
        )
        return list(session.scalars(query))


def test_who_was_buyer_there_in_march(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme, other = session.add_one(Account(name="Acme")), session.add_one(Account(name="Other"))
        person = session.add_one(Contact(name="单小明"))
        contacts.affiliate(session, person, acme, role="buyer", from_=JANUARY)
        session.flush()
        moved = contacts.move(session, person, to=other, at=JUNE, role="buyer")
        assert moved.primary
    assert buyers(crm, acme.id, MARCH) == ["单小明"]
    assert buyers(crm, other.id, MARCH) == []
    assert buyers(crm, acme.id, JUNE) == []
    assert buyers(crm, other.id, JUNE) == ["单小明"]


def test_a_move_from_one_of_two_employers_leaves_the_other(crm: Crm) -> None:
    with crm.system_session("test") as session:
        one, two, three = (session.add_one(Account(name=name)) for name in ("One", "Two", "Three"))
        person = session.add_one(Contact(name="Ann"))
        contacts.affiliate(session, person, one, since_always=True)
        contacts.affiliate(session, person, two, since_always=True)
        session.flush()
        contacts.move(session, person, to=three, from_account=one, at=JUNE)
        session.flush()
        rows = session.scalars(select(Affiliation).order_by(Affiliation.id)).all()
        assert [row.account_id for row in rows] == [two.id, three.id]


def test_a_confirmation_is_dated(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme, person = session.add_one(Account(name="Acme")), session.add_one(Contact(name="Ann"))
        row = contacts.affiliate(session, person, acme, since_always=True)
        contacts.confirm(session, row, at=MARCH)
        assert row.confirmed_at == dt.datetime(2024, 3, 14, 16, tzinfo=dt.UTC)


def test_members_of_a_unit_by_day(crm: Crm) -> None:
    with crm.system_session("test") as session:
        organisation.leave(session, "li.wei", "EAST", at=JUNE)
        session.flush()
        assert [user.login for user in organisation.members(session, "EAST", at=MARCH)] == ["li.wei", "wang.fang"]
        assert [user.login for user in organisation.members(session, "EAST", at=JUNE)] == ["wang.fang"]
        assert organisation.leave(session, "li.wei", "EAST", at=JUNE) == 0


def test_units_and_users_are_found_by_any_name(crm: Crm) -> None:
    with crm.system_session("test") as session:
        east = organisation.find_unit(session, "East")
        assert organisation.find_unit(session, "EAST") is east
        assert organisation.find_unit(session, east.id) is east
        assert organisation.find_unit(session, east) is east
        user = organisation.find_user(session, "boss")
        assert organisation.find_user(session, user.id) is user
        with pytest.raises(NotFound, match="West"):
            organisation.find_unit(session, "West")


def test_a_unit_cannot_stand_above_itself(crm: Crm) -> None:
    from crm_core import Conflict

    with crm.system_session("test") as session:
        head, east = organisation.find_unit(session, "HQ"), organisation.find_unit(session, "EAST")
        head.parent_id = east.id
        with pytest.raises(Conflict, match="above itself"):
            session.check()
        session.rollback()
        assert session.get(Unit, head.id) is not None
