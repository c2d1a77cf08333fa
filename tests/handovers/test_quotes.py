"""Quotes and documents are records of plugins: what is open of them goes over, and is taken back, like the kernel's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core import Account, Crm, CrmSession, Handover, Manifest, OpenItem, handovers, hookimpl
from crm_core.assembly import given
from crm_core.fields import flag, ref, text
from crm_core.records import Record, parent, record, via
from crm_core.views import briefings, open_items

from .conftest import POOLS, Company, found

manifest = Manifest(name="quotes", version="1", crm_core=">=0.1,<1", module=__name__)


@record("quotes.paper", access=via("account_id"), label="Paper")
class Paper(Record):
    """A quote that runs, or a document that somebody owes the customer."""

    account_id: Mapped[int] = ref("account")
    kind: Mapped[str] = text(20, default="quote")
    name: Mapped[str] = text(80)
    seller_id: Mapped[int | None] = ref("user", default=None, on_delete="clear")
    decided: Mapped[bool] = flag(default=False)

    account: Mapped[Account] = parent("account_id")


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """The papers of the test."""
    return [Paper]


@hookimpl
def crm_gather_handover(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """What is not decided."""
    query = select(Paper).where(Paper.account_id.in_(accounts), Paper.decided.is_(False)).order_by(Paper.id)
    for row in session.scalars(query if user_id is None else query.where(Paper.seller_id == user_id)):
        yield OpenItem(
            account_id=row.account_id, kind=row.kind, title=row.name, record_type="quotes.paper", record_id=row.id,
            user_id=row.seller_id, reassign="seller_id",
        )  # fmt: skip


@pytest.fixture
def company(database_url: str) -> Iterator[Company]:
    build = {"crm": {"database": database_url, "plugins": ["quotes"]}, "pools": POOLS}
    with Crm.open(build, check=False, discovery=given(manifest)) as crm:
        crm.store.create_all()
        yield found(crm)


@pytest.fixture
def papers(company: Company) -> list[int]:
    """A quote of Li's at each of the first three accounts, and at the first a document, one that is decided, and one of
    Wang's.
    """
    li, wang = company.users["li"], company.users["wang"]
    first = company.accounts[0]
    with company.system() as session:
        rows: list[dict[str, Any]] = [
            {"account_id": id_, "name": f"Q{number}", "seller_id": li}
            for number, id_ in enumerate(company.accounts[:3])
        ]
        rows += [
            {"account_id": first, "name": "Certificate", "kind": "document", "seller_id": li},
            {"account_id": first, "name": "Old", "seller_id": li, "decided": True},
            {"account_id": first, "name": "Wang's", "seller_id": wang},
        ]
        added = [session.add_one(Paper(**row)) for row in rows]
        session.flush()
        return [each.id for each in added]


def sellers(company: Company) -> dict[str, str]:
    """Whose each paper is, by login."""
    logins = {id_: login for login, id_ in company.users.items()}
    with company.system(read_only=True) as session:
        return {
            row.name: logins.get(row.seller_id or 0, "nobody")
            for row in session.scalars(select(Paper).order_by(Paper.id))
        }


BEFORE = {"Q0": "li", "Q1": "li", "Q2": "li", "Certificate": "li", "Old": "li", "Wang's": "wang"}


def test_they_are_told_go_over_and_come_back(company: Company, papers: list[int]) -> None:
    with company.session("li", read_only=True) as session:
        mine = open_items(session, company.accounts, session.user_id)
        assert Counter(item.kind for item in mine) == {"visit": 6, "promise": 6, "quote": 3, "document": 1}
        (briefing,) = briefings(session, session.require(Account, company.accounts[0]))
        assert [item.title for item in briefing.open] == ["See 0", "Q0", "Certificate", "Wang's"]
    assert sellers(company) == BEFORE
    id_ = company.accepted(rules=[("name == 'Firm 2'", None)])
    before = company.state()
    with company.session(reason="Li leaves") as session:
        deed = handovers.do(session, session.require(Handover, id_))
    assert dict(deed.moved) == {"activity": 6, "quotes.paper": 4}
    assert sellers(company) == BEFORE | {"Q0": "wang", "Q1": "wang", "Q2": "nobody", "Certificate": "wang"}
    with company.system() as session:
        session.require(Paper, papers[1]).decided = True
    with company.session(reason="not these") as session:
        items = handovers.items(session, session.require(Handover, id_))
        taken = handovers.take_back(session, items[:2])
        assert (taken.records["quotes.paper"], dict(taken.kept)) == (2, {"quotes.paper": 1})
    # What was decided meanwhile stays with whoever decided it.
    assert sellers(company) == BEFORE | {"Q1": "wang", "Q2": "nobody"}
    with company.session(reason="Li stays") as session:
        assert handovers.undo(session, session.require(Handover, id_)).records["quotes.paper"] == 1
    assert sellers(company) == BEFORE | {"Q1": "wang"}
    after = company.state()
    assert {key for key in before if before[key] != after.get(key)} == {("quotes.paper", papers[1])}
    assert after.keys() == before.keys()


def test_all_of_it_is_undone(company: Company, papers: list[int]) -> None:
    id_ = company.accepted()
    before = company.state()
    with company.session() as session:
        handovers.do(session, session.require(Handover, id_))
    assert set(sellers(company).values()) == {"wang", "li"}  # what is decided stays Li's
    with company.session() as session:
        taken = handovers.undo(session, session.require(Handover, id_))
    assert (taken.records["quotes.paper"], taken.whole) == (4, True)
    assert company.state() == before
