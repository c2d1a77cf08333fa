"""A key counts only for whoever sees the record that it is read from: nothing is told of a hidden one by its key."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crm_core import Account, Affiliation, Contact, ContactPoint, Membership, duplicates
from crm_core.domain.contacts import PointKind
from crm_core.testing.statements import counted
from crm_core.views.stewardship import queue

from .support import Company, opened, populate

CLERK = {
    "account.read": "own", "contact.read": "own", "contact.create": "own", "affiliation.read": "own",
    "affiliation.create": "own", "contact_point.create": "own", "account.create": "own",
}  # fmt: skip


@pytest.fixture
def with_clerk(database_url: str):
    """The company, where Sun is a clerk who reads no contact points."""
    with opened(database_url, roles={"clerk": {"permissions": CLERK}}) as crm:
        company = populate(crm)
        with company.system() as session:
            for place in session.scalars(select(Membership)):
                if place.user.login == "sun":
                    place.role = "clerk"
        yield company


def namesakes(company: Company) -> tuple[int, list[int], int]:
    """Two people called the same, at an account of Li's each, and both at a hidden employer of Sun's."""
    hidden = company.account("sun", name="Hidden employer")
    people = [company.person(company.account("li", name=f"Firm {n}"), "Zhang San") for n in range(2)]
    with company.system() as session:
        for person in people:
            session.add(Affiliation(account_id=hidden, contact_id=person))
    return hidden, people, company.account("li", name="Third")


def test_a_common_employer_that_is_hidden_is_no_hint(company: Company) -> None:
    hidden, people, _ = namesakes(company)
    with company.session("li") as session:
        assert {each.id for each in session.list(Contact)} == set(people)
        assert duplicates.candidates(session, "contact") == []
        assert duplicates.candidates(session, session.require(Contact, people[0])) == []
        assert [each for each in queue(session) if each.kind == "duplicate"] == []
    with company.session("qian") as session:
        (pair,) = duplicates.candidates(session, "contact")
        assert pair.keys[0].key.startswith(f"{hidden} ")


def test_at_one_visible_account_only_the_visible_place_is_the_key(company: Company) -> None:
    hidden, (first, second), third = namesakes(company)
    with company.system() as session:
        for person in (first, second):
            session.add(Affiliation(account_id=third, contact_id=person))
    with company.session("li") as session:
        (pair,) = duplicates.candidates(session, Contact)
        assert [key.key.partition(" ")[0] for key in pair.keys] == [str(third)]
    with company.session("qian") as session:
        (pair,) = duplicates.candidates(session, Contact)
        assert {key.key.partition(" ")[0] for key in pair.keys} == {str(hidden), str(third)}


def test_points_that_are_not_read_are_no_hint(with_clerk: Company) -> None:
    company = with_clerk
    firm = company.account("sun", name="Firm")
    for name in ("Zhang San", "Li Si"):
        company.person(firm, name, ("mobile", "+8613812345678"), ("email", "same@qq.com"), ("wechat", "same"))
    with company.session("sun") as session:
        assert session.count(Contact) == 2
        assert duplicates.candidates(session, "contact") == []
    with company.session("qian") as session:
        assert len(duplicates.candidates(session, "contact")) == 1


def test_points_of_an_account_that_are_not_read_are_no_hint(with_clerk: Company) -> None:
    company = with_clerk
    firms = [company.account("sun", name=name) for name in ("One", "Other")]
    with company.system() as session:
        for firm in firms:
            session.add(ContactPoint(account_id=firm, kind=PointKind.PHONE, value="+861065529988"))
    with company.session("sun") as session:
        assert session.count(Account) == 2
        assert duplicates.candidates(session, Account) == []
    with company.session("qian") as session:
        assert len(duplicates.candidates(session, Account)) == 1


def test_at_creation_a_hidden_source_is_no_hint_either(with_clerk: Company) -> None:
    company = with_clerk
    firm = company.account("sun", name="Firm")
    company.person(firm, "Zhang San", ("mobile", "+8613812345678"))
    with company.session("sun") as session:
        person = session.add_one(Contact(name="Li Si"))
        session.add(Affiliation(account_id=firm, contact_id=person.id))
        session.add(ContactPoint(contact_id=person.id, kind=PointKind.MOBILE, value="+8613812345678"))
        session.check()
        assert list(session.duplicates) == []


def test_whoever_is_seen_is_not_served_by_somebody_out_of_sight(database_url: str) -> None:
    """That a visible account has the key in a hidden contact point must not show by the word *served*."""
    roles = {"clerk": {"permissions": CLERK}}
    with opened(database_url, roles=roles, duplicates={"tell": "whom"}) as crm:
        company = populate(crm)
        with company.system() as session:
            for place in session.scalars(select(Membership)):
                if place.user.login == "sun":
                    place.role = "clerk"
        firm = company.account("sun", name="Firm")
        with company.system() as session:
            session.add(ContactPoint(account_id=firm, kind=PointKind.PHONE, value="+861065529988"))
        with company.session("sun") as session:
            session.add(Account(name="Another", phone="+861065529988"))
            session.check()
            assert list(session.duplicates) == [] and list(session.served) == []


def test_a_constant_number_of_statements(company: Company) -> None:
    def cost() -> tuple[int, int]:
        with company.session("zhao") as session:
            session.list(Account)
            with counted(company.crm) as looked:
                duplicates.candidates(session, "contact")
            firm = session.list(Account, 'name == "Third"')[0]
            person = session.add_one(Contact(name="Zhang San"))
            session.add(Affiliation(account_id=firm.id, contact_id=person.id))
            session.flush()
            with counted(company.crm) as noted:
                session.check()
            session.rollback()
            return len(looked), len(noted)

    _, _, third = namesakes(company)
    company.person(third, "Zhang San", ("mobile", "+8613812345678"))
    few = cost()
    for _ in range(20):
        company.person(third, "Zhang San", ("mobile", "+8613812345678"), ("wechat", "same"))
    assert cost() == few
