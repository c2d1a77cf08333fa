"""What successors, whoever gives up and later readers are told of a handover, and what they are not."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError

from crm_core import Account, ExpressionError, Handover, Ownership, PermissionDenied, Share, handovers
from crm_core.store.history import history

from .conftest import Company

WHY, SAID = "dismissed for fraud", "Li has left us"


def told(company: Company, login: str) -> str:
    """Everything of the handovers that somebody can read: rows, shares, grounds, and the history of all of it."""
    texts: list[object] = []
    with company.session(login, read_only=True) as session:
        for each in session.scalars(select(Handover)):
            texts += [each.message, history(session, "handover", each.id)]
            for item in handovers.items(session, each):
                texts += [item.note, history(session, "handover_item", item.id)]
        for record in (Share, Ownership):
            for row in session.scalars(select(record), execution_options={"all_dates": True}):
                texts += [row.reason, history(session, record.crm_type.name, row.id)]
        for account in session.list(Account):
            texts += session.explain(account)
    return " ".join(map(str, texts))


@pytest.mark.parametrize("far", ["offered", "done"])
def test_a_successor_is_told_the_message_and_not_the_reason(company: Company, far: str) -> None:
    id_ = getattr(company, far)(to="sun", reason=WHY, message=SAID)
    for login in ("sun", *(["wang"] if far == "offered" else [])):
        assert WHY not in told(company, login)
    assert SAID in told(company, "sun")
    with company.session("sun") as session:
        handover = session.require(Handover, id_)
        with pytest.raises(InvalidRequestError):
            _ = handover.reason
        with pytest.raises(PermissionDenied):
            session.scalars(select(Handover.reason)).all()
        with pytest.raises(ExpressionError):
            session.list(Handover, f'icontains(reason, "{WHY}")')
    with company.session("zhou") as session:
        assert session.require(Handover, id_).reason == WHY


def test_neither_is_whoever_gives_up(company: Company) -> None:
    from crm_core.views.whats_new import looked, whats_new

    with company.session("li") as session:
        looked(session, whats_new(session))
    id_ = company.offered(reason=WHY, message=SAID)
    assert WHY not in told(company, "li")
    with company.session() as session:
        handovers.accept(session, handovers.items(session, session.require(Handover, id_)))
    with company.session() as session:
        handovers.do(session, session.require(Handover, id_))
    with company.session("li") as session:
        gone = whats_new(session).gone
    assert WHY not in str(gone) and SAID in str(gone)


def test_without_a_message_nothing_takes_its_place(company: Company) -> None:
    company.done(to="sun", reason=WHY)
    with company.system() as session:
        shares = session.scalars(select(Share), execution_options={"all_dates": True}).all()
        assert {share.reason for share in shares} == {"handover of Li"}
        begun = session.scalars(select(Ownership).where(Ownership.user_id == company.users["sun"])).all()
        assert {row.reason for row in begun} == {None}
