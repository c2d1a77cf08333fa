"""Two at once: exactly one does it, and the other gets a clear answer."""

from __future__ import annotations

import threading
from collections import Counter

from sqlalchemy import select

from crm_core import CrmError, Handover, Ownership, handovers
from crm_core.domain.handovers import HandoverState

from .conftest import Company


def race(*works: object) -> Counter[str]:
    """Start all at the same moment; how each of them ended."""
    barrier = threading.Barrier(len(works))
    ends: Counter[str] = Counter()

    def run(work) -> None:  # type: ignore[no-untyped-def]
        barrier.wait(30)
        try:
            work()
        except CrmError as error:
            ends[type(error).__name__] += 1
        else:
            ends["done"] += 1

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return ends


class TestAtOnce:
    def test_two_do_the_same_handover(self, company: Company) -> None:
        id_ = company.accepted()

        def do() -> None:
            with company.session() as session:
                handovers.do(session, session.require(Handover, id_))

        assert race(do, do, do) == {"done": 1, "Conflict": 2}
        assert set(company.owners().values()) == {"wang"}
        with company.system() as session:
            rows = session.scalars(
                select(Ownership).where(Ownership.account_id.in_(company.accounts)),
                execution_options={"all_dates": True},
            ).all()
            assert len(rows) == 12
            handover = session.require(Handover, id_)
            assert handover.state is HandoverState.DONE
            assert all(len(item.moved) == 3 for item in handovers.items(session, handover))

    def test_two_take_the_same_account_back(self, company: Company) -> None:
        id_ = company.done()

        def take_back() -> None:
            with company.session() as session:
                handovers.take_back(session, handovers.items(session, session.require(Handover, id_))[0])

        assert race(take_back, take_back) == {"done": 1, "Conflict": 1}
        assert list(company.owners().values()) == ["li", "wang", "wang", "wang", "wang", "wang"]

    def test_the_answer_and_another_successor(self, company: Company) -> None:
        id_ = company.offered(to="sun", scope="name == 'Firm 0'")

        def accept() -> None:
            with company.session("sun") as session:
                handovers.accept(session, handovers.waiting_for(session, company.users["sun"]))

        def assign() -> None:
            with company.session() as session:
                handover = session.require(Handover, id_)
                handovers.assign(session, handovers.items(session, handover), "wang")

        ends = race(accept, assign)
        assert ends["done"] in (1, 2)
        with company.system() as session:
            (item,) = handovers.items(session, session.require(Handover, id_))
            assert (item.state.value, item.successor_id) in (
                ("drafted", company.users["wang"]), ("accepted", company.users["sun"]),
            )  # fmt: skip
