"""Two accounts of one handover that become one: one item, and one successor for the owner and for the work."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crm_core import Account, Activity, Handover, Ownership, handovers, merging, ownership

from .conftest import Company

PAIR = 'name == "Firm 0" or name == "Firm 1"'
RULES = [('name == "Firm 0"', "wang"), ('name == "Firm 1"', "sun")]


def merge(company: Company, target: int) -> tuple[int, list[str]]:
    """One of the first two accounts goes into the other; which stays, and what was told."""
    kept, gone = company.accounts[target], company.accounts[1 - target]
    with company.system() as session:
        report = merging.merge(session, session.require(Account, kept), session.require(Account, gone))
        return kept, [str(each) for each in report.resolved]


def workers(company: Company, account: int) -> set[str]:
    """Who is in charge of what is planned at an account."""
    logins = {id_: login for login, id_ in company.users.items()}
    with company.system(read_only=True) as session:
        planned = select(Activity.user_id).where(Activity.account_id == account, Activity.planned_start > session.now)
        return {logins[id_] for id_ in session.scalars(planned) if id_ is not None}


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("answered", [False, True])
def test_owner_and_open_work_go_to_one_successor(company: Company, target: int, answered: bool) -> None:
    id_ = (company.accepted if answered else company.offered)(rules=RULES, scope=PAIR, to=None)
    kept, told = merge(company, target)
    assert any("hands over the same" in each for each in told)
    assert any("of successor_id" in each for each in told)
    with company.system() as session:
        handover = session.require(Handover, id_)
        (item,) = handovers.items(session, handover)
        assert item.account_id == kept
        if not answered:
            handovers.accept(session, item)
        assert handovers.do(session, handover).items == 1
        assert handover.state is handovers.HandoverState.DONE
    successor = ("wang", "sun")[target]
    with company.system(read_only=True) as session:
        owner = ownership.owner(session, session.require(Account, kept))
        assert owner is not None and owner.login == successor
        left = session.scalars(select(Ownership.user_id).where(Ownership.account_id == kept)).all()
        assert left == [company.users[successor]]
    assert workers(company, kept) == {successor}


def test_what_was_done_of_one_does_not_hold_back_the_other(company: Company) -> None:
    """The first is Wang's already; what Li still has of the second goes to Sun, who helps there then."""
    id_ = company.offered(rules=RULES, scope=PAIR, to=None)
    with company.system() as session:
        handover = session.require(Handover, id_)
        first = handovers.items(session, handover)[0]
        handovers.accept(session, first)
        handovers.do(session, handover, partial=True)
    kept, told = merge(company, 0)
    assert any("a collaborator's part" in each for each in told)
    with company.system() as session:
        handover = session.require(Handover, id_)
        handovers.accept(session, handovers.items(session, handover, handovers.ItemState.OFFERED))
        handovers.do(session, handover)
    with company.system(read_only=True) as session:
        present = select(Ownership.user_id, Ownership.role).where(Ownership.account_id == kept)
        assert {(row.user_id, row.role.value) for row in session.execute(present)} == {
            (company.users["wang"], "owner"), (company.users["sun"], "collaborator"),
        }  # fmt: skip
    assert workers(company, kept) == {"wang", "sun"}
