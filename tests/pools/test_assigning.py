"""Handing out in turn."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core import Account, Ownership, Pool, PoolEvent, PoolEventKind, User, organisation, pools
from crm_core.fields import Address
from crm_core.store.pools.assigning import Turns

from .conftest import POOLS, Company, Founder, statements

TURNS = POOLS["north"] | {"assign": "round_robin"}


@pytest.fixture
def company(make_company: Founder) -> Company:
    """North is handed out among those who may claim there: li, wang, deng."""
    return make_company({"north": TURNS})


def hand_out(company: Company, **options: Any) -> list[str]:
    company.clock.forward(days=1)
    logins = {id_: login for login, id_ in company.users.items()}
    with company.session() as session:
        return [logins[step.user_id] for step in pools.assign(session, **options).steps]


def some(company: Company, count: int, **values: Any) -> list[int]:
    return [company.account(f"Mill {number}", **values) for number in range(count)]


def test_one_after_the_other_and_on_from_there(company: Company) -> None:
    ids = some(company, 4)
    assert hand_out(company) == ["li", "wang", "deng", "li"]
    assert [company.owner(id_) for id_ in ids] == ["li", "wang", "deng", "li"]
    assert hand_out(company) == []
    some(company, 3)
    assert hand_out(company) == ["wang", "deng", "li"]
    with company.session("wang") as session:
        assert {each.kind for each in session.list(PoolEvent)} == {PoolEventKind.ASSIGNED}
        assert {each.reason for each in session.list(Ownership)} == {"assigned: North"}


def test_however_long_a_pool_is_called(make_company: Founder) -> None:
    company = make_company({"north": TURNS | {"label": "North " * 50}})
    mill = company.account("Mill")
    assert hand_out(company) == ["li"]
    with company.session("li") as session:
        (owned,) = session.list(Ownership, f"account_id == {mill}")
        assert owned.reason == ("assigned: " + "North " * 50)[:200]


def test_who_is_new_comes_first_once_and_then_in_turn(company: Company) -> None:
    some(company, 5)
    assert hand_out(company) == ["li", "wang", "deng", "li", "wang"]
    with company.session() as session:
        company.users["new"] = session.add_one(User(login="new", name="New")).id
        session.flush()
        organisation.join(session, "new", "NORTH", role="sales", since_always=True)
    some(company, 6)
    assert hand_out(company) == ["new", "deng", "li", "wang", "new", "deng"]


def test_members_are_named_or_follow_from_roles_and_units(make_company: Founder) -> None:
    company = make_company({"north": TURNS | {"members": ["sun", "nobody", "li"]}})
    some(company, 3)
    assert hand_out(company) == ["sun", "li", "sun"]
    with company.session() as session:
        (count,) = pools.counts(session)
        assert count.unknown == ("nobody",)


def test_roles_alone_or_units_alone_say_who_receives(make_company: Founder) -> None:
    by_role = {"roles": ["sales"], "assign": "round_robin"}
    by_unit = {"units": ["SOUTH"], "assign": "round_robin", "where": 'grade == "C"'}
    company = make_company({"south": by_unit, "all": by_role})
    some(company, 3, grade="B")
    some(company, 2, grade="C")
    assert hand_out(company) == ["sun", "sun", "li", "wang", "sun"]


def test_nobody_receives_where_nobody_is(make_company: Founder) -> None:
    company = make_company({"north": TURNS | {"units": ["WEST"]}})
    some(company, 1)
    company.clock.forward(days=1)
    with company.session() as session:
        assert pools.assign(session).left == {"north": 1}
        assert pools.counts(session)[0].unknown == ("WEST",)


def test_capacity_is_respected_and_the_rest_stays(make_company: Founder) -> None:
    company = make_company({"north": TURNS | {"in_all": {"A": 1, "*": 2}}})
    some(company, 1, owner="wang")
    some(company, 5, grade="A")
    assert hand_out(company) == ["li", "wang", "deng"]
    some(company, 1)
    company.clock.forward(days=1)
    with company.session() as session:
        report = pools.assign(session)
    assert [step.user_id for step in report.steps] == [company.users["li"]]
    assert report.left == {"north": 2}


def test_the_former_owner_is_passed_over_while_they_wait(make_company: Founder) -> None:
    company = make_company({"north": TURNS | {"members": ["li", "wang"], "cooling_days": 10}})
    acme, beta = company.account("Acme", owner="li"), company.account("Beta")
    with company.session("li") as session:
        pools.release(session, acme, reason="no time")
    assert hand_out(company) == ["wang", "li"]
    assert (company.owner(acme), company.owner(beta)) == ("wang", "li")


def test_a_dry_run_tells_the_same_and_changes_nothing(company: Company) -> None:
    ids = some(company, 4)
    with company.session(read_only=True) as session:
        would = pools.assign(session, dry_run=True)
    assert [company.owner(id_) for id_ in ids] == [None] * 4
    with company.session() as session:
        assert pools.assign(session).steps == would.steps


def test_undo_puts_everything_back_and_gives_the_turns_back(company: Company) -> None:
    some(company, 4)
    with company.session() as session:
        before = session.count(Ownership, all_dates=True)
        pools.assign(session)
    with company.session("admin") as other:
        other.undo(session.last_change_set)
    with company.session() as session:
        assert (session.count(Ownership, all_dates=True), session.count(PoolEvent)) == (before, 0)
    assert hand_out(company) == ["li", "wang", "deng", "li"]


def test_the_number_of_statements_does_not_depend_on_the_number_of_accounts(company: Company) -> None:
    counts = []
    for number in (3, 60):
        with company.session() as session:
            session.add_many(
                Account, [{"name": f"Mill {each}", "address": Address(city="Beijing")} for each in range(number)]
            )
        with company.session() as session, statements(company) as told:
            assert len(pools.assign(session).steps) == number
        counts.append(len(told))
    assert counts[1] <= counts[0]


def test_more_accounts_than_fit_into_one_batch(company: Company) -> None:
    with company.session() as session:
        session.add_many(
            Account, [{"name": f"Mill {each}", "address": Address(city="Beijing")} for each in range(2101)]
        )
    told: list[int] = []
    with company.session() as session:
        steps = pools.assign(session, progress=told.append).steps
    counts = Counter(step.user_id for step in steps)
    assert (sum(counts.values()), max(counts.values()) - min(counts.values())) == (2101, 1)
    assert told == [1000, 2000, 2101]
    company.clock.forward(days=1)
    company.account("One more")
    with company.session() as session:
        # The last one of 2101 was the first of the three; so it is the second's turn.
        assert [step.user_id for step in pools.assign(session).steps] == [steps[1].user_id]


@given(
    people=st.lists(st.integers(1, 9), unique=True, min_size=1),
    last=st.dictionaries(st.integers(1, 9), st.integers(1, 30)),
    accounts=st.lists(st.sampled_from(["A", "B", None]), max_size=40),
    capacity=st.dictionaries(st.sampled_from(["A", "B", "*"]), st.integers(0, 6)),
    never=st.frozensets(st.integers(1, 9), max_size=2),
)
def test_turns_are_even_and_capacity_is_never_exceeded(
    people: list[int], last: dict[int, int], accounts: list[Any], capacity: dict[str, int], never: frozenset[int]
) -> None:
    start = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    held: dict[int, Counter[str | None]] = {each: Counter() for each in people}
    turns = Turns(
        Pool(name="p", in_all=capacity), people, {each: start.replace(day=day) for each, day in last.items()}, held
    )
    got = [turns.next(grade, never) for grade in accounts]
    for user_id, counts in held.items():
        assert counts.total() == got.count(user_id)
        assert counts.total() <= capacity.get("*", 99)
        assert all(counts[grade] <= capacity.get(grade, 99) for grade in ("A", "B"))
        assert user_id not in never or not counts.total()
    for grade, user_id in zip(accounts, got, strict=True):
        if user_id is None:
            # Whoever could not take it then cannot take it now: nobody gives anything back.
            assert all(
                each in never
                or sum(held[each].values()) >= capacity.get("*", 99)
                or held[each][grade] >= capacity.get(grade or "", 99)
                for each in people
            )
    if not capacity and not never:
        counts = [got.count(each) for each in people]
        assert max(counts) - min(counts) <= 1
        order = sorted(people, key=lambda each: (last.get(each, 0), people.index(each)))
        assert got == [order[place % len(order)] for place in range(len(accounts))]
