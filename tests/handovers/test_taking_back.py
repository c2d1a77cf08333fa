"""Taking back one account of a handover, or all: every declared field returns."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Activity,
    Conflict,
    Handover,
    PermissionDenied,
    UndoConflict,
    User,
    handovers,
    ownership,
)
from crm_core.domain.handovers import HandoverState, ItemState
from crm_core.store import pools, undo, writer
from crm_core.store.history import change_sets

from .conftest import Company


def one(company: Company, id_: int, number: int = 0) -> None:
    with company.session(reason="not this one") as session:
        item = handovers.items(session, session.require(Handover, id_))[number]
        taken = handovers.take_back(session, item)
        assert (taken.items, dict(taken.records), dict(taken.kept)) == (1, {"ownership": 2, "activity": 1}, {})


class TestTakingBack:
    def test_one_goes_back_and_the_others_stay(self, company: Company) -> None:
        id_ = company.done()
        one(company, id_, 3)
        assert list(company.owners().values()) == ["wang", "wang", "wang", "li", "wang", "wang"]
        with company.session() as session:
            handover = session.require(Handover, id_)
            assert handover.state is HandoverState.DONE
            assert [item.state for item in handovers.items(session, handover)].count(ItemState.UNDONE) == 1
            planned = session.scalars(
                select(Activity.user_id).where(Activity.account_id == company.accounts[3], Activity.status == "planned")
            ).all()
            assert planned == [company.users["li"]]

    def test_all_after_one_restores_every_declared_field(self, company: Company) -> None:
        id_ = company.accepted()
        before = company.state()
        with company.session(reason="Li leaves") as session:
            handovers.do(session, session.require(Handover, id_))
        assert company.state() != before
        one(company, id_)
        with company.session(reason="Li stays") as session:
            taken = handovers.undo(session, session.require(Handover, id_))
            assert taken.items == 5
        assert company.state() == before
        with company.session() as session:
            handover = session.require(Handover, id_)
            assert handover.state is HandoverState.UNDONE
            assert {item.state for item in handovers.items(session, handover)} == {ItemState.UNDONE}

    def test_the_change_set_itself_can_be_undone(self, company: Company) -> None:
        id_ = company.accepted()
        before = company.state()
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_))
        done = company.latest().id
        with company.session() as session:
            session.undo(done)
        assert company.state() == before
        with company.session() as session:  # it is as it was: offered and accepted, and may be done again
            handover = session.require(Handover, id_)
            assert handover.state is HandoverState.OFFERED
            handovers.do(session, handover)
        assert set(company.owners().values()) == {"wang"}

    def test_a_partial_undo_can_itself_be_undone(self, company: Company) -> None:
        id_ = company.done()
        after = company.state()
        one(company, id_)
        taken = company.latest()
        assert (taken.source, taken.undoes) == ("undo", None)
        with company.session() as session:
            session.undo(taken.id)
        assert company.state() == after

    def test_a_partial_deed_is_taken_back_with_the_rest(self, company: Company) -> None:
        id_ = company.offered()
        before = company.state()
        for number in (2, 4):
            with company.session("wang") as session:
                handovers.accept(session, handovers.waiting_for(session, company.users["wang"])[:number])
            with company.session() as session:
                handovers.do(session, session.require(Handover, id_), partial=True)
        with company.session() as session:
            handovers.undo(session, session.require(Handover, id_))
        assert company.state() == before

    def test_what_waits_is_given_up_with_it(self, company: Company) -> None:
        id_ = company.offered()
        with company.session("wang") as session:
            handovers.accept(session, handovers.waiting_for(session, company.users["wang"])[:2])
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_), partial=True)
        with company.session("wang") as session:
            assert session.count(Account) == 7
        with company.session() as session:
            handovers.undo(session, session.require(Handover, id_))
        with company.session("wang") as session:
            assert [account.name for account in session.list(Account)] == ["Other"]

    def test_the_last_one_taken_back_undoes_the_handover(self, company: Company) -> None:
        id_ = company.done(scope="name == 'Firm 1'")
        one(company, id_)
        with company.session() as session:
            assert session.require(Handover, id_).state is HandoverState.UNDONE
        with company.session() as session:  # and it may be handed over anew
            assert len(handovers.items(session, handovers.draft(session, "li", to="sun"))) == 6

    def test_what_the_successor_finished_stays_theirs(self, company: Company) -> None:
        id_ = company.done()
        with company.session("wang") as session:
            visit = session.scalars(
                select(Activity).where(Activity.account_id == company.accounts[0], Activity.status == "planned")
            ).one()
            visit.status, visit.outcome = type(visit.status)("held"), "ordered"
        with company.session() as session:
            taken = handovers.take_back(session, handovers.items(session, session.require(Handover, id_))[0])
        assert (dict(taken.records), dict(taken.kept)) == ({"ownership": 2}, {"activity": 1})
        with company.system() as session:
            assert session.require(Activity, visit.id).user_id == company.users["wang"]

    def test_what_the_successor_only_changed_goes_back_with_the_change(self, company: Company) -> None:
        id_ = company.done()
        with company.session("wang") as session:
            visit = session.scalars(
                select(Activity).where(Activity.account_id == company.accounts[0], Activity.status == "planned")
            ).one()
            visit.subject = "another subject"
        one(company, id_)
        with company.system() as session:
            found = session.require(Activity, visit.id)
            assert (found.user_id, found.subject) == (company.users["li"], "another subject")

    def test_a_later_transfer_stands_in_the_way(self, company: Company) -> None:
        id_ = company.done()
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[0]), to="li")
        before = company.state()
        for login in ("zhou", "qian"):
            with pytest.raises(UndoConflict, match="valid_to was changed since"), company.session(login) as session:
                handovers.take_back(session, handovers.items(session, session.require(Handover, id_))[0])
        assert company.state() == before

    def test_nothing_goes_back_to_somebody_who_has_gone(self, company: Company) -> None:
        id_ = company.done()
        with company.session("qian") as session:
            session.require(User, company.users["li"]).active = False
        with company.session() as session:
            handover = session.require(Handover, id_)
            with pytest.raises(Conflict, match="li is not active"):
                handovers.take_back(session, handovers.items(session, handover)[0])
            with pytest.raises(Conflict, match="li is not active"):
                handovers.undo(session, handover)

    def test_only_whoever_may_change_the_item_takes_it_back(self, company: Company) -> None:
        id_ = company.done()
        with company.session("wang") as session, pytest.raises(PermissionDenied):
            handovers.take_back(session, handovers.items(session, session.require(Handover, id_))[0])

    def test_what_was_not_done_is_not_taken_back(self, company: Company) -> None:
        id_ = company.offered()
        with company.session() as session:
            handover = session.require(Handover, id_)
            with pytest.raises(Conflict, match="is offered, not done"):
                handovers.take_back(session, handovers.items(session, handover)[0])
            with pytest.raises(Conflict, match=r"Nothing of the handover .* is done"):
                handovers.undo(session, handover)

    def test_a_manager_takes_back_what_the_worker_did(self, company: Company) -> None:
        id_ = company.accepted(effective=dt.datetime.now(dt.UTC))
        assert handovers.do_due(company.crm) == [id_]
        assert set(company.owners().values()) == {"wang"}
        with company.system() as session:
            assert {each.principal for each in change_sets(session, 1)} == {"handover.due"}
        one(company, id_, 5)
        assert list(company.owners().values()) == ["wang"] * 5 + ["li"]


class TestWhatWasClaimedSince:
    """It went back to a pool, and somebody took it from there before it was taken back."""

    @staticmethod
    def claimed(company: Company, login: str, number: int = 0) -> int:
        """Claim one of the accounts; the change set of the claim."""
        with company.session(login) as session:
            pools.claim(session, "all", company.accounts[number])
        return company.latest().id

    @staticmethod
    def tried(company: Company, login: str, change_set: int) -> str:
        with pytest.raises(UndoConflict) as caught, company.session(login) as session:
            session.undo(change_set)
        return str(caught.value)

    def test_it_says_whose_the_account_is_since_when_and_what_helps(self, company: Company) -> None:
        id_ = company.done(to=None, to_pool=True)
        claim = self.claimed(company, "wang")
        before = company.state()
        first = company.accounts[0]
        for login, mend in (
            ("qian", f"Take back first what gave it to wang (crm undo {claim}); or only let"),
            ("zhou", f"system.undo may take back first what gave it to wang (crm undo {claim}); or only let"),
        ):
            with pytest.raises(UndoConflict) as caught, company.session(login) as session:
                item = next(
                    each
                    for each in handovers.items(session, session.require(Handover, id_))
                    if each.account_id == first
                )
                handovers.take_back(session, item)
            said = str(caught.value)
            assert f"The account Firm 0 ({first}) is owned by wang since 2" in said and mend in said
            assert f"crm transfer {first} --to li --reason TEXT." in said and "Two rows" not in said
        assert company.state() == before
        with company.session("qian") as session:  # what it says helps
            session.undo(claim)
        with company.session("qian") as session:
            assert handovers.undo(session, id_).whole
        assert set(company.owners().values()) == {"li"}

    def test_what_was_given_back_meanwhile_stands_in_the_way_no_less(self, company: Company) -> None:
        company.done(to=None, to_pool=True)
        done = company.latest().id
        self.claimed(company, "wang")
        with company.session("wang") as session:
            pools.release(session, company.accounts[0], reason="too far")
        said = self.tried(company, "qian", done)
        assert f"The account Firm 0 ({company.accounts[0]}) was owned by wang meanwhile, until 2" in said
        with company.session("qian") as session:
            (problem,) = session.undo(done, dry_run=True).conflicts
        assert str(problem) in said

    def test_whoever_does_not_see_the_account_is_not_told(self, company: Company) -> None:
        company.done(to=None, to_pool=True, scope="name == 'Firm 0'")
        done = company.latest().id
        self.claimed(company, "sun")
        said = self.tried(company, "zhou", done)
        assert "cannot be undone by you" in said and not [word for word in ("sun", "Firm", "pool") if word in said]
        assert "is owned by sun since" in self.tried(company, "qian", done)

    def test_a_large_one_says_the_same(self, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
        company.done(to=None, to_pool=True)
        done = company.latest().id
        self.claimed(company, "sun")
        monkeypatch.setattr(undo, "_LARGE", 1)
        monkeypatch.setattr(writer, "_CHUNK", 1)
        assert "is owned by sun since" in self.tried(company, "qian", done)

    def test_somebody_who_is_to_own_it_later(self, company: Company) -> None:
        company.done(to=None, to_pool=True)
        done = company.latest().id
        with company.system() as session:
            soon = session.clock() + dt.timedelta(days=3)
            ownership.assign(session, session.require(Account, company.accounts[0]), to="sun", from_=soon)
        said = self.tried(company, "qian", done)
        assert "is to be owned by sun from 2" in said and "Take back first what gives it to sun: crm undo" in said
        assert "crm transfer" not in said
