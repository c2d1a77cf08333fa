"""What is kept for rights of one shape: shared by all who have such rights, and right for each of them."""

from __future__ import annotations

import datetime as dt
import gc
from typing import Any

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.sql.visitors import iterate

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership
from crm_core.errors import PermissionDenied
from crm_core.store.actor import Actor
from crm_core.store.reading import _mapped
from crm_core.store.shapes import _KEPT, Shape, Shapes, Way, values_of
from crm_core.testing.statements import counted

from .access_records import POLICY, TYPES
from .conftest import Company

ACCOUNTS = select(Account.name).order_by(Account.name)
"""Statements that are kept: what was made of them for one user is there for the next."""
NOTES = select(Contact.note)


def shape(company: Company, login: str) -> Shape:
    with company.session(login, read_only=True) as session:
        return session._reading._shape


def names(company: Company, login: str, **options: Any) -> list[str]:
    with company.session(login, read_only=True, **options) as session:
        return list(session.scalars(ACCOUNTS))


def test_people_with_the_same_role_share_what_is_made_and_see_what_is_theirs(company: Company) -> None:
    assert shape(company, "li") is shape(company, "wang") is shape(company, "sun")
    assert shape(company, "li") is not shape(company, "zhou")
    for _ in range(2):
        found = {login: names(company, login) for login in ("li", "wang", "sun", "zhou", "wu", "qian")}
        assert found == {
            "li": ["Acme"], "wang": ["Beta"], "sun": [], "zhou": ["Acme", "Beta"], "wu": ["Acme", "Beta"],
            "qian": ["Acme", "Beta"],
        }  # fmt: skip
    assert ACCOUNTS in shape(company, "sun").statements


def test_managers_of_different_units_share_what_is_made_and_see_their_unit(company: Company) -> None:
    with company.session() as session:
        ma = session.add_one(User(login="ma", name="Ma"))
        session.add(Membership(user_id=ma.id, unit_id=company.units["West"], role="manager"))
        west = session.add_one(Account(name="Westwind"))
        session.add(Ownership(account_id=west.id, user_id=company.users["sun"]))
    for _ in range(2):
        assert (names(company, "zhou"), names(company, "ma")) == (["Acme", "Beta"], ["Westwind"])
    assert shape(company, "zhou") is shape(company, "ma")


def test_a_right_that_is_taken_away_is_gone_with_the_next_session(company: Company) -> None:
    assert names(company, "zhou") == ["Acme", "Beta"]
    with company.session() as session:
        place = session.list(Membership, f"user_id == {company.users['zhou']}")[0]
        place.role = "guest"
    assert names(company, "zhou") == []
    with company.session() as session:
        session.require(Membership, place.id).role = "manager"
    assert names(company, "zhou") == ["Acme", "Beta"]
    with company.session() as session:
        owner = session.list(Ownership, f"account_id == {company.beta}")[0]
        session.delete(owner)
    assert names(company, "zhou") == ["Acme"]


def test_who_may_read_a_closed_field_opens_it_for_nobody_else(company: Company) -> None:
    with company.session("tao", read_only=True) as session:
        may = session.can("contact.read_notes")
        opened = list(session.scalars(NOTES)) if may else []
    assert may and NOTES in shape(company, "tao").statements, opened
    for _ in range(2):
        with company.session("li", read_only=True) as session, pytest.raises(PermissionDenied):
            session.scalars(NOTES)


def test_dates_are_those_of_the_session(company: Company) -> None:
    owners = select(Ownership.user_id).where(Ownership.account_id == company.acme)
    with company.session() as session:
        since = session.now - dt.timedelta(days=1)
        session.list(Ownership, f"account_id == {company.acme}")[0].valid_from = since
    long_ago = since - dt.timedelta(days=1)
    for at, found in ((None, [company.users["li"]]), (long_ago, []), (since, [company.users["li"]])):
        with company.session("zhou", at=at) as session:
            assert list(session.scalars(owners)) == found
            assert len(list(session.scalars(owners, execution_options={"all_dates": True}))) == 1


def test_nobody_can_bring_values_of_somebody_else(company: Company) -> None:
    """Parameters of a statement may be called like those of the conditions."""
    theirs = {"crm_user": company.users["wang"], "crm_unit0": company.units["Root"], "crm_now": None, "crm_at": None}
    asked = select(Account.name).where(Account.id != bindparam("crm_user"), Account.id != bindparam("other"))
    with company.session("li", read_only=True) as session:
        assert list(session.scalars(asked, {**theirs, "other": 0})) == ["Acme"]
        assert list(session.scalars(asked.params(**theirs, other=0))) == ["Acme"]
        assert list(session.scalars(ACCOUNTS, [theirs])) == ["Acme"]


def test_roles_in_one_unit_are_another_shape_than_roles_in_two(company: Company) -> None:
    shapes = Shapes(TYPES, POLICY)

    def of(*places: tuple[int, str]) -> Shape:
        return shapes.of(Actor("x", user_id=1, places=places))

    assert of((5, "sales"), (5, "manager")) is of((7, "manager"), (7, "sales"))
    assert of((5, "sales"), (6, "manager")) is not of((5, "sales"), (5, "manager"))
    assert of((5, "sales")) is not of((5, "manager"))
    actor = Actor("x", user_id=1, places=((9, "sales"), (4, "manager"), (9, "manager")))
    values = values_of(actor, None, None)  # type: ignore[arg-type]
    like = shapes.of(actor).actor
    assert {(values[f"crm_unit{unit}"], role) for unit, role in like.places} == set(actor.places)


def test_only_so_many_shapes_are_kept(company: Company) -> None:
    shapes = Shapes(TYPES, POLICY)
    first = shapes.of(Actor("x", user_id=1, places=((1, "role"),)))
    for number in range(_KEPT):
        assert shapes.of(Actor("x", user_id=1, places=((1, "role"),))) is first
        latest = Actor("x", user_id=1, places=tuple((unit, "role") for unit in range(number + 2)))
        assert shapes.of(latest) is shapes.of(latest)
    assert len(shapes._shapes) == _KEPT


def test_a_statement_that_nobody_keeps_is_not_kept_here(company: Company) -> None:
    kept = shape(company, "li").statements
    with company.session("li", read_only=True) as session:
        once = select(Account.name)
        session.scalars(once).all()
        assert once in kept
        del once
    gc.collect()
    assert all(statement is ACCOUNTS or statement is NOTES for statement in kept), list(kept)


@pytest.mark.parametrize("login", ["li", "zhou", "mei", "tao"])
def test_two_conditions_share_no_parameter_but_the_named_ones(company: Company, login: str) -> None:
    """Of two that share one, the cache of statements would take the values of the one for those of the other."""
    made = shape(company, login)
    seen: dict[Any, Any] = {}

    def look(owner: Any, condition: Any) -> None:
        mine = {each for each in owner._parameters if not each.key.startswith("crm_")}
        assert all(each.unique for each in mine)
        inside = [each for each in iterate(condition) if each.__visit_name__ == "bindparam"]
        assert mine >= {each for each in inside if each.unique}
        for each in mine:
            assert seen.setdefault(each, owner) is owner

    for record_type in made.types.values():
        for dated in (False, True):
            for gathered, wide in ((False, False), (False, True), (True, False)):
                option = made.option(record_type, _mapped(record_type), dated, Way(False, gathered, wide))
                if option is not None:
                    look(option, option.where_criteria)
            for held in (False, True):
                passing = made.passing(record_type, dated, held)
                if passing is not None:
                    look(passing.condition, passing.condition.element)
    assert seen


def test_units_and_people_reach_the_database_as_parameters(company: Company) -> None:
    """One statement of the database for all who have the same rights: it is planned and kept once."""
    names(company, "li")  # the first time it is SQLAlchemy that writes the text
    with counted(company) as seen:
        for login in ("li", "wang", "sun"):
            names(company, login)
    asked = {each for each in seen if "FROM crm_account" in each}
    assert len(asked) == 1, asked


def test_rights_of_two_roles_meet_in_each_unit(company: Company) -> None:
    """A person with two places, and another with the same places the other way round."""
    with company.session() as session:
        north = session.add_one(Unit(name="North", parent_id=company.units["Root"]))
        for login, manages, sells in (("yu", "East", north.id), ("lu", "North", company.units["East"])):
            user = session.add_one(User(login=login, name=login.title()))
            unit = north.id if manages == "North" else company.units[manages]
            session.add(Membership(user_id=user.id, unit_id=sells, role="sales"))
            session.add(Membership(user_id=user.id, unit_id=unit, role="manager"))
        pole = session.add_one(Account(name="Pole"))
        session.add(Ownership(account_id=pole.id, user_id=session.list(User, 'login == "lu"')[0].id))
    assert shape(company, "yu") is shape(company, "lu")
    for _ in range(2):
        assert names(company, "yu") == ["Acme", "Beta", "Pole"]  # Lu sells in East, which Yu manages
        assert names(company, "lu") == ["Pole"]
