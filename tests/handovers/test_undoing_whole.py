"""Taking back all of a handover: also what is out of sight by now, and what stands in the way is told."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Conflict,
    Handover,
    Membership,
    NotFound,
    PermissionDenied,
    Share,
    UndoConflict,
    User,
    handovers,
    organisation,
    ownership,
)
from crm_core.domain.handovers import HandoverState, ItemState

from .conftest import Company


def state(company: Company, id_: int) -> tuple[HandoverState, list[ItemState]]:
    with company.system() as session:
        handover = session.require(Handover, id_)
        return handover.state, [item.state for item in handovers.items(session, handover)]


class TestOutOfSight:
    def test_a_manager_takes_back_what_went_to_another_department(self, company: Company) -> None:
        id_ = company.accepted(to="sun")
        before = company.state()
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_))
        with company.session() as session:
            assert [each.name for each in session.list(Account)] == ["Other"]
        with company.session(reason="Li stays") as session:
            taken = handovers.undo(session, session.require(Handover, id_))
            assert (taken.items, taken.whole, taken.left) == (6, True, ())
            assert dict(taken.records) == {"ownership": 12, "activity": 6}
        assert company.state() == before
        assert state(company, id_) == (HandoverState.UNDONE, [ItemState.UNDONE] * 6)
        with company.session("sun") as session:
            assert session.list(Account) == []

    def test_one_who_did_it_may_though_somebody_else_drafted_it(self, company: Company) -> None:
        with company.session("qian") as session:
            handover = handovers.draft(session, "li", to="sun")
            handovers.offer(session, handover)
            handovers.accept(session, handovers.items(session, handover))
            id_ = handover.id
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_))
        with company.system() as session:  # Li has changed to another department, too
            (place,) = session.scalars(select(Membership).where(Membership.user_id == company.users["li"]))
            place.unit_id = organisation.find_unit(session, "West").id
        with company.session() as session:
            assert session.get(Handover, id_) is None
            assert handovers.undo(session, id_).items == 6
        assert set(company.owners().values()) == {"li"}

    def test_one_who_drafted_what_the_worker_did_may(self, company: Company) -> None:
        id_ = company.accepted(to="sun", effective=dt.datetime.now(dt.UTC))
        assert handovers.do_due(company.crm) == [id_]
        with company.session() as session:
            assert handovers.undo(session, id_).whole

    def test_nobody_else_does(self, company: Company) -> None:
        id_ = company.done(to="sun")
        for login, error in (("li", NotFound), ("wang", NotFound), ("sun", PermissionDenied)):
            with company.session(login) as session, pytest.raises(error):
                handovers.undo(session, id_)
        with company.session() as session, pytest.raises(NotFound):
            handovers.undo(session, 999)
        assert set(company.owners().values()) == {"sun"}

    def test_nor_a_manager_who_no_longer_is_one(self, company: Company) -> None:
        id_ = company.done(to="sun")
        with company.system() as session:
            (place,) = session.scalars(select(Membership).where(Membership.user_id == company.users["zhou"]))
            place.role = "sales"
        with company.session() as session, pytest.raises((NotFound, PermissionDenied, Conflict)):
            handovers.undo(session, id_)
        assert set(company.owners().values()) == {"sun"}

    def test_a_manager_over_neither_takes_back_only_what_is_theirs(self, company: Company) -> None:
        """Who is not in charge of the leaver, and did not do it, gives back what they may transfer, and no more."""
        with company.system() as session:
            session.add(User(login="zheng", name="Zheng"))
            session.flush()
            organisation.join(session, "zheng", "West", role="manager", since_always=True)
        id_ = company.done(rules=[("address.city == 'Shanghai'", "sun")], to="wang")
        with company.session("zheng") as session:
            handover = session.require(Handover, id_)
            taken = handovers.undo(session, handover)
            assert (taken.items, taken.whole) == (2, False)
        assert list(company.owners().values()) == ["li", "wang", "li", "wang", "wang", "wang"]
        assert state(company, id_)[0] is HandoverState.DONE

    def test_items_that_were_written_by_hand_are_refused(self, company: Company) -> None:
        """The kernel takes back what the journal knows that the handover did."""
        id_ = company.done(scope="name == 'Firm 0'")
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.other), to="sun")
        foreign = company.latest().id
        with company.session() as session:
            (item,) = handovers.items(session, session.require(Handover, id_))
            item.change_sets = [foreign]
        with company.session() as session, pytest.raises(Conflict, match="does not say what the handover did"):
            handovers.undo(session, id_)


class TestWhatStandsInTheWay:
    @pytest.mark.parametrize("hidden", [False, True])
    def test_it_is_left_and_told_and_the_rest_goes_back(self, company: Company, hidden: bool) -> None:
        id_ = company.done(to="sun" if hidden else "wang")
        with company.system() as session:
            for number, to in ((1, "qian"), (4, "li")):
                ownership.transfer(session, session.require(Account, company.accounts[number]), to=to)
        with company.session() as session:
            taken = handovers.undo(session, id_)
            assert (taken.items, taken.whole) == (4, False)
            told = {each.account_id: [problem.problem for problem in each.problems] for each in taken.left}
        changed = ["{field} was changed since."]
        seen = {company.accounts[4]: changed[:1]}
        assert {key: found[:1] for key, found in told.items() if key} == seen  # Qian's is out of Zhou's sight
        assert len(taken.left) == 2 and told[None] == []
        assert list(company.owners().values()) == ["li", "qian", "li", "li", "li", "li"]
        now, items = state(company, id_)
        assert now is HandoverState.DONE and items.count(ItemState.DONE) == 2

    def test_where_all_of_it_was_changed_nothing_is(self, company: Company) -> None:
        id_ = company.done(scope="address.city == 'Shanghai'")
        with company.system() as session:
            for number in (0, 2):
                ownership.transfer(session, session.require(Account, company.accounts[number]), to="li")
        before = company.state()
        with company.session() as session, pytest.raises(UndoConflict, match="Nothing of the handover can be taken"):
            handovers.undo(session, id_)
        assert company.state() == before
        assert state(company, id_) == (HandoverState.DONE, [ItemState.DONE] * 2)

    def test_what_waits_is_given_up_all_the_same(self, company: Company) -> None:
        id_ = company.offered(to="sun")
        with company.session("sun") as session:
            handovers.accept(session, handovers.waiting_for(session, company.users["sun"])[:2])
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_), partial=True)
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[0]), to="li")
        with company.session() as session:
            assert handovers.undo(session, id_).items == 1
        now, items = state(company, id_)
        assert now is HandoverState.DONE
        assert items == [ItemState.DONE, ItemState.UNDONE, *[ItemState.CANCELLED] * 4]
        with company.system() as session:
            assert session.scalars(select(Share)).all() == []
