"""Budgets: never overrun, whoever spends, whichever way it is written, and without telling what others spent."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from crm_core import Conflict, CrmError, Money, NotFound, Objection, PermissionDenied
from crm_industrial import programmes, touches
from crm_industrial.programmes import Programme
from crm_industrial.touches import NurtureTouch, expense_parts

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
DAY = dt.timedelta(1)


def cny(amount: int | str) -> Money:
    return Money(amount, "CNY")


@pytest.fixture
def presses(company) -> int:
    """A programme with a budget of 100."""
    with company.session("boss") as session:
        return session.add_one(Programme(name="Presses", budget=cny(100))).id


def spend(company, amount: Money | None, *, who: str = "li.wei", where: str = "Press", programme: int | None) -> int:
    with company.session(who) as session:
        account = company.account(session, where)
        return touches.note(session, account, "visit", programme=programme, expense=amount, at=NOON).id


def total(company) -> Decimal:
    with company.crm.system_session("test", read_only=True) as session:
        return session.scalar(select(func.sum(expense_parts()[0]))) or Decimal(0)


def test_spending_is_told_per_currency(company, presses) -> None:
    with company.session("boss") as session:
        open_ended = session.add_one(Programme(name="Open"))
    spend(company, cny(30), programme=presses)
    spend(company, cny("12.5"), programme=presses)
    spend(company, None, programme=presses)
    spend(company, cny(7), programme=open_ended.id)
    spend(company, Money(8, "EUR"), programme=open_ended.id)
    with company.session() as session:
        found = programmes.spending(session, "Presses")
        assert (found.spent, found.touches) == ({"CNY": cny("42.5")}, 3)
        assert (found.left, found.share) == (cny("57.5"), Decimal("0.425"))
        found = programmes.spending(session, open_ended.id)
        assert found.spent == {"CNY": cny(7), "EUR": Money(8, "EUR")}
        assert (found.left, found.share) == (None, None)
        with pytest.raises(NotFound, match="no programme 'Preses'"):
            programmes.spending(session, "Preses")


def test_a_budget_is_not_overrun(company, presses) -> None:
    spend(company, cny(60), programme=presses)
    spend(company, cny(40), programme=presses)
    with pytest.raises(Objection, match=r"industrial: expense: The budget of Presses does not suffice\. Spend less"):
        spend(company, cny("0.01"), programme=presses)
    spend(company, cny(1000), programme=None)
    assert total(company) == 1100


def test_what_others_spent_counts_and_is_not_told(company, presses) -> None:
    secret = spend(company, cny(77), who="zhang.min", where="Foundry", programme=presses)
    with company.session() as session:
        assert session.count(NurtureTouch) == 0
        assert programmes.spending(session, presses).left == cny(100)
    with pytest.raises(Objection) as caught:
        spend(company, cny(30), programme=presses)
    told = str(caught.value)
    for hidden in ("77", "Foundry", "Zhang", "West", "107", "23", str(secret), str(company.accounts["Foundry"])):
        assert hidden not in told
    with company.session("boss") as session:
        assert programmes.spending(session, presses).left == cny(23)


@pytest.mark.parametrize("way", ["assign", "update_many", "add_many", "move"])
def test_a_budget_holds_whichever_way_it_is_written(company, presses, way) -> None:
    mine = spend(company, cny(60), programme=presses)
    other = spend(company, cny(60), programme=None)
    with pytest.raises(Objection, match="does not suffice"), company.session() as session:
        if way == "assign":
            session.require(NurtureTouch, mine).expense = cny(101)
        elif way == "update_many":
            session.update_many(NurtureTouch, [{"id": mine, "expense": cny(101)}])
        elif way == "move":
            session.require(NurtureTouch, other).programme_id = presses
        else:
            row = {"account_id": company.accounts["Press"], "kind": "visit", "at": NOON, "programme_id": presses}
            session.add_many(NurtureTouch, [{**row, "expense": cny(41)}])
    assert total(company) == 120


def test_in_one_change_set_only_the_outcome_counts(company, presses) -> None:
    mine = spend(company, cny(90), programme=presses)
    with company.session() as session:
        touches.note(session, company.account(session, "Press"), "call", programme=presses, expense=cny(90), at=NOON)
        session.require(NurtureTouch, mine).expense = cny(10)
    assert total(company) == 100


def test_an_overrun_budget_may_be_mended_step_by_step(company, presses) -> None:
    """As after an import without the plugin: cheaper is never refused, dearer is."""
    mine = spend(company, cny(90), programme=None)
    with company.crm.store.engine.begin() as connection:
        table = NurtureTouch.crm_type.table
        connection.execute(table.update().values(programme_id=presses, expense_amount=Decimal(300)))
    with company.session() as session:
        session.require(NurtureTouch, mine).expense = cny(250)
    with pytest.raises(Objection, match="does not suffice"), company.session() as session:
        session.require(NurtureTouch, mine).expense = cny(251)
    with company.session() as session:
        session.require(NurtureTouch, mine).note = "Correction follows."


def test_a_thousand_at_once_are_asked_about_in_two_statements(company, presses) -> None:
    row = {"account_id": company.accounts["Press"], "kind": "visit", "at": NOON, "programme_id": presses}
    rows = [{**row, "expense": cny("0.1")} for _ in range(1000)]
    with company.session() as session:
        ids = session.add_many(NurtureTouch, rows)
        with company.statements() as seen:
            session.check()
        about = [each for each in seen if "industrial__" in each]
        assert len(about) <= 4, about
    assert total(company) == 100
    with pytest.raises(Objection) as caught, company.session() as session:
        session.add_many(NurtureTouch, rows)
    assert len(caught.value.problems) == 1
    with company.session() as session:
        session.update_many(NurtureTouch, [{"id": id_, "expense": cny("0.05")} for id_ in ids])
        with company.statements() as seen:
            session.check()
        assert len([each for each in seen if "industrial__" in each]) <= 3
    with pytest.raises(Objection, match="does not suffice"), company.session() as session:
        session.update_many(NurtureTouch, [{"id": id_, "expense": cny("0.2")} for id_ in ids])
    assert total(company) == 50


def test_an_expense_is_in_the_currency_of_the_budget(company, presses) -> None:
    with pytest.raises(Objection, match="The budget of Presses is in CNY, not in EUR"):
        spend(company, Money(1, "EUR"), programme=presses)


def test_an_expense_is_not_negative(company, presses) -> None:
    with pytest.raises(Objection, match="expense: An expense is not negative: -5"):
        spend(company, cny(-5), programme=presses)


def test_a_budget_is_not_lowered_below_what_was_spent(company, presses) -> None:
    spend(company, cny(60), programme=presses)
    with pytest.raises(Objection, match="does not suffice"), company.session("boss") as session:
        session.require(Programme, presses).budget = cny(59)
    with pytest.raises(Objection, match="is in EUR, not in CNY"), company.session("boss") as session:
        session.require(Programme, presses).budget = Money(1000, "EUR")
    with pytest.raises(Objection, match="budget: A budget is not negative"), company.session("boss") as session:
        session.require(Programme, presses).budget = cny(-1)
    with company.session("boss") as session:
        session.require(Programme, presses).budget = cny(60)
    with company.session("boss") as session:
        session.require(Programme, presses).budget = None
    spend(company, Money(9, "EUR"), programme=presses)


def test_a_programme_has_its_time(company) -> None:
    with company.session("boss") as session:
        today = NOON.date()
        winter = session.add_one(Programme(name="Winter", first_day=today, last_day=today)).id
        spring = session.add_one(Programme(name="Spring", first_day=today + DAY)).id
    spend(company, cny(1), programme=winter)
    with pytest.raises(Objection, match="at: The programme Spring runs from 2026-11-24 to –"):
        spend(company, None, programme=spring)
    with pytest.raises(Objection, match="Winter runs"), company.session() as session:
        session.scalars(select(NurtureTouch)).one().at = NOON + DAY
    with pytest.raises(Objection, match="Winter would end before it begins"), company.session("boss") as session:
        session.require(Programme, winter).last_day = today - DAY


def test_a_salesperson_reads_programmes_and_does_not_start_them(company, presses) -> None:
    with company.session() as session:
        assert session.require(Programme, presses).budget == cny(100)
    with pytest.raises(PermissionDenied), company.session() as session:
        session.add(Programme(name="Mine", budget=cny(10**6)))
    with pytest.raises(PermissionDenied), company.session() as session:
        session.require(Programme, presses).budget = cny(10**6)


def test_a_programme_with_touches_is_not_deleted(company, presses) -> None:
    spend(company, cny(1), programme=presses)
    with pytest.raises(Conflict, match=r"by records of type industrial\.touch"), company.session("boss") as session:
        session.delete(session.require(Programme, presses))


def test_undo_gives_the_money_back_and_does_not_overrun_either(company, presses) -> None:
    with company.session() as session:
        touch = touches.note(
            session, company.account(session, "Press"), "visit", programme=presses, expense=cny(80), at=NOON
        )
    first = session.last_change_set
    with company.crm.system_session("test") as session:
        assert session.undo(first).deleted == {"industrial.touch": 1}
    gone = session.last_change_set
    spend(company, cny(70), programme=presses)
    with pytest.raises(Objection, match="does not suffice"), company.crm.system_session("test") as session:
        session.undo(gone)
    with company.session() as session:
        assert session.get(NurtureTouch, touch.id) is None
    assert total(company) == 70


def test_people_who_spend_at_the_same_time_do_not_overrun_the_budget_together(company, presses) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(4)

    def work(who: str, where: str) -> None:
        together.wait()
        try:
            spend(company, cny(40), who=who, where=where, programme=presses)
            outcomes.append("spent")
        except Objection:
            outcomes.append("refused")
        except CrmError as error:
            outcomes.append(repr(error))

    people = [("li.wei", "Press"), ("li.wei", "Mill"), ("zhang.min", "Foundry"), ("zhang.min", "Foundry")]
    threads = [threading.Thread(target=work, args=each) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "refused", "spent", "spent"]
    assert total(company) == 80


class Book:
    """What a plain model knows: the budget and the expenses that were accepted."""

    def __init__(self) -> None:
        self.budget = 100
        self.expenses: dict[int, int] = {}

    def allows(self, expenses: dict[int, int], budget: int) -> bool:
        dearer = sum(expenses.values()) > sum(self.expenses.values())
        return sum(expenses.values()) <= budget or not (dearer or budget != self.budget)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("spend"), st.sampled_from(["li.wei", "zhang.min"]), st.integers(0, 60)),
        st.tuples(st.just("correct"), st.integers(0, 9), st.integers(0, 90)),
        st.tuples(st.just("delete"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("rebudget"), st.integers(0, 200), st.just(0)),
    ),
    max_size=12,
)


# Each step is a session of its own on a real database, so a few dozen sequences must do.
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sequence=steps)
def test_no_sequence_overruns_the_budget(company, sequence) -> None:
    with company.session("boss") as session:
        session.delete_many(NurtureTouch, [touch.id for touch in session.list(NurtureTouch, limit=None)])
        programme = session.add_one(Programme(name="Random", budget=cny(100))).id
    book = Book()
    for step in sequence:
        expenses, budget = dict(book.expenses), book.budget
        known = sorted(expenses)
        try:
            match step:
                case ("spend", str(who), amount):
                    where = "Press" if who == "li.wei" else "Foundry"
                    expenses[-1] = amount
                    id_ = spend(company, cny(amount), who=who, where=where, programme=programme)
                    expenses[id_] = expenses.pop(-1)
                case ("correct", int(place), amount) if known:
                    id_ = known[place % len(known)]
                    expenses[id_] = amount
                    with company.session("boss") as session:
                        session.require(NurtureTouch, id_).expense = cny(amount)
                case ("delete", int(place), _) if known:
                    id_ = known[place % len(known)]
                    del expenses[id_]
                    with company.session("boss") as session:
                        session.delete(session.require(NurtureTouch, id_))
                case ("rebudget", int(amount), _):
                    budget = amount
                    with company.session("boss") as session:
                        session.require(Programme, programme).budget = cny(amount)
        except Objection:
            assert not book.allows(expenses, budget), step
        else:
            assert book.allows(expenses, budget), step
            book.expenses, book.budget = expenses, budget
        with company.session("boss", read_only=True) as session:
            found = programmes.spending(session, programme)
            assert found.spent.get("CNY", cny(0)).amount == sum(book.expenses.values()) <= book.budget
            assert found.left is not None
            assert found.left.amount >= 0
            assert found.share is None or 0 <= found.share <= 1


def test_a_touch_needs_neither_programme_nor_expense(company) -> None:
    spend(company, None, programme=None)
    assert total(company) == 0
