"""Looking into a pool: the few fields that are shown, and no way to find out the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crm_core import Account, Activity, CrmSession, NotFound, PermissionDenied, PoolEvent, pools
from crm_core.errors import CrmError

from .conftest import POOLS, Company, Founder, statements

HIDDEN = {"website": "https://hidden.example", "note": "Owes us 3 million", "industry": "machinery"}


def test_only_the_fields_that_are_shown(company: Company) -> None:
    acme = company.account("Acme", grade="A", custom={"size": 7, "secret": "x"}, **HIDDEN)
    company.account("Owned", owner="sun")
    with company.session("li") as session:
        page = pools.browse(session, "north")
        assert [(each.id, dict(each.values)) for each in page] == [
            (acme, {"name": "Acme", "grade": "A", "address.city": "Beijing", "size": 7})
        ]
        assert page.after is None


def test_pages_by_filter_and_order(company: Company) -> None:
    names = [f"Mill {number:02}" for number in range(7)]
    for number, name in enumerate(reversed(names)):
        company.account(name, grade="B" if number % 2 else None, custom={"size": number})
    with company.session("li") as session:
        for order in ("name", "name desc", "grade, name", "grade desc", "size desc", None):
            found: list[Any] = []
            after = None
            while True:
                page = pools.browse(session, "north", order=order, limit=3, after=after)
                found += [each.values["name"] for each in page]
                after = page.after
                if after is None:
                    break
            assert sorted(found) == names, order
            if order == "name":
                assert found == names
        assert [each.values["size"] for each in pools.browse(session, "north", "size > 4", order="size")] == [5, 6]
        assert len(pools.browse(session, "north", 'grade == "B" and address.city == "Beijing"')) == 3
        assert len(pools.browse(session, "north", f"id == {page.offers[0].id}")) == 1


@pytest.mark.parametrize(
    "where",
    ['note == "x"', "industry is None", 'custom_secret == "x"', 'secret == "x"', "count(contacts) > 0", "owner is None",
     'any(activities, kind == "visit")', 'address.street == "x"', "revenue.amount > 3", "created_at > now()",
     "version > 1", 'name == "Acme" or website is not None', "any(pool_events)"],
)  # fmt: skip
def test_what_is_not_shown_is_no_filter(company: Company, where: str) -> None:
    company.account("Acme", custom={"secret": "x"}, **HIDDEN)
    with company.session("li") as session, pytest.raises(CrmError) as told:
        pools.browse(session, "north", where)
    assert "Acme" not in str(told.value).replace(where, "")


@pytest.mark.parametrize("order", ["note", "industry", "owner.name", "address.street", "created_at", "revenue"])
def test_what_is_not_shown_is_no_order(company: Company, order: str) -> None:
    with company.session("li") as session, pytest.raises(PermissionDenied, match="not shown before claiming"):
        pools.browse(session, "north", order=order)


def test_the_whole_of_a_shown_field_with_parts_may_be_filtered_by_its_parts(make_company: Founder) -> None:
    company = make_company({"north": POOLS["north"] | {"show": ["name", "address"]}})
    company.account("Acme")
    with company.session("li") as session:
        (offer,) = pools.browse(session, "north", 'address.city == "Beijing"', order="address.city")
        assert offer.values["address"].city == "Beijing"
        with pytest.raises(PermissionDenied):
            pools.browse(session, "north", 'grade == "A"')


@pytest.mark.parametrize(("login", "allowed"), [("li", True), ("deng", True), ("sun", False), ("zhou", False)])
def test_only_members_look(company: Company, login: str, allowed: bool) -> None:
    company.account("Acme")
    with company.session(login) as session:
        if allowed:
            assert len(pools.browse(session, "north")) == 1
        else:
            with pytest.raises(PermissionDenied):
                pools.browse(session, "north")


def test_whoever_sees_all_accounts_looks_into_all_pools(company: Company) -> None:
    company.account("Acme")
    for login in ("admin", None):
        with company.session(login) as session:
            assert len(pools.browse(session, "north")) == 1


WAYS: dict[str, Callable[[CrmSession, int], Any]] = {
    "get": lambda session, id_: session.get(Account, id_),
    "list": lambda session, _: session.list(Account),
    "count": lambda session, _: session.count(Account),
    "filter": lambda session, _: session.list(Account, 'name == "Acme"'),
    "activities": lambda session, _: session.list(Activity),
    "events": lambda session, _: session.list(PoolEvent),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_account_itself_stays_invisible_until_it_is_claimed(company: Company, way: str) -> None:
    acme = company.account("Acme", owner="sun", **HIDDEN)
    company.visit(acme)
    with company.session("sun") as session:
        pools.release(session, acme, reason="no time")
    with company.session("li") as session:
        assert len(pools.browse(session, "north")) == 1
        assert not WAYS[way](session, acme)
        with pytest.raises(NotFound):
            session.require(Account, acme)
        with pytest.raises(NotFound):
            session.add_one(Activity(kind="visit", subject="s", account_id=acme))
            session.flush()
        session.rollback()
    with company.session("li") as session:
        pools.claim(session, "north", acme)
        assert WAYS[way](session, acme)


def test_a_page_takes_one_statement_however_long(company: Company) -> None:
    with company.session("li") as session:
        assert len(pools.browse(session, "north")) == 0
        few = _statements(company, session)
    for number in range(30):
        company.account(f"Mill {number}")
    with company.session("li") as session:
        assert len(pools.browse(session, "north", order="name")) == 30
        assert _statements(company, session) == few == 2


def _statements(company: Company, session: CrmSession) -> int:
    """One for the units of the pool, one for the page."""
    with statements(company) as told:
        pools.browse(session, "north", 'grade == "A"', order="name", limit=10)
    return len(told)
