"""Claiming from a pool: who may, how many, and what the others are told."""

from __future__ import annotations

import datetime as dt

import pytest

from crm_core import (
    Account,
    Conflict,
    NotFound,
    Ownership,
    PermissionDenied,
    PoolEvent,
    PoolEventKind,
    ownership,
    pools,
)

from .conftest import POOLS, Company, Founder


def test_whoever_claims_owns_the_account_and_sees_it_at_once(company: Company) -> None:
    acme = company.account("Acme")
    with company.session("li") as session:
        assert session.get(Account, acme) is None
        row = pools.claim(session, "north", acme)
        assert (row.account_id, row.user_id, row.scope, row.reason) == (
            acme, company.users["li"], "", "claimed: North",
        )  # fmt: skip
        account = session.get(Account, acme)
        assert account is not None
        assert account.name == "Acme"
    assert company.owner(acme) == "li"
    with company.session("li") as session:
        (event,) = session.list(PoolEvent)
        assert (event.pool, event.kind, event.user_id) == ("north", PoolEventKind.CLAIMED, company.users["li"])


@pytest.mark.parametrize("login", ["sun", "zhou", "admin"])
def test_only_a_role_of_the_pool_in_its_units_may_claim(company: Company, login: str) -> None:
    acme = company.account("Acme")
    with company.session(login) as session, pytest.raises(PermissionDenied, match="may not claim from the pool north"):
        pools.claim(session, "north", acme)
    assert company.owner(acme) is None


def test_units_below_those_of_the_pool_count(company: Company) -> None:
    acme = company.account("Acme")
    with company.session("deng") as session:
        pools.claim(session, "north", acme)
    assert company.owner(acme) == "deng"


def test_a_pool_has_to_exist(company: Company) -> None:
    with company.session("li") as session, pytest.raises(NotFound, match=r"no pool 'nort'.*Did you mean north"):
        pools.claim(session, "nort", 1)


def test_a_system_principal_claims_nothing(company: Company) -> None:
    with company.session() as session, pytest.raises(NotFound, match="system principal"):
        pools.claim(session, "north", company.account("Acme"))


def test_the_second_is_told_that_somebody_was_quicker_but_not_who(company: Company) -> None:
    acme = company.account("Acme")
    with company.session("li") as session:
        pools.claim(session, "north", acme)
    with company.session("deng") as session, pytest.raises(Conflict) as told:
        pools.claim(session, "north", acme)
    assert str(told.value) == f"Somebody else claimed the account {acme} a moment ago. Choose another one."
    with company.session("li") as session, pytest.raises(Conflict, match="You own the account"):
        pools.claim(session, "north", acme)
    company.clock.forward(hours=2)
    with company.session("deng") as session, pytest.raises(NotFound, match="There is no account"):
        pools.claim(session, "north", acme)


def test_whoever_sees_the_account_is_told_who_was_quicker(make_company: Founder) -> None:
    roles = {"sales": {"permissions": {"*.read": "unit", "*.update": "own"}}}
    company = make_company(roles=roles)
    acme = company.account("Acme")
    with company.session("li") as session:
        pools.claim(session, "north", acme)
    with company.session("wang") as session, pytest.raises(Conflict, match="Li claimed the account"):
        pools.claim(session, "north", acme)


def test_what_is_in_no_pool_of_theirs_is_answered_as_what_does_not_exist(company: Company) -> None:
    owned, elsewhere = company.account("Owned", owner="sun"), company.account("Elsewhere", address=None)
    inactive, future = company.account("Inactive", active=False), company.account("Future")
    with company.session() as session:
        ownership.assign(session, session.require(Account, future), to="sun", from_=dt.date(2026, 6, 1))
    texts = set()
    with company.session("li") as session:
        for id_ in (owned, elsewhere, inactive, future, 123456789):
            with pytest.raises(NotFound) as told:
                pools.claim(session, "north", id_)
            texts.add(str(told.value).replace(str(id_), "ID"))
    assert len(texts) == 1


def test_an_account_is_in_the_first_pool_of_its_scope_that_takes_it(company: Company) -> None:
    acme = company.account("Acme", tags=frozenset({"pumps"}))
    with company.session("sun") as session:
        with pytest.raises(NotFound):
            pools.claim(session, "rest", acme)
        pools.claim(session, "pumps", acme)
    assert (company.owner(acme), company.owner(acme, "pumps")) == (None, "sun")
    with company.session("li") as session:
        pools.claim(session, "north", acme)
    assert (company.owner(acme), company.owner(acme, "pumps")) == ("li", "sun")


def test_no_more_a_day_than_the_pool_allows_whatever_becomes_of_them(make_company: Founder) -> None:
    company = make_company({"north": POOLS["north"] | {"a_day": 2}})
    first, second, third = (company.account(name) for name in ("A", "B", "C"))
    with company.session("li") as session:
        pools.claim(session, "north", first)
        change = session
    undone = change.last_change_set
    assert undone is not None
    with company.session("li") as session:
        session.undo(undone)
    assert company.owner(first) is None
    with company.session("li") as session:
        pools.claim(session, "north", second)
        pools.release(session, second, reason="too far")
    with company.session("li") as session, pytest.raises(Conflict, match="from the pool north today: 2"):
        pools.claim(session, "north", third)
    with company.session("wang") as session:
        pools.claim(session, "north", first)
    company.clock.to(dt.datetime(2026, 3, 2, 23, 59, tzinfo=company.crm.build.policy.tz))
    with company.session("li") as session, pytest.raises(Conflict):
        pools.claim(session, "north", third)
    company.clock.forward(minutes=2)
    with company.session("li") as session:
        pools.claim(session, "north", third)
    assert company.owner(third) == "li"


def test_no_more_in_all_than_the_capacity_of_the_grade_and_of_all(make_company: Founder) -> None:
    company = make_company({"north": POOLS["north"] | {"in_all": {"A": 1, "*": 3}}})
    # However they came to them: this one was assigned.
    company.account("Old", owner="li", grade="A")
    best, *others = [company.account(name, grade=grade) for name, grade in ("1A", "2B", "3B", "4-")]
    with company.session("li") as session:
        with pytest.raises(Conflict, match=r"the pool north allows: 1 \(A\)"):
            pools.claim(session, "north", best)
        pools.claim(session, "north", others[0])
        pools.claim(session, "north", others[1])
        with pytest.raises(Conflict, match="the pool north allows: 3 in all"):
            pools.claim(session, "north", others[2])
        pools.release(session, others[0], reason="room for another one")
        pools.claim(session, "north", others[2])


def test_the_former_owner_waits_others_do_not(make_company: Founder) -> None:
    company = make_company({"north": POOLS["north"] | {"cooling_days": 30}})
    acme = company.account("Acme", owner="li")
    with company.session("li") as session:
        pools.release(session, acme, reason="no time")
    company.clock.forward(days=29)
    with company.session("li") as session, pytest.raises(Conflict) as told:
        pools.claim(session, "north", acme)
    assert "until 2026-03-02" in str(told.value)
    assert "from 2026-04-01 on" in str(told.value)
    company.clock.forward(days=1)
    with company.session("li") as session:
        pools.claim(session, "north", acme)
        pools.release(session, acme, reason="still no time")
    with company.session("wang") as session:
        pools.claim(session, "north", acme)
    assert company.owner(acme) == "wang"


def test_releasing_ends_every_part_and_is_logged(company: Company) -> None:
    acme = company.account("Acme", owner="li")
    with company.session() as session:
        account = session.require(Account, acme)
        ownership.assign(session, account, to="sun", role=ownership.OwnershipRole.BACKUP)
    with company.session("li") as session:
        event = pools.release(session, session.require(Account, acme), reason="moved away")
        assert (event.kind, event.pool, event.reason) == (PoolEventKind.RELEASED, "north", "moved away")
    for login in ("li", "sun"):
        with company.session(login) as session:
            assert session.count(Account) == 0
    with company.session() as session:
        assert session.count(Ownership) == 0
        assert session.count(Ownership, all_dates=True) == 2


def test_releasing_ends_also_what_was_to_end_later(company: Company) -> None:
    acme = company.account("Acme")
    with company.session("li") as session:
        pools.claim(session, "north", acme)
    with company.session() as session:
        (row,) = session.list(Ownership, f"account_id == {acme}")
        row.valid_to = session.now + dt.timedelta(days=30)
    company.clock.forward(days=1)
    with company.session("li") as session:
        pools.release(session, session.require(Account, acme), reason="moved away")
    assert company.owner(acme) is None


def test_only_the_owner_and_their_manager_release(company: Company) -> None:
    acme, beta = company.account("Acme", owner="li"), company.account("Beta", owner="li")
    with company.session() as session:
        account = session.require(Account, acme)
        ownership.assign(session, account, to="sun", role=ownership.OwnershipRole.COLLABORATOR)
    with company.session("sun") as session, pytest.raises(PermissionDenied):
        pools.release(session, acme, reason="mine")
    with company.session("wang") as session, pytest.raises(NotFound):
        pools.release(session, acme, reason="mine")
    with company.session("zhou") as session:
        pools.release(session, beta, reason="he has too many")
    assert (company.owner(acme), company.owner(beta)) == ("li", None)


def test_nobody_gives_back_what_no_pool_takes(company: Company) -> None:
    shop = company.account("Shop", owner="li", address=None, kind="outlet")
    free = company.account("Free")
    with company.session("li") as session, pytest.raises(Conflict, match="No pool takes the account"):
        pools.release(session, shop, reason="no time")
    with company.session() as session, pytest.raises(Conflict, match="Nobody owns the account"):
        pools.release(session, free, reason="no time")
    assert company.owner(shop) == "li"


def test_nobody_releases_twice_within_one_moment(company: Company) -> None:
    """What has not begun yet leaves no row behind."""
    acme = company.account("Acme", owner="li")
    with company.session() as session:
        account = session.require(Account, acme)
        later = company.clock.moment + dt.timedelta(days=9)
        ownership.assign(session, account, to="sun", role=ownership.OwnershipRole.BACKUP, from_=later)
    with company.session("li") as session:
        pools.release(session, acme, reason="moved")
    with company.session() as session:
        (row,) = session.list(Ownership, all_dates=True)
        assert row.user_id == company.users["li"]


def test_a_claim_and_a_release_can_be_undone(company: Company) -> None:
    acme = company.account("Acme")
    with company.session() as session:
        before = session.count(Ownership, all_dates=True), session.count(PoolEvent)
    with company.session("li") as session:
        pools.claim(session, "north", acme)
    claimed = session.last_change_set
    with company.session("li") as session:
        pools.release(session, acme, reason="no time")
    released = session.last_change_set
    with company.session("admin") as session:
        session.undo(released)
    assert company.owner(acme) == "li"
    with company.session("admin") as session:
        assert session.count(PoolEvent) == 1
        session.undo(claimed)
    with company.session() as session:
        assert (session.count(Ownership, all_dates=True), session.count(PoolEvent)) == before


def test_a_session_that_only_looks_claims_nothing(company: Company) -> None:
    acme = company.account("Acme", owner=None)
    for options in ({"read_only": True}, {"at": dt.date(2026, 1, 1)}):
        with company.session("li", **options) as session, pytest.raises(PermissionDenied):
            pools.claim(session, "north", acme)


def test_whoever_waits_too_long_for_another_is_told_of_a_conflict(company: Company) -> None:
    if company.crm.store.dialect != "postgresql":
        pytest.skip("on SQLite the second waits before its first statement")
    acme = company.account("Acme")
    with company.crm.store.engine.begin() as other:
        other.exec_driver_sql(f"SELECT id FROM crm_account WHERE id = {acme} FOR UPDATE")
        with pytest.raises(Conflict, match="Another writer"), company.session("li") as session:
            session.core_connection().exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            pools.claim(session, "north", acme)
