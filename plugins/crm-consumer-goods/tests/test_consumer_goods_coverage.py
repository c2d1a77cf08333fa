"""Coverage: planned against held, by whom and when; what is seen in overview and timeline."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_consumer_goods import coverage, outlets, store_checks, visits
from crm_consumer_goods.coverage import Coverage
from crm_consumer_goods.visits import Visit
from crm_core import Account, Money, ValidationError, organisation
from crm_core.hooks import Panel

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = dt.date(2026, 11, 23)
DAY = dt.timedelta(1)
NINE = dt.datetime(2026, 11, 23, 9, tzinfo=SHANGHAI)


def rows(account_id: int, user_id: int, plan: list[tuple[dt.date | None, dt.datetime | None]]) -> list[dict]:
    return [
        {"account_id": account_id, "user_id": user_id, "planned_on": planned, "checked_in_at": at, "checked_out_at": at}
        for planned, at in plan
    ]


def test_coverage_is_held_by_planned(company) -> None:
    with company.session() as session:
        me, kiosk, mart = session.user_id, company.accounts["Kiosk"], company.accounts["Mart"]
        session.add_many(Visit, rows(kiosk, me, [(MONDAY, NINE), (MONDAY + DAY, None), (MONDAY + 7 * DAY, None)]))
        session.add_many(Visit, rows(mart, me, [(MONDAY, None), (None, NINE), (None, NINE + 7 * DAY)]))
        week = {"from_": MONDAY, "until": MONDAY + 7 * DAY}
        found = coverage.coverage(session, **week)
        assert found == Coverage(planned=3, held=1, unplanned=1, outlets=2, reached=1)
        assert found.rate == Decimal("0.3333")
        assert coverage.coverage(session, [kiosk], **week).rate == Decimal("0.5")
        assert coverage.coverage(session, [company.account(session, "Mart")], **week).rate == 0
        assert coverage.coverage(session, [], **week).rate is None
        assert coverage.coverage(session, user="li.wei", **week) == found
        assert coverage.coverage(session, user="zhang.min", **week) == Coverage()
        assert coverage.by_account(session, [kiosk, mart], **week)[mart].unplanned == 1
        with pytest.raises(ValidationError, match="only one of"):
            coverage.coverage(session, [kiosk], user="li.wei", **week)


def test_a_day_begins_where_the_organisation_is(company) -> None:
    with company.session() as session:
        me, kiosk = session.user_id, company.accounts["Kiosk"]
        late = dt.datetime(2026, 11, 22, 17, tzinfo=dt.UTC)  # Monday, one o'clock in Shanghai
        session.add_many(Visit, rows(kiosk, me, [(None, late)]))
        assert coverage.coverage(session, from_=MONDAY, until=MONDAY + DAY).unplanned == 1
        assert coverage.coverage(session, from_=MONDAY - DAY, until=MONDAY).unplanned == 0


def test_a_unit_answers_for_those_who_belonged_to_it_on_the_day(company) -> None:
    """Li Wei goes west on Wednesday; the visits of Monday and Tuesday stay with the east."""
    wednesday = MONDAY + 2 * DAY
    with company.crm.system_session("test") as session:
        organisation.leave(session, "li.wei", "east", at=wednesday)
        organisation.join(session, "li.wei", "west", role="sales", from_=wednesday)
    with company.session("boss") as session:
        li = organisation.find_user(session, "li.wei").id
        kiosk = company.accounts["Kiosk"]
        session.add_many(Visit, rows(kiosk, li, [(MONDAY, NINE), (MONDAY + DAY, None), (wednesday, None)]))
        session.add_many(Visit, rows(kiosk, li, [(None, NINE + DAY), (None, NINE + 3 * DAY)]))
        week = {"from_": MONDAY, "until": MONDAY + 7 * DAY}
        east = coverage.coverage(session, unit="east", **week)
        west = coverage.coverage(session, unit="west", **week)
        assert (east.planned, east.held, east.unplanned) == (2, 1, 1)
        assert (west.planned, west.held, west.unplanned) == (1, 0, 1)
        assert coverage.coverage(session, unit="sales", **week).planned == 3


def test_coverage_counts_only_what_the_actor_sees(company) -> None:
    with company.session("zhang.min") as session:
        session.add_many(Visit, rows(company.accounts["Bistro"], session.user_id, [(MONDAY, NINE)]))
    week = {"from_": MONDAY, "until": MONDAY + 7 * DAY}
    with company.session() as session:
        assert coverage.coverage(session, **week) == Coverage()
        assert coverage.coverage(session, [company.accounts["Bistro"]], **week) == Coverage()
        assert coverage.coverage(session, user="zhang.min", **week) == Coverage()
        assert coverage.coverage(session, unit="west", **week) == Coverage()
    with company.session("boss") as session:
        assert coverage.coverage(session, unit="west", **week).rate == 1


def more_accounts(company, count: int) -> list[int]:
    with company.session() as session:
        ids = session.add_many(Account, [{"name": f"Outlet {number}"} for number in range(count)])
        session.check()
        for id_ in ids:
            outlet = outlets.Outlet(channel=outlets.Channel.CONVENIENCE)
            outlet.id = id_
            session.add(outlet)
        session.add_many(Visit, [row for id_ in ids for row in rows(id_, session.user_id, [(MONDAY, NINE)])])
    return ids


def test_statements_do_not_grow_with_accounts(company) -> None:
    many = more_accounts(company, 60)
    counts: dict[str, list[int]] = {}
    for number in (1, 60):
        with company.session(read_only=True) as session:
            some = many[:number]
            session.list(Account, limit=1)  # what the session asks once about its actor
            for name, ask in {
                "accounts": lambda s=session, a=some: coverage.coverage(s, a, from_=MONDAY, until=MONDAY + DAY),
                "panels": lambda s=session, a=some: company.crm.build.dispatcher.gather_overview(s, a),
                "timeline": lambda s=session, a=some: company.crm.build.dispatcher.gather_timeline(s, a),
            }.items():
                with company.statements() as seen:
                    assert ask()
                counts.setdefault(name, []).append(len(seen))
        with company.session("boss", read_only=True) as session:
            session.list(Account, limit=1)
            with company.statements() as seen:
                coverage.coverage(session, unit="sales", from_=MONDAY, until=MONDAY + DAY)
            counts.setdefault("unit", []).append(len(seen))
    assert all(few == many for few, many in counts.values()), counts
    assert counts["accounts"][0] == 2


def test_more_accounts_than_a_statement_takes_are_covered(company, monkeypatch) -> None:
    many = more_accounts(company, 6)
    monkeypatch.setattr(coverage, "_MANY", 3)
    with company.session() as session:
        found = coverage.by_account(session, many[:4], from_=MONDAY, until=MONDAY + DAY)
        assert sorted(found) == sorted(many[:4])


def panel(company, name: str, who: str = "li.wei", **options) -> Panel | None:
    with company.session(who, read_only=True, **options) as session:
        gathered = company.crm.build.dispatcher.gather_overview(session, [company.accounts[name]])
    assert not gathered.failed
    return next((part for part in gathered if part.plugin == "consumer_goods"), None)


def test_the_panel_tells_coverage_and_the_latest_store_check(company) -> None:
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        outlets.classify(session, kiosk, "convenience", outlet_class="A")
        me = session.user_id
        session.add_many(Visit, rows(kiosk.id, me, [(MONDAY - DAY, None), (MONDAY + 14 * DAY, None)]))
        visit = session.add_one(Visit(account_id=kiosk.id, user_id=me, planned_on=MONDAY))
        visits.check_in(session, visit, at=NINE)
        store_checks.note(session, visit, [
            {"product": "Green tea", "facings": 4, "price": Money("3.50", "CNY"), "competitor": "Master",
             "competitor_price": Money("3.20", "CNY"), "promotion_material": True},
            {"product": "Black tea", "on_shelf": False},
        ])  # fmt: skip
    found = panel(company, "Kiosk", at=NINE + DAY)
    assert found is not None
    assert dict(found.lines) == {
        "Channel": "Convenience",
        "Class": "A",
        "Visits per four weeks": "4",
        "Held of planned in four weeks": "1/2",
        "Coverage": "50 %",
        "Last visit": "2026-11-23",
        "Next visit": "2026-12-07",
    }
    assert found.severity == "bad"
    assert found.rows[1:] == (
        ("Green tea", "✓", "4", "3.5000 CNY", "Master", "3.2000 CNY", "✓"),
        ("Black tea", "✗", "–", "–", "–", "–", "✗"),
    )
    before = panel(company, "Kiosk", at=NINE - 10 * DAY)
    assert before is not None
    assert dict(before.lines)["Coverage"] == "–"
    assert before.rows == ()
    assert panel(company, "Mart") is None
    assert panel(company, "Kiosk", "zhang.min") is None


@pytest.mark.parametrize(("held", "severity"), [(5, "bad"), (7, "warning"), (9, "good")])
def test_the_panel_shows_how_good_the_coverage_is(company, held, severity) -> None:
    with company.session() as session:
        plan = [(MONDAY, NINE if number < held else None) for number in range(10)]
        session.add_many(Visit, rows(company.accounts["Kiosk"], session.user_id, plan))
    found = panel(company, "Kiosk", at=NINE)
    assert found is not None
    assert found.severity == severity


def test_visits_stand_in_the_timeline_of_those_who_see_the_account(company) -> None:
    with company.session() as session:
        me, kiosk = session.user_id, company.accounts["Kiosk"]
        session.add_many(Visit, rows(kiosk, me, [(MONDAY, NINE), (MONDAY + DAY, None), (MONDAY + 9 * DAY, None)]))

    def told(who: str = "li.wei", **options) -> list[tuple[str, dt.datetime]]:
        with company.session(who) as session:
            gathered = company.crm.build.dispatcher.gather_timeline(session, [kiosk], **options)
        assert not gathered.failed
        return [(entry.title, entry.at) for entry in gathered if entry.kind == "visit"]

    midnight = dt.datetime(2026, 11, 24, tzinfo=SHANGHAI)
    later = dt.datetime(2026, 12, 2, tzinfo=SHANGHAI)
    held, planned, far = ("Outlet visit", NINE), ("Planned outlet visit", midnight), ("Planned outlet visit", later)
    assert told() == [far, planned, held]
    assert told(limit=1) == [far]
    assert told(since=midnight, until=later) == [planned]
    assert told(since=NINE, until=midnight) == [held]
    assert told(since=midnight + dt.timedelta(hours=1), until=later + dt.timedelta(hours=1)) == [far]
    assert told("zhang.min") == []
    assert told("boss") == [far, planned, held]


@given(
    frequency=st.integers(0, 28),
    offset=st.integers(0, 10**9),
    start=st.integers(0, 4000),
    week=st.sets(st.integers(1, 7), min_size=1).map(sorted),
)
def test_any_four_weeks_hold_exactly_the_frequency(frequency, offset, start, week) -> None:
    first = dt.date(2020, 1, 1) + start * DAY
    options = {"working_days": week, "offset": offset}
    days = visits.due_days(frequency, first, first + 28 * DAY, **options)
    assert len(days) == frequency
    assert all(day.isoweekday() in week for day in days)
    middle = first + 11 * DAY
    halves = visits.due_days(frequency, first, middle, **options) + visits.due_days(
        frequency, middle, first + 28 * DAY, **options
    )
    assert halves == days


@given(frequency=st.integers(1, 20), offset=st.integers(0, 10**6))
def test_visits_are_evenly_spread(frequency, offset) -> None:
    days = visits.due_days(frequency, MONDAY, MONDAY + 140 * DAY, working_days=(1, 2, 3, 4, 5), offset=offset)
    numbers = [(day - MONDAY).days // 7 * 5 + day.weekday() for day in days]
    gaps = {after - before for before, after in itertools.pairwise(numbers)}
    assert max(gaps) - min(gaps) <= 1


plans = st.lists(
    st.tuples(
        st.sampled_from(["Kiosk", "Mart", "Bistro"]),
        st.sampled_from(["li.wei", "zhang.min"]),
        st.one_of(st.none(), st.integers(-10, 10)),
        st.one_of(st.none(), st.integers(-10, 10)),
    ),
    max_size=25,
)


def model(plan, seen, start, end, accounts=None, user=None) -> tuple[int, int, int]:
    """Coverage by plain loops over what was written."""
    planned = held = unplanned = 0
    for account, who, day, visited in plan:
        if account not in seen or (accounts is not None and account not in accounts) or user not in (None, who):
            continue
        if day is not None and start <= day < end:
            planned += 1
            held += visited is not None
        elif day is None and visited is not None and start <= visited < end:
            unplanned += 1
    return planned, held, unplanned


# Each example begins by deleting all visits; it costs a dozen sessions, so a few dozen must do.
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_coverage_agrees_with_a_plain_model(company, data) -> None:
    plan = data.draw(plans)
    start = data.draw(st.integers(-10, 10))
    end = start + data.draw(st.integers(1, 20))
    with company.crm.system_session("test") as session:
        users = {login: organisation.find_user(session, login).id for login in ("li.wei", "zhang.min")}
        session.delete_many(Visit, [visit.id for visit in session.list(Visit, limit=None)])
        written = []
        for account, who, day, visited in plan:
            planned = None if day is None else MONDAY + day * DAY
            at = None if visited is None else NINE + visited * DAY
            written += rows(company.accounts[account], users[who], [(planned, at)])
        session.add_many(Visit, written)
    span = {"from_": MONDAY + start * DAY, "until": MONDAY + end * DAY}
    for who, seen in (("li.wei", {"Kiosk", "Mart"}), ("zhang.min", {"Bistro"}), ("boss", set(company.accounts))):
        with company.session(who, read_only=True) as session:
            for asked, expected in (
                ({}, {}),
                ({"accounts": [company.accounts["Kiosk"]]}, {"accounts": {"Kiosk"}}),
                ({"user": "li.wei"}, {"user": "li.wei"}),
                ({"unit": "west"}, {"user": "zhang.min"}),
            ):
                found = coverage.coverage(session, **asked, **span)
                assert (found.planned, found.held, found.unplanned) == model(plan, seen, start, end, **expected)
                assert found.held <= found.planned
                assert found.reached <= found.outlets <= found.planned
                assert found.rate is None if not found.planned else 0 <= found.rate <= 1
