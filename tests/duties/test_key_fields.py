"""Key fields: in whatever way somebody writes, only stewards (and the system) change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from crm_core import Account, Contact, shares
from crm_core.errors import PermissionDenied
from crm_core.store.policy import Role, Scope
from crm_core.store.session import CrmSession

from .conftest import World, refusal

Write = Callable[[CrmSession, type[Any], int, dict[str, Any]], Any]


def give_role(world: World, name: str, grants: dict[str, Scope]) -> None:
    """A role as the build file would have it."""
    policy = world.crm.build.policy
    policy.roles[name] = Role(name, tuple(grants.items()))  # type: ignore[index]
    policy.vocabularies["role"][name] = name  # type: ignore[index]


def by_object(session: CrmSession, cls: type[Any], id_: int, values: dict[str, Any]) -> None:
    record = session.require(cls, id_)
    for name, value in values.items():
        setattr(record, name, value)
    session.flush()


def by_bulk(session: CrmSession, cls: type[Any], id_: int, values: dict[str, Any]) -> None:
    session.update_many(cls, [{"id": id_, **values}])


def by_criteria(session: CrmSession, cls: type[Any], id_: int, values: dict[str, Any]) -> None:
    session.execute(update(cls).where(cls.id == id_).values(**values))


WAYS: dict[str, Write] = {"object": by_object, "bulk": by_bulk, "criteria": by_criteria}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_field_is_not_changed_directly(world: World, way: str) -> None:
    acme = world.accounts["Acme"]
    told = refusal(world, "li", lambda session: WAYS[way](session, Account, acme, {"name": "Acme Ltd"}))
    assert told == (
        f"PermissionDenied: name of the account {acme} is a key field: only a steward changes it. "
        f"Propose it: crm quality propose account {acme} name=..."
    )
    with world.session() as session:
        assert session.require(Account, acme).name == "Acme"


@pytest.mark.parametrize("way", WAYS)
def test_a_custom_field_is_guarded_too(world: World, way: str) -> None:
    acme = world.accounts["Acme"]
    told = refusal(world, "li", lambda session: WAYS[way](session, Account, acme, {"custom": {"segment": "x"}}))
    assert told.startswith(f"PermissionDenied: segment of the account {acme} is a key field")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("login", ["sun", "qian", None])
def test_stewards_and_the_system_change_it(world: World, way: str, login: str | None) -> None:
    acme = world.accounts["Acme"]
    with world.session(login) as session:
        WAYS[way](session, Account, acme, {"name": "Acme Ltd"})
    with world.session() as session:
        assert session.require(Account, acme).name == "Acme Ltd"


@pytest.mark.parametrize("way", WAYS)
def test_what_is_unchanged_or_no_key_field_is_free(world: World, way: str) -> None:
    acme = world.accounts["Acme"]
    assert refusal(world, "li", lambda s: WAYS[way](s, Account, acme, {"name": "Acme", "industry": "steel"})) == ""


def test_creation_is_free_and_what_is_new_may_still_be_shaped(world: World) -> None:
    with world.session("li") as session:
        account = session.add_one(Account(name="New", registration_number="1"))
        session.flush()
        account.name = "Newer"
        session.flush()
        session.update_many(Account, [{"id": account.id, "registration_number": "2"}])
    assert refusal(world, "li", lambda s: by_object(s, Account, account.id, {"name": "Newest"})) != ""


def test_what_is_not_seen_is_not_told_of(world: World) -> None:
    delta = world.accounts["Delta"]
    missing = refusal(world, "li", lambda session: by_bulk(session, Account, 999_999_999, {"name": "x"}))
    hidden = refusal(world, "li", lambda session: by_bulk(session, Account, delta, {"name": "x"}))
    assert hidden == missing.replace("999999999", str(delta))


def test_a_steward_of_a_unit_guards_what_it_owns(world: World) -> None:
    give_role(world, "clerk", {"*.read": Scope.ALL, "account.update": Scope.ALL, "quality.decide": Scope.UNIT})
    assert refusal(world, "mei", lambda s: by_bulk(s, Account, world.accounts["Cave"], {"name": "x"})) == ""
    assert "key field" in refusal(world, "mei", lambda s: by_bulk(s, Account, world.accounts["Acme"], {"name": "x"}))


def test_nobody_lends_the_right_to_decide_without_having_it(world: World) -> None:
    give_role(world, "helper", {"quality.decide": Scope.OWN})

    def lend(session: CrmSession) -> None:
        acme = session.require(Account, world.accounts["Acme"])
        shares.grant(session, acme, user="wang", role="helper", reason="names")

    assert "cannot lend the role helper" in refusal(world, "li", lend)
    with world.session("qian") as session:
        lend(session)


# each example is rolled back
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Acme", "Beta"]),
            st.dictionaries(
                st.sampled_from(["name", "registration_number", "industry", "custom"]),
                st.sampled_from(["a", "b", "Acme", "Beta", "Acme-1"]),
                min_size=1,
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_all_ways_of_writing_agree(world: World, changes: list[tuple[str, dict[str, str]]]) -> None:
    """Whether a change is refused, and why, does not depend on the way in which it is made."""
    answers = set()
    for write in WAYS.values():
        with world.session("li") as session:
            try:
                for name, values in changes:
                    given_ = {key: {"segment": value} if key == "custom" else value for key, value in values.items()}
                    write(session, Account, world.accounts[name], given_)
                session.check()
                answers.add("")
            except PermissionDenied as error:
                answers.add(str(error))
            finally:
                session.rollback()
    assert len(answers) == 1


def test_people_are_guarded_too(world: World) -> None:
    person = world.people["Acme"]
    assert "name of the contact" in refusal(world, "li", lambda s: by_object(s, Contact, person, {"name": "Other"}))
    assert refusal(world, "li", lambda s: by_object(s, Contact, person, {"language": "zh"})) == ""
