"""Touches: departments, the warning for the second one, who sees what, panel and timeline."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from crm_core import (
    Account,
    BuildError,
    Crm,
    Money,
    NotFound,
    Objection,
    Touch,
    ValidationError,
    accounts,
    organisation,
    shares,
)
from crm_core.hooks import Panel
from crm_core.views import check_contact
from crm_industrial import touches
from crm_industrial.programmes import Programme
from crm_industrial.touches import NurtureTouch

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=SHANGHAI)
DAY = dt.timedelta(1)


def cny(amount: int) -> Money:
    return Money(amount, "CNY")


def test_the_department_is_that_of_the_day(company) -> None:
    with company.crm.system_session("test") as session:
        organisation.leave(session, "li.wei", "east", at=NOON)
        organisation.join(session, "li.wei", "west", role="sales", from_=NOON)
    with company.session() as session:
        press = company.account(session, "Press")
        found = [
            touches.note(session, press, "visit", at=NOON - DAY),
            touches.note(session, press, "visit", at=NOON + DAY),
            touches.note(session, press, "visit", at=NOON, unit="sales", user="boss", text="The boss himself."),
        ]
        session.flush()
        assert [touch.unit.code for touch in found] == ["east", "west", "sales"]
        assert found[2].user.login == "boss"


def test_only_known_kinds_of_touches_are_noted(company) -> None:
    with pytest.raises(ValidationError, match=r"industrial\.touch_kind"), company.session() as session:
        touches.note(session, company.account(session, "Press"), "bribe")


def test_accounts_are_filtered_by_their_touches(company) -> None:
    with company.session() as session:
        touches.note(session, company.account(session, "Press"), "factory_tour", expense=cny(1200))
        touches.note(session, company.account(session, "Mill"), "call")
    with company.session() as session:

        def found(where: str) -> list[str]:
            return [account.name for account in session.list(Account, where)]

        assert found('any(industrial.touches, kind == "factory_tour" and expense.amount > 1000)') == ["Press"]
        assert found('any(industrial.touches, kind == "call")') == ["Mill"]


def warned(company, who: str, *, at: dt.datetime = NOON, account: str = "Press") -> list[str]:
    with company.session(who, read_only=True) as session:
        found = check_contact(session, company.account(session, account), purpose="visit", at=at)
    assert all((finding.level, finding.plugin) == ("warning", "industrial") for finding in found)
    return [finding.text for finding in found]


@pytest.fixture
def courted(open_company):
    """Opens a company in which the east has spent on Press, which zhang.min of the west sees by a share."""

    def make(**options):
        company = open_company(**options)
        with company.session() as session:
            press = company.account(session, "Press")
            touches.note(session, press, "factory_tour", expense=cny(500), at=NOON, text="Secret plans")
            touches.note(session, company.account(session, "Mill"), "call", at=NOON)
            shares.grant(session, press, user="zhang.min", reason="Spare parts")
            shares.grant(session, company.account(session, "Mill"), user="zhang.min", reason="Spare parts")
        return company

    return make


def test_the_second_department_is_warned_within_so_many_days(courted) -> None:
    company = courted(second_department_days=30)
    told = ["Another department spends on this prospect, too. Agree with it before you spend."]
    assert warned(company, "zhang.min") == told
    assert warned(company, "zhang.min", at=NOON + 30 * DAY) == told
    assert warned(company, "zhang.min", at=NOON - 30 * DAY) == told
    assert warned(company, "zhang.min", at=NOON + 31 * DAY) == []
    assert warned(company, "li.wei") == []
    assert warned(company, "boss") == []  # the unit above is no second department
    assert warned(company, "zhang.min", account="Mill") == []  # a touch without an expense


def test_the_department_is_named_only_where_the_settings_say_so(courted) -> None:
    (told,) = warned(courted(tell_department=True), "zhang.min")
    assert "too: East." in told
    for hidden in ("500", "Secret", "Li", "factory"):
        assert hidden not in told


def test_the_warning_can_be_switched_off(courted) -> None:
    assert warned(courted(second_department_days=0), "zhang.min") == []


def test_the_warning_counts_touches_that_the_actor_does_not_see(courted) -> None:
    """Somebody who reads accounts, but no touches."""
    company = courted()
    role = {"reader": {"permissions": {"account.read": "own", "lifecycle.read": "own"}}}
    config = {"crm": {"plugins": ["industrial"]}, "roles": role | {"sales": {"permissions": {"account.read": "own"}}}}
    url = company.crm.store.engine.url.render_as_string(hide_password=False)
    with Crm.open(config, database=url) as narrow, narrow.session("zhang.min") as session:
        assert session.list(NurtureTouch) == []
        assert len(check_contact(session, company.account(session, "Press"), purpose="visit", at=NOON)) == 1


def test_who_may_not_see_the_account_learns_nothing(company) -> None:
    with company.session() as session:
        touches.note(session, company.account(session, "Press"), "factory_tour", expense=cny(500), at=NOON)
    with company.session("zhang.min") as session:
        touch = Touch(account_id=company.accounts["Press"], purpose="visit", at=NOON)
        assert company.crm.build.dispatcher.check_contact(session, touch) == ()


def test_many_departments_rightly_take_care_of_a_customer(courted) -> None:
    company = courted()
    with company.session() as session:
        press = company.account(session, "Press")
        accounts.promote(session, press, "qualified", at=NOON - 9 * DAY)
        accounts.promote(session, press, "customer", at=NOON + DAY)
    assert len(warned(company, "zhang.min")) == 1
    assert warned(company, "zhang.min", at=NOON + 2 * DAY) == []


def test_who_does_not_see_the_account_sees_no_touch(company) -> None:
    with company.session("zhang.min") as session:
        foundry = company.account(session, "Foundry")
        touch = touches.note(session, foundry, "visit", expense=cny(5))
    with company.session() as session:
        assert session.count(NurtureTouch) == 0
        assert session.get(NurtureTouch, touch.id) is None
        assert session.list(Account, "any(industrial.touches, id > 0)") == []
        assert session.list(NurtureTouch, "expense.amount > 0") == []
    with pytest.raises(NotFound), company.session() as session:
        session.add(NurtureTouch(account_id=company.accounts["Foundry"], kind="visit", at=NOON))
    with company.session("boss") as session:
        assert session.count(NurtureTouch) == 1


def panel(company, name: str = "Press", who: str = "li.wei", **options) -> Panel | None:
    with company.session(who, read_only=True, **options) as session:
        gathered = company.crm.build.dispatcher.gather_overview(session, [company.accounts[name]])
    assert not gathered.failed
    return next((part for part in gathered if part.plugin == "industrial"), None)


def test_the_panel_tells_patience_and_cost(company) -> None:
    with company.session("boss") as session:
        presses = session.add_one(Programme(name="Presses", budget=cny(1000))).id
    with company.session() as session:
        press = company.account(session, "Press")
        touches.note(session, press, "visit", programme=presses, expense=cny(30), at=NOON)
        touches.note(session, press, "call", programme=presses, at=NOON + DAY)
        touches.note(session, press, "sample", expense=Money("2.125", "EUR"), at=NOON + 2 * DAY)
    found = panel(company, at=NOON + 60 * DAY)
    assert found is not None
    assert dict(found.lines) == {
        "Touches": "3",
        "Spent": "30.00 CNY, 2.1250 EUR",
        "First touch": "2026-11-23",
        "Last touch": "2026-11-25",
    }
    assert found.rows[1:] == (("Presses", "2", "30.00 CNY"), ("–", "1", "2.1250 EUR"))
    assert found.severity == "none"
    assert panel(company, at=NOON + 63 * DAY).severity == "warning"
    assert dict(panel(company, at=NOON + DAY).lines)["Touches"] == "2"
    assert panel(company, at=NOON - DAY) is None
    assert panel(company, "Mill") is None
    assert panel(company, "Press", "zhang.min") is None


def test_touches_stand_in_the_timeline_of_those_who_see_the_account(company) -> None:
    with company.session() as session:
        press = company.account(session, "Press")
        touches.note(session, press, "factory_tour", expense=cny(30), at=NOON, text="Line 4")
        touches.note(session, press, "call", at=NOON + DAY)

    def told(who: str = "li.wei", **options) -> list[tuple[str, str]]:
        with company.session(who) as session:
            gathered = company.crm.build.dispatcher.gather_timeline(session, [company.accounts["Press"]], **options)
        assert not gathered.failed
        return [(entry.title, entry.text) for entry in gathered if entry.record_type == "industrial.touch"]

    call, tour = ("Call", ""), ("Factory tour", "30.00 CNY · Line 4")
    assert told() == told("boss") == [call, tour]
    assert told(limit=1) == told(since=NOON + DAY) == [call]
    assert told(until=NOON + DAY) == [tour]
    assert told("zhang.min") == []


def test_statements_do_not_grow_with_accounts(company) -> None:
    with company.session() as session:
        ids = session.add_many(Account, [{"name": f"Works {number}"} for number in range(50)])
        session.check()
        session.add_many(
            NurtureTouch, [{"account_id": id_, "kind": "call", "at": NOON, "expense": cny(1)} for id_ in ids]
        )
    counts = []
    for number in (1, 50):
        with company.session(read_only=True, at=NOON) as session:
            session.list(NurtureTouch, limit=1)  # what the session asks once about its actor
            with company.statements() as seen:
                panels = company.crm.build.dispatcher.gather_overview(session, ids[:number])
                entries = company.crm.build.dispatcher.gather_timeline(session, ids[:number])
        assert (len(panels), len(entries)) == (number, number)
        counts.append(len(seen))
    # On PostgreSQL a savepoint is set and released for each hook, so that a plugin can fail alone.
    savepoints = 4 if company.crm.store.dialect == "postgresql" else 0
    assert [each - savepoints for each in counts] == [2, 2]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"quiet_days": -1}, "quiet_days is -1; give 0 to 3650 days"),
        ({"tell_department": "yes"}, "tell_department: Expected true or false"),
        ({"second_departement_days": 5}, "Did you mean second_department_days"),
    ],
)
def test_wrong_settings_are_told_with_what_to_give(open_company, settings, told) -> None:
    with pytest.raises(BuildError) as caught:
        open_company(**settings)
    assert told in str(caught.value)


def test_touches_go_with_their_account(company) -> None:
    with company.session() as session:
        touches.note(session, company.account(session, "Press"), "visit", expense=cny(5))
    with company.crm.system_session("test") as session:
        session.delete(company.account(session, "Press"))
    with company.crm.system_session("test") as session:
        assert session.count(NurtureTouch) == 0


def test_objections_come_at_once_where_they_are_asked_for(company) -> None:
    with company.session("boss") as session:
        small = session.add_one(Programme(name="Small", budget=cny(1))).id
    with company.session() as session:
        touches.note(session, company.account(session, "Press"), "visit", programme=small, expense=cny(2))
        with pytest.raises(Objection):
            session.check()
        session.rollback()
