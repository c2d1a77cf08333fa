"""Items of which nothing comes: somebody else is responsible meanwhile, or the handover is given up."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core import Account, Activity, Handover, HandoverItem, OwnershipRole, Share, handovers, ownership, pools
from crm_core.domain.handovers import HandoverState, ItemState, Received
from crm_core.store.merging import merge
from crm_core.views import next_actions, overview

from .conftest import Company


def states(company: Company, id_: int) -> list[str]:
    with company.system() as session:
        handover = session.require(Handover, id_)
        return [handover.state.value, *(item.state.value for item in handovers.items(session, handover))]


def planned(company: Company, number: int) -> int | None:
    with company.system() as session:
        query = select(Activity.user_id).where(
            Activity.account_id == company.accounts[number], Activity.status == "planned"
        )
        return session.scalars(query).one()


class TestKept:
    def test_what_changed_hands_meanwhile_is_kept_and_told(self, company: Company) -> None:
        id_ = company.accepted()
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[1]), to="sun")
            since = session.now
        with company.system() as session:
            deed = handovers.do(session, session.require(Handover, id_))
        assert (deed.items, deed.ended, deed.begun, dict(deed.moved)) == (5, 5, 5, {"activity": 5})
        assert deed.received == (Received(user_id=company.users["wang"], accounts=5, people=5, open_work=5),)
        (kept,) = deed.unchanged
        assert (kept.account_id, kept.role, kept.scope, kept.user_id) == (
            company.accounts[1], OwnershipRole.OWNER, "", company.users["sun"],
        )  # fmt: skip
        assert kept.since is not None and abs(kept.since - since) < dt.timedelta(minutes=1)
        assert states(company, id_) == ["done", "done", "kept", *["done"] * 4]
        assert list(company.owners().values()) == ["wang", "sun", "wang", "wang", "wang", "wang"]
        assert planned(company, 1) == company.users["li"]  # it is no business of Wang's
        with company.system() as session:
            assert session.scalars(select(Share)).all() == []

    def test_where_all_is_kept_the_handover_is_over_and_there_is_nothing_to_take_back(self, company: Company) -> None:
        id_ = company.accepted(scope="name == 'Firm 0'")
        with company.system() as session:
            pools.release(session, company.accounts[0], reason="too far")
        with company.system() as session:
            deed = handovers.do(session, session.require(Handover, id_))
            (kept,) = deed.unchanged
            assert (deed.items, kept.user_id, kept.since) == (0, None, None)
        assert states(company, id_) == ["done", "kept"]
        with company.system() as session, pytest.raises(Exception, match=r"Nothing of the handover .* is done"):
            handovers.undo(session, id_)

    def test_the_rest_goes_back_and_what_was_kept_stays(self, company: Company) -> None:
        id_ = company.accepted()
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[1]), to="sun")
        with company.system() as session:
            handovers.do(session, session.require(Handover, id_))
        with company.session() as session:
            assert handovers.undo(session, id_).items == 5
        assert states(company, id_) == ["undone", "undone", "kept", *["undone"] * 4]
        assert list(company.owners().values()) == ["li", "sun", "li", "li", "li", "li"]

    def test_what_the_successor_has_already_is_done(self, company: Company) -> None:
        id_ = company.accepted(scope="name == 'Firm 0'")
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[0]), to="wang")
        with company.system() as session:
            deed = handovers.do(session, session.require(Handover, id_))
            assert (deed.items, deed.unchanged, dict(deed.moved)) == (1, (), {"activity": 1})
        assert planned(company, 0) == company.users["wang"]

    def test_what_is_in_the_pool_already_is_done(self, company: Company) -> None:
        with company.session() as session:
            handover = handovers.draft(session, "li", to_pool=True, scope="name == 'Firm 0'")
            handovers.offer(session, handover)
            id_ = handover.id
        with company.system() as session:
            pools.release(session, company.accounts[0], reason="too far")
        with company.system() as session:
            deed = handovers.do(session, session.require(Handover, id_))
            assert (deed.items, deed.unchanged) == (1, ())
            assert deed.received == (Received(user_id=None, accounts=1, people=1, open_work=1),)
        assert planned(company, 0) is None

    def test_open_work_follows_the_role_that_does_go_over(self, company: Company) -> None:
        with company.system() as session:
            account = session.require(Account, company.accounts[0])
            ownership.assign(session, account, to="li", role=OwnershipRole.COLLABORATOR, since_always=True)
        id_ = company.accepted(scope="name == 'Firm 0'")
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[0]), to="sun")
        with company.system() as session:
            deed = handovers.do(session, session.require(Handover, id_))
            assert [each.role for each in deed.unchanged] == [OwnershipRole.OWNER]
        assert planned(company, 0) == company.users["wang"]

    def test_another_role_that_ended_is_kept_too(self, company: Company) -> None:
        with company.system() as session:
            account = session.require(Account, company.other)
            ownership.assign(session, account, to="li", role=OwnershipRole.BACKUP, since_always=True)
        id_ = company.accepted(scope="name == 'Other'", to="sun")
        with company.system() as session:
            ownership.release(session, session.require(Account, company.other), user="li")
        with company.system() as session:
            (kept,) = handovers.do(session, session.require(Handover, id_)).unchanged
            assert (kept.role, kept.user_id, kept.since) == (OwnershipRole.BACKUP, None, None)

    def test_of_two_items_that_a_merge_made_one_the_other_is_kept(self, company: Company) -> None:
        id_ = company.accepted(
            scope="address.city == 'Shanghai'", rules=[("name == 'Firm 0'", "wang"), ("name == 'Firm 2'", "sun")]
        )
        one, other = company.accounts[0], company.accounts[2]
        with company.system() as session:
            merge(session, session.require(Account, one), session.require(Account, other))
        with company.system() as session:
            deed = handovers.do(session, session.require(Handover, id_))
        with company.system() as session:
            owner = ownership.owner(session, session.require(Account, one))
            assert owner is not None and deed.items == 1
            done = {item.successor_id for item in session.scalars(select(HandoverItem)) if item.state is ItemState.DONE}
            assert done == {owner.id}

    def test_the_worker_does_not_try_for_ever(self, company: Company) -> None:
        id_ = company.accepted(scope="name == 'Firm 0'", effective=dt.datetime.now(dt.UTC))
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[0]), to="sun")
        assert handovers.do_due(company.crm) == [id_]
        assert handovers.do_due(company.crm) == []
        assert states(company, id_) == ["done", "kept"]

    def test_what_was_kept_may_be_handed_over_anew(self, company: Company) -> None:
        company.accepted(scope="name == 'Firm 0'")
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[0]), to="sun")
        with company.system() as session:
            (handover,) = session.scalars(select(Handover))
            handovers.do(session, handover)
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[0]), to="li")
        with company.session() as session:
            assert len(handovers.items(session, handovers.draft(session, "li", to="wang"))) == 6


class TestCancelled:
    @pytest.mark.parametrize("far", ["drafted", "offered", "accepted"])
    def test_items_of_a_cancelled_handover_are_cancelled(self, company: Company, far: str) -> None:
        if far == "drafted":
            with company.session() as session:
                id_ = handovers.draft(session, "li", to="wang").id
        else:
            id_ = getattr(company, far)()
        with company.session() as session:
            found = handovers.cancel(session, session.require(Handover, id_))
            assert {item.state for item in found} == {ItemState.CANCELLED}
        assert states(company, id_) == ["cancelled"] * 7

    def test_a_successor_who_sees_the_accounts_anyway_is_asked_no_more(self, company: Company) -> None:
        """Wang helps at one of the accounts, so that she still sees the item."""
        with company.system() as session:
            account = session.require(Account, company.accounts[0])
            ownership.assign(session, account, to="wang", role=OwnershipRole.COLLABORATOR, since_always=True)
        id_ = company.offered()
        with company.session() as session:
            handovers.cancel(session, session.require(Handover, id_))
        with company.session("wang") as session:
            offered = select(HandoverItem).where(HandoverItem.state == ItemState.OFFERED)
            assert session.scalars(offered).all() == []
            assert handovers.waiting_for(session, company.users["wang"]) == []
            assert [each for each in next_actions(session) if each.kind == "handover"] == []
            assert overview(session, session.require(Account, company.accounts[0])).handovers == ()

    def test_also_those_that_the_canceller_does_not_see(self, company: Company) -> None:
        id_ = company.offered(to="sun")
        with company.system() as session:
            ownership.transfer(session, session.require(Account, company.accounts[0]), to="sun")
        with company.session() as session:
            assert len(handovers.cancel(session, session.require(Handover, id_))) == 5
        assert states(company, id_) == ["cancelled"] * 7

    def test_what_is_done_of_it_stays_so(self, company: Company) -> None:
        id_ = company.offered()
        with company.session("wang") as session:
            handovers.accept(session, handovers.waiting_for(session, company.users["wang"])[:1])
        with company.session() as session:
            handovers.do(session, session.require(Handover, id_), partial=True)
        with company.session() as session:
            handovers.cancel(session, session.require(Handover, id_))
        assert states(company, id_) == ["cancelled", "done", *["cancelled"] * 5]
        with company.session() as session:
            assert handovers.undo(session, id_).whole
            assert session.require(Handover, id_).state is HandoverState.UNDONE

    def test_what_was_cancelled_may_be_handed_over_anew(self, company: Company) -> None:
        id_ = company.offered()
        with company.session() as session:
            handovers.cancel(session, session.require(Handover, id_))
        with company.session() as session:
            assert len(handovers.items(session, handovers.draft(session, "li", to="sun"))) == 6
