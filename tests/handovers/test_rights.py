"""Who hands accounts over must be allowed to transfer them; the rights on handovers alone are not enough."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Conflict,
    Crm,
    CrmSession,
    Handover,
    HandoverItem,
    Membership,
    Ownership,
    PermissionDenied,
    Share,
    handovers,
    organisation,
    ownership,
)
from crm_core.domain.handovers import ItemState

from .conftest import POOLS, Company, found

CLERK = {
    "handover.*": "subtree", "handover_item.*": "subtree", "account.read": "subtree", "ownership.read": "subtree",
    "activity.read": "subtree",
}  # fmt: skip


@pytest.fixture
def company(database_url: str) -> Iterator[Company]:
    """The company, where Qian is a clerk for all: she may do anything with handovers, and nothing with ownership."""
    build = {
        "crm": {"database": database_url, "time_zone": "Asia/Shanghai"}, "pools": POOLS,
        "roles": {"clerk": {"permissions": CLERK}, "heir": {"permissions": {**CLERK, "ownership.*": "subtree"}}},
    }  # fmt: skip
    with Crm.open(build, check=False) as crm:
        crm.store.create_all()
        company = found(crm)
        with company.system() as session:
            (place,) = session.scalars(select(Membership).where(Membership.user_id == company.users["qian"]))
            place.role = "clerk"
        yield company


def by_the_verb(session: CrmSession, handover: Handover) -> None:
    handovers.offer(session, handover)


def by_object(session: CrmSession, handover: Handover) -> None:
    handovers.items(session, handover)[0].state = ItemState.ACCEPTED


def in_bulk(session: CrmSession, handover: Handover) -> None:
    rows = [{"id": item.id, "state": ItemState.ACCEPTED} for item in handovers.items(session, handover)]
    session.update_many(HandoverItem, rows)


@pytest.mark.parametrize("way", [by_the_verb, by_object, in_bulk])
def test_a_clerk_drafts_and_somebody_else_offers(company: Company, way: Callable[[CrmSession, Handover], None]) -> None:
    with company.session("qian") as session:
        id_ = handovers.draft(session, "li", to="sun").id
    with pytest.raises(PermissionDenied) as caught, company.session("qian") as session:
        way(session, session.require(Handover, id_))
    first = company.accounts[0]
    assert str(caught.value) == (
        f"qian may not give the account {first} to somebody else: that needs the right to transfer it. Ask whoever may,"
        " or for a role whose permissions account.read, ownership.create, ownership.read, ownership.update reach it."
    )
    with company.system() as session:
        assert session.scalars(select(Share)).all() == []
    with company.session("zhou") as session:
        assert len(handovers.offer(session, session.require(Handover, id_))) == 6


def test_a_clerk_writes_no_item_that_is_offered_or_done(company: Company) -> None:
    with company.session("qian") as session:
        id_ = handovers.draft(session, "li", to="sun").id
    for state in (ItemState.OFFERED, ItemState.ACCEPTED, ItemState.DONE):
        row = {"handover_id": id_, "account_id": company.other, "state": state}
        with company.session("qian") as session, pytest.raises(PermissionDenied, match="the right to transfer it"):
            session.add_many(HandoverItem, [row])


def test_a_clerk_neither_does_it_nor_takes_it_back(company: Company) -> None:
    id_ = company.accepted()
    with company.session("qian") as session, pytest.raises(PermissionDenied, match="the right to transfer it"):
        handovers.do(session, session.require(Handover, id_))
    assert set(company.owners().values()) == {"li"}
    with company.session("zhou") as session:
        handovers.do(session, session.require(Handover, id_))
    with company.session("qian") as session:
        handover = session.require(Handover, id_)
        with pytest.raises(PermissionDenied, match="the right to transfer it"):
            handovers.take_back(session, handovers.items(session, handover)[0])
        with pytest.raises(PermissionDenied, match=f"qian may not take back the handover {id_}"):
            handovers.undo(session, handover)
    assert set(company.owners().values()) == {"wang"}


def test_the_rights_must_reach_the_accounts(company: Company) -> None:
    """Whoever may transfer in one department does not hand over another's customers by a wider role for handovers."""
    with company.system() as session:
        organisation.join(session, "qian", "West", role="heir", since_always=True)
    with company.session("qian") as session:
        handover = handovers.draft(session, "li", to="sun")
        with pytest.raises(PermissionDenied, match="the right to transfer it"):
            handovers.offer(session, handover)
        session.rollback()
    with company.system() as session:
        ownership.transfer(session, session.require(Account, company.other), to="sun")
    with company.session("qian") as session:
        handover = handovers.draft(session, "sun", to="wang")
        assert len(handovers.offer(session, handover)) == 1


def test_one_statement_asks_for_all(company: Company) -> None:
    from crm_core.testing.statements import counted

    def cost(scope: str) -> int:
        with company.session("zhou") as session:
            handover = handovers.draft(session, "li", to="sun", scope=scope)
            session.flush()
            with counted(company.crm) as seen:
                handovers.offer(session, handover)
            session.rollback()
            return len([each for each in seen if each.lstrip().upper().startswith("SELECT")])

    assert cost('name == "Firm 1"') == cost('name != "Nowhere"')


def test_who_gives_up_is_not_changed_afterwards(company: Company) -> None:
    """Whoever answers for the leaver may take everything back, so that it must not become one's own colleague."""
    id_ = company.done(to="sun")
    with pytest.raises(Conflict, match="Who gives up cannot be changed"), company.session("zhou") as session:
        session.require(Handover, id_).leaver_id = company.users["wang"]


def test_the_worker_does_what_was_offered_rightly(company: Company) -> None:
    company.accepted(effective=dt.datetime.now(dt.UTC))
    assert len(handovers.do_due(company.crm)) == 1
    with company.system() as session:
        held = session.scalars(select(Ownership.user_id).where(Ownership.account_id.in_(company.accounts))).all()
        assert set(held) == {company.users["wang"]}
