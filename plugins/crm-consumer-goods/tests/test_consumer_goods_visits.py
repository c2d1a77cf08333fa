"""Outlets, visits and store checks: verbs, rules that hold whichever way they are written, access, undo."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from crm_consumer_goods import outlets, store_checks, visits
from crm_consumer_goods.outlets import Channel, Outlet, OutletClass
from crm_consumer_goods.store_checks import StoreCheck
from crm_consumer_goods.visits import Visit
from crm_core import (
    Account,
    Activity,
    Conflict,
    Money,
    NotFound,
    Objection,
    PermissionDenied,
    Status,
    ValidationError,
    activities,
    ownership,
)
from crm_core.errors import BuildError

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = dt.date(2026, 11, 23)
NINE = dt.datetime(2026, 11, 23, 9, tzinfo=SHANGHAI)
MINUTE = dt.timedelta(minutes=1)


def test_an_account_is_classified_and_classified_anew(company) -> None:
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        outlet = outlets.classify(session, kiosk, "convenience", outlet_class="A")
        assert outlets.frequency(session, outlet) == 4
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        outlets.classify(session, kiosk, Channel.ONLINE, outlet_class=OutletClass.B, visit_frequency=8)
    with company.session() as session:
        outlet = session.require(Outlet, company.accounts["Kiosk"])
        assert (outlet.channel, outlet.outlet_class, outlet.version) == (Channel.ONLINE, OutletClass.B, 2)
        assert outlets.frequency(session, outlet) == 8


@pytest.mark.parametrize("given", [-1, 29])
def test_a_frequency_that_nobody_could_keep_is_refused(company, given) -> None:
    with pytest.raises(Objection, match=r"consumer_goods: visit_frequency.*Give 0 to 28"), company.session() as session:
        outlets.classify(session, company.account(session, "Kiosk"), "online", visit_frequency=given)


def test_accounts_are_filtered_by_their_outlet_and_visits(company) -> None:
    with company.session() as session:
        outlets.classify(session, company.account(session, "Kiosk"), "convenience", outlet_class="A")
        outlets.classify(session, company.account(session, "Mart"), "hypermarket", outlet_class="B")
        session.add(Visit(account_id=company.accounts["Mart"], minutes=45))
    with company.session() as session:

        def found(where: str) -> list[str]:
            return [account.name for account in session.list(Account, where, order="name")]

        assert found('consumer_goods.channel == "convenience"') == ["Kiosk"]
        assert found('consumer_goods.outlet_class in ("A", "B")') == ["Kiosk", "Mart"]
        assert found("any(consumer_goods.visits, minutes > 30)") == ["Mart"]


def test_visits_are_planned_by_frequency_and_only_once(company) -> None:
    with company.session() as session:
        kiosk, mart = company.account(session, "Kiosk"), company.account(session, "Mart")
        outlets.classify(session, kiosk, "convenience", outlet_class="A")
        outlets.classify(session, mart, "hypermarket", visit_frequency=20)
        until = MONDAY + dt.timedelta(28)
        planned = visits.plan_visits(session, [kiosk, mart], from_=MONDAY, until=until)
        days = {name: [v.planned_on for v in planned if v.account_id == account.id]
                for name, account in (("Kiosk", kiosk), ("Mart", mart))}  # fmt: skip
        assert len(days["Kiosk"]) == 4
        assert len(set(days["Mart"])) == 20
        assert all(day.isoweekday() <= 5 for day in days["Mart"])
        assert planned == sorted(planned, key=lambda visit: visit.planned_on)
        assert {visit.user_id for visit in planned} == {session.user_id}
        assert visits.plan_visits(session, [kiosk, mart], from_=MONDAY, until=until) == []


def test_accounts_that_are_no_outlet_get_no_visits(company) -> None:
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        assert visits.plan_visits(session, [kiosk], from_=MONDAY, until=MONDAY + dt.timedelta(7)) == []
        with pytest.raises(ValidationError, match="exclusive"):
            visits.plan_visits(session, [kiosk], from_=MONDAY, until=MONDAY)


def test_working_days_and_frequencies_are_set_by_the_build(open_company) -> None:
    company = open_company(working_days=[6, 7], frequencies={"c": 8})
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        outlets.classify(session, kiosk, "horeca")
        planned = visits.plan_visits(session, [kiosk], from_=MONDAY, until=MONDAY + dt.timedelta(28))
        assert [visit.planned_on.isoweekday() for visit in planned] == [6, 7] * 4


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"working_days": [1, 8]}, "from 1 (Monday) to 7"),
        ({"working_days": []}, "at least one"),
        ({"frequencies": {"a": 99}}, "plugins.consumer_goods.frequencies: a is 99; give 0 to 28"),
        ({"good_coverage": 2}, "good_coverage is 2; give a share"),
        ({"work_days": [1]}, "Did you mean working_days"),
    ],
)
def test_wrong_settings_are_told_with_what_to_give(open_company, settings, told) -> None:
    with pytest.raises(BuildError) as caught:
        open_company(**settings)
    assert told in str(caught.value)
    assert "plugins.consumer_goods" in str(caught.value)


def test_a_visit_is_checked_in_and_out(company) -> None:
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        planned = session.add_one(Visit(account_id=kiosk.id, user_id=session.user_id, planned_on=MONDAY))
        visit = visits.check_in(session, kiosk, at=NINE, place="Nanjing Road", latitude=Decimal("31.238"))
        assert visit is planned
        visits.check_out(session, visit, at=NINE + 12.5 * MINUTE, note="Shelf is full.")
        again = visits.check_in(session, kiosk, at=NINE + 60 * MINUTE)
        assert again is not planned
        assert again.planned_on is None
        visits.check_out(session, again, at=NINE + 60 * MINUTE)
    with company.session() as session:
        first, second = session.scalars(select(Visit).order_by(Visit.id))
        assert (first.minutes, first.note, second.minutes) == (12, "Shelf is full.", 0)


def test_an_activity_behind_the_visit_was_held_with_it(company) -> None:
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        [activity] = activities.plan(session, "store_check", "See the new shelf", start=MONDAY, account=kiosk)
        planned = session.add_one(Visit(account_id=kiosk.id, activity_id=activity.id))
        visit = visits.check_in(session, planned, at=NINE)
        visits.check_out(session, visit, at=NINE + 30 * MINUTE)
    with company.session() as session:
        held = session.scalars(select(Activity)).one()
        assert (held.status, held.minutes, held.started_at) == (Status.HELD, 30, NINE)


def test_verbs_out_of_order_say_what_to_do(company) -> None:
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        visit = visits.check_in(session, kiosk, at=NINE)
        with pytest.raises(Conflict, match=r"began at .* already\. Check it out"):
            visits.check_in(session, visit)
        with pytest.raises(ValidationError, match="before it began"):
            visits.check_out(session, visit, at=NINE - MINUTE)
        visits.check_out(session, visit, at=NINE)
        with pytest.raises(Conflict, match="ended at"):
            visits.check_out(session, visit)
        with pytest.raises(Conflict, match=r"has not begun\. Check in first"):
            visits.check_out(session, session.add_one(Visit(account_id=kiosk.id)))


def test_a_second_open_check_in_is_refused_at_once_with_the_place(company) -> None:
    with company.session() as session:
        visits.check_in(session, company.account(session, "Kiosk"), at=NINE)
        with pytest.raises(Conflict, match="check-in at Kiosk since"):
            visits.check_in(session, company.account(session, "Mart"))


def test_a_second_open_check_in_is_refused_whichever_way_it_is_written(company) -> None:
    with company.session() as session:
        me = session.user_id
        visits.check_in(session, company.account(session, "Kiosk"), at=NINE)
        idle = session.add_one(Visit(account_id=company.accounts["Mart"], user_id=me)).id
    row = {"account_id": company.accounts["Mart"], "user_id": me, "checked_in_at": NINE}
    with pytest.raises(Objection, match=r"Li\.Wei would be checked in at two outlets"), company.session() as session:
        session.add_many(Visit, [row])
    with pytest.raises(Objection, match="two outlets"), company.session() as session:
        session.update_many(Visit, [{"id": idle, "checked_in_at": NINE}])
    with pytest.raises(Objection, match="two outlets"), company.session() as session:
        session.require(Visit, idle).checked_in_at = NINE
    with company.session() as session:
        assert session.count(Visit, "checked_in_at != None") == 1


def test_who_checks_in_twice_at_the_same_time_is_in_one_outlet(company) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(3)

    def work(name: str) -> None:
        together.wait()
        try:
            with company.session() as session:
                visits.check_in(session, company.account(session, name), at=NINE)
            outcomes.append("in")
        except (Conflict, Objection):
            outcomes.append("refused")

    threads = [threading.Thread(target=work, args=(name,)) for name in ("Kiosk", "Mart", "Mart")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in", "refused", "refused"]


def test_an_open_check_in_at_an_account_lost_since_counts_without_naming_it(company) -> None:
    with company.session() as session:
        visits.check_in(session, company.account(session, "Kiosk"), at=NINE)
    with company.crm.system_session("test") as session:
        ownership.transfer(session, company.account(session, "Kiosk"), to="zhang.min")
    with pytest.raises(Objection, match="two outlets") as caught, company.session() as session:
        visits.check_in(session, company.account(session, "Mart"))
    assert "Kiosk" not in str(caught.value)
    assert str(company.accounts["Kiosk"]) not in str(caught.value)


def test_bulk_is_checked_in_a_few_statements_and_minutes_are_counted(company) -> None:
    with company.session() as session:
        me = session.user_id
        row = {"account_id": company.accounts["Kiosk"], "user_id": me, "checked_in_at": NINE}
        rows = [{**row, "checked_out_at": NINE + number * MINUTE} for number in range(1000)]
        ids = session.add_many(Visit, rows)
        with company.statements() as seen:
            session.check()
        reads = [each for each in seen if each.startswith("SELECT")]
        assert len(reads) <= 8, reads
    with company.session() as session:
        found = dict(session.execute(select(Visit.id, Visit.minutes)).all())
        assert [found[id_] for id_ in ids] == list(range(1000))


def test_a_thousand_at_once_with_one_wrong_change_nothing(company) -> None:
    row = {"account_id": company.accounts["Kiosk"], "checked_in_at": NINE}
    rows = [{**row, "checked_out_at": NINE + (MINUTE if number != 500 else -MINUTE)} for number in range(1000)]
    with pytest.raises(Objection, match="end before it begins"), company.session() as session:
        session.add_many(Visit, rows)
    with company.session() as session:
        assert session.count(Visit) == 0


def test_corrected_times_correct_the_minutes(company) -> None:
    with company.session() as session:
        visit = visits.check_in(session, company.account(session, "Kiosk"), at=NINE)
        visits.check_out(session, visit, at=NINE + 10 * MINUTE)
    with company.session() as session:
        session.scalars(select(Visit)).one().checked_out_at = NINE + 25 * MINUTE
    with company.session() as session:
        assert session.scalars(select(Visit.minutes)).one() == 25
    with pytest.raises(Objection, match="end before it begins"), company.session() as session:
        session.scalars(select(Visit)).one().checked_in_at = NINE + 60 * MINUTE


def test_a_place_is_on_earth(company) -> None:
    with pytest.raises(Objection, match=r"latitude: 91.* is no place"), company.session() as session:
        visits.check_in(session, company.account(session, "Kiosk"), latitude=Decimal(91), longitude=Decimal(0))


def test_a_store_check_has_lines(company) -> None:
    with company.session() as session:
        visit = visits.check_in(session, company.account(session, "Kiosk"), at=NINE)
        store_checks.note(
            session,
            visit,
            [
                {"product": "Green tea", "facings": 4, "price": Money("3.50", "CNY"), "promotion_material": True,
                 "competitor": "Master", "competitor_price": Money("3.20", "CNY")},
                {"product": "Black tea", "on_shelf": False},
            ],
        )  # fmt: skip
    with company.session() as session:
        one, two = session.scalars(select(StoreCheck).order_by(StoreCheck.id))
        assert (one.facings, one.price, one.competitor_price) == (4, Money("3.50", "CNY"), Money("3.20", "CNY"))
        assert (two.on_shelf, two.promotion_material, two.price) == (False, False, None)


@pytest.mark.parametrize(
    ("line", "objection"),
    [
        ({"facings": -1}, "facings: There cannot be"),
        ({"price": Money(-1, "CNY")}, "price: A price is not negative"),
        ({"competitor_price": Money(1, "CNY")}, "competitor: Whose price"),
    ],
)
def test_impossible_lines_are_refused(company, line, objection) -> None:
    with pytest.raises(Objection, match=objection), company.session() as session:
        visit = visits.check_in(session, company.account(session, "Kiosk"))
        store_checks.note(session, visit, [{"product": "Tea", **line}])


def test_a_correction_leaves_no_price_of_nobody(company) -> None:
    """Such a line could not be restored by an undo of its deletion."""
    with company.session() as session:
        visit = visits.check_in(session, company.account(session, "Kiosk"), at=NINE)
        values = {"product": "Tea", "competitor": "Master", "competitor_price": Money(1, "CNY")}
        (line,) = store_checks.note(session, visit, [values])
    for nobody in (None, ""):
        with pytest.raises(Objection, match="competitor: Whose price"), company.session() as session:
            session.require(StoreCheck, line).competitor = nobody
    with pytest.raises(Objection, match="competitor: Whose price"), company.session() as session:
        session.update_many(StoreCheck, [{"id": line, "competitor": None}])
    with company.session() as session:
        found = session.require(StoreCheck, line)
        found.competitor, found.competitor_price = None, None
    with pytest.raises(Objection, match="competitor: Whose price"), company.session() as session:
        session.require(StoreCheck, line).competitor_price = Money(2, "CNY")


def test_who_does_not_see_the_account_sees_neither_outlet_nor_visit_nor_line(company) -> None:
    with company.session("zhang.min") as session:
        bistro = company.account(session, "Bistro")
        outlets.classify(session, bistro, "horeca")
        visit = visits.check_in(session, bistro, at=NINE)
        line = store_checks.note(session, visit, [{"product": "Tea"}])[0]
    with company.session() as session:
        assert [session.count(each) for each in (Outlet, Visit, StoreCheck)] == [0, 0, 0]
        assert session.get(Outlet, company.accounts["Bistro"]) is None
        assert session.get(Visit, visit.id) is None
        assert session.get(StoreCheck, line) is None
        assert session.list(Account, 'consumer_goods.channel == "horeca"') == []
        assert session.list(Account, "any(consumer_goods.visits, id > 0)") == []
    with pytest.raises(NotFound, match=f"there is no consumer_goods.visit {visit.id}"), company.session() as session:
        session.add(StoreCheck(visit_id=visit.id, product="Tea"))
    with company.session("boss") as session:
        assert [session.count(each) for each in (Outlet, Visit, StoreCheck)] == [1, 1, 1]


def test_a_salesperson_does_not_delete_a_visit_but_the_manager_may(company) -> None:
    with company.session() as session:
        visit = session.add_one(Visit(account_id=company.accounts["Kiosk"], planned_on=MONDAY))
    with pytest.raises(PermissionDenied), company.session() as session:
        session.delete(session.require(Visit, visit.id))
    with company.session("boss") as session:
        session.delete(session.require(Visit, visit.id))
    with company.session("boss") as session:
        assert session.count(Visit) == 0


def test_what_was_written_can_be_undone(company) -> None:
    with company.session() as session:
        kiosk = company.account(session, "Kiosk")
        outlets.classify(session, kiosk, "convenience")
        visit = visits.check_in(session, kiosk, at=NINE)
        store_checks.note(session, visit, [{"product": "Tea"}])
        visits.check_out(session, visit, at=NINE + MINUTE)
    change_set = session.last_change_set
    with company.crm.system_session("test") as session:
        report = session.undo(change_set)
        assert report.deleted == {
            "consumer_goods.outlet": 1, "consumer_goods.visit": 1, "consumer_goods.store_check": 1,
        }  # fmt: skip
    with company.crm.system_session("test") as session:
        assert [session.count(each) for each in (Outlet, Visit, StoreCheck)] == [0, 0, 0]


def test_the_extension_goes_with_its_account(company) -> None:
    with company.session() as session:
        outlets.classify(session, company.account(session, "Kiosk"), "convenience")
        session.add(Visit(account_id=company.accounts["Kiosk"]))
    with company.crm.system_session("test") as session:
        session.delete(company.account(session, "Kiosk"))
    with company.crm.system_session("test") as session:
        assert [session.count(each) for each in (Outlet, Visit)] == [0, 0]
