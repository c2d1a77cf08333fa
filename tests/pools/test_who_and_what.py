"""Who belongs to a pool, and what is free in it."""

from __future__ import annotations

import pytest

from crm_core import (
    Account,
    AccountAddress,
    Conflict,
    CrmError,
    OwnershipRole,
    PermissionDenied,
    organisation,
    ownership,
    pools,
)
from crm_core.domain.organisation import User
from crm_core.fields import Address
from crm_core.store.pools import assigning

from .conftest import POOLS, Company, Founder

NORTH = POOLS["north"]
BARE = {name: value for name, value in NORTH.items() if name not in ("roles", "units")}


def may(company: Company, pool: str, *, looking: bool = False) -> set[str]:
    """Who may claim from a pool, or look into it."""
    found = set()
    for login in company.users:
        with company.session(login) as session:
            try:
                if looking:
                    pools.browse(session, pool)
                else:
                    pools.claim(session, pool, company.account("Acme"))
                found.add(login)
            except PermissionDenied:
                pass
            finally:
                session.rollback()
    return found


def test_roles_alone_units_alone_or_both_say_who_may_claim(make_company: Founder) -> None:
    company = make_company({
        "both": NORTH,
        "role": BARE | {"roles": ["sales"], "scope": "role"},
        "unit": BARE | {"units": ["SOUTH", "North"], "scope": "unit"},
        "open": BARE | {"scope": "open"},
    })  # fmt: skip
    assert may(company, "both") == {"li", "wang", "deng"}
    assert may(company, "role") == {"li", "wang", "deng", "sun"}
    assert may(company, "unit") == {"li", "wang", "deng", "sun", "zhou"}
    assert may(company, "open") == set()
    # Whoever sees every account may look at any pool.
    assert may(company, "both", looking=True) == {"li", "wang", "deng", "admin"}
    assert may(company, "open", looking=True) == {"admin"}


def test_whoever_only_helps_at_an_account_does_not_hold_it(company: Company) -> None:
    acme = company.account("Acme")
    with company.session() as session:
        ownership.assign(session, session.require(Account, acme), to="sun", role=OwnershipRole.BACKUP)
    with company.session("li") as session:
        pools.claim(session, "north", acme)
    assert company.owner(acme) == "li"
    with company.session("deng") as session, pytest.raises(Conflict):
        pools.claim(session, "north", acme)


def test_a_reason_is_kept_beside_the_pools_name(company: Company) -> None:
    acme = company.account("Acme")
    with company.session("li", reason="met at the fair") as session:
        assert pools.claim(session, "north", acme).reason == "claimed: North · met at the fair"


def test_members_are_active_users(make_company: Founder) -> None:
    company = make_company({"north": NORTH | {"assign": "round_robin", "members": ["sun", "li", "gone"]}})
    with company.session() as session:
        session.add_one(User(login="gone", name="Gone", active=False))
        organisation.join(session, "li", "SOUTH", role="sales")
    with company.session() as session:
        (count,) = pools.counts(session)
        assert count.unknown == ("gone",)
    ids = [company.account(f"Mill {number}") for number in range(3)]
    told: list[int] = []
    with company.session() as session:
        steps = pools.assign(session, progress=told.append).steps
    assert [each.account_id for each in steps] == ids
    assert [each.user_id for each in steps] == [company.users["sun"], company.users["li"], company.users["sun"]]
    assert told == [3]


def test_what_no_pool_would_take(make_company: Founder) -> None:
    """Without an owner hardly anybody could see it."""
    company = make_company({"pumps": POOLS["pumps"], "north": NORTH})
    taken = company.account("Taken")
    owned = company.account("Owned", owner="li")
    away = company.account("Away", address=None)
    still = company.account("Still", active=False)
    pump = company.account("Pump", address=None, tags=frozenset({"pumps"}))
    every = [taken, owned, away, still, pump, 10**9]
    with company.session(read_only=True) as session:
        assert session.untaken(every) == {away, still, pump, 10**9}
        assert session.untaken(every, "pumps") == {taken, owned, away, still, 10**9}
        assert session.untaken(every, "unheard") == set(every)
        assert session.untaken([]) == set()


def test_what_was_taken_back_counts_for_whoever_claimed_it_and_only_there(make_company: Founder) -> None:
    limited = {"a_day": 1, "roles": ["sales"], "units": []}
    company = make_company({
        "north": NORTH | limited | {"assign": "round_robin"},
        "rest": POOLS["rest"] | limited,
    })  # fmt: skip
    mill, other = company.account("Mill"), company.account("Other", address=None)

    def taken_back(login: str | None, pool: str, account: int) -> None:
        with company.session(login) as session:
            if login is None:
                assert [each.user_id for each in pools.assign(session).steps] == [company.users["li"]]
            else:
                pools.claim(session, pool, account)
        change_set = session.last_change_set
        assert change_set is not None
        with company.session() as session:
            session.undo(change_set)

    taken_back(None, "north", mill)  # handed out to Li, which is no claim
    taken_back("wang", "north", mill)
    taken_back("li", "rest", other)
    with company.session("wang") as session, pytest.raises(Conflict, match="north today"):
        pools.claim(session, "north", mill)
    with company.session("li") as session, pytest.raises(Conflict, match=r"pool rest today"):
        pools.claim(session, "rest", other)
    with company.session("li") as session:
        pools.claim(session, "north", mill)
    with company.session("wang") as session:
        pools.claim(session, "rest", other)
    assert (company.owner(mill), company.owner(other)) == ("li", "wang")


def test_what_is_handed_out_in_a_dry_run_is_counted_once(
    make_company: Founder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are beyond one batch, and told as it goes, with those that nobody has room for."""
    monkeypatch.setattr(assigning, "_BATCH", 2)
    company = make_company({"north": NORTH | {"assign": "round_robin", "members": ["li"], "in_all": {"*": 3}}})
    ids = [company.account(f"Mill {number}") for number in range(5)]
    for dry_run in (True, False):
        told: list[int] = []
        with company.session() as session:
            report = pools.assign(session, dry_run=dry_run, progress=told.append)
        assert [each.account_id for each in report.steps] == ids[:3]
        assert report.left == {"north": 2}
        assert told == [2, 4, 5]


def test_a_pool_may_ask_for_what_belongs_to_an_account(make_company: Founder) -> None:
    """Its condition holds for everybody alike, also where it looks at records that the one who claims does not see."""
    company = make_company({"east": {"where": 'any(addresses, address.city == "上海")', "roles": ["sales"]}})
    mill, other = company.account("Mill"), company.account("Other")
    with company.session() as session:
        session.add(AccountAddress(account_id=mill, kind="works", address=Address(city="上海")))
    with company.session("li") as session:
        with pytest.raises(CrmError):
            pools.claim(session, "east", other)
        pools.claim(session, "east", mill)
    assert (company.owner(mill), company.owner(other)) == ("li", None)
