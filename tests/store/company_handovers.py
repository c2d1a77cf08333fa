"""The steps of the machine that hand customers over, today or tomorrow, and take that back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from crm_core import CrmError, handovers
from crm_core.domain.handovers import Handover, HandoverItem, HandoverState, ItemState

from .company_model import ahead, handovers_in, offered, overdue
from .company_state import read
from .company_steps import SALES, Company, picks, sellers


class HandingOver(Company):
    """Drafted, offered, answered, done, taken back."""

    @rule(
        leaver=sellers,
        way=st.sampled_from(["to", "turn", "rule", "pool"]),
        to=sellers,
        limited=st.booleans(),
        later=st.booleans(),
        far=st.integers(0, 3),
    )
    def hand_over(self, leaver: str, way: str, to: str, limited: bool, later: bool, far: int) -> None:
        """Drafted, for today or tomorrow, and on demand offered, accepted and done at once."""
        others = [each for each in SALES if each != leaver]
        given: dict[str, Any] = {
            "to": {"to": to}, "turn": {"round_robin": others}, "pool": {"to_pool": True},
            "rule": {"rules": [('industry == "machinery"', others[0])], "to": others[1]},
        }[way]  # fmt: skip
        with self.acting("boss") as session:
            scope = 'industry != "food"' if limited else None
            given |= {"effective": session.now + dt.timedelta(days=1)} if later else {}
            id_ = handovers.draft(session, leaver, reason="leaves", scope=scope, **given).id
        for step in (handovers.offer, self.accept_all, handovers.do)[:far]:
            if self.refused is None:
                with self.acting("boss") as session:
                    step(session, session.get(Handover, id_))

    @precondition(lambda self: ahead(self.state))
    @rule(hours=st.sampled_from([0, 1, 25, 25]))
    def what_is_due_is_done(self, hours: int) -> None:
        """Tomorrow the worker does what was accepted, and moves the open work of what was done ahead."""
        self.clock.moment += dt.timedelta(hours=hours)
        before, due, failed = self.state, overdue(self.state, self.now()), None
        try:
            done = handovers.do_due(self.crm)
        except CrmError as error:
            failed = error  # a successor has gone, or no pool takes what was to go back
        else:
            assert set(done) == due
        self.state = read(self.crm)
        left = overdue(self.state, self.now())
        assert left <= due and bool(left) == (failed is not None), failed
        if before.differences(self.state):
            self.last = None
        self.count_the_lost(before, strict=True)

    @precondition(lambda self: handovers_in(self.state, HandoverState.DRAFTED))
    @rule(number=picks)
    def offer(self, number: int) -> None:
        ids = handovers_in(self.state, HandoverState.DRAFTED)
        with self.acting("boss") as session:
            handovers.offer(session, session.get(Handover, ids[number % len(ids)]))

    @precondition(lambda self: offered(self.state))
    @rule(number=picks, yes=st.sampled_from([True, True, True, False]))
    def answer(self, number: int, yes: bool) -> None:
        item = offered(self.state)[number % len(offered(self.state))]
        successor = self.login(self.state.records["handover_item", item]["successor_id"])
        if not self.here(successor):
            return
        with self.acting(successor) as session:
            found = session.get(HandoverItem, item)
            assert found is not None, "whoever is asked must see what it is about"
            (handovers.accept if yes else handovers.refuse)(session, found)

    @precondition(lambda self: handovers_in(self.state, HandoverState.OFFERED))
    @rule(number=picks, accept_all=st.booleans())
    def do(self, number: int, accept_all: bool) -> None:
        ids = handovers_in(self.state, HandoverState.OFFERED)
        id_ = ids[number % len(ids)]
        with self.acting("boss") as session:
            handover = session.get(Handover, id_)
            if accept_all:
                self.accept_all(session, handover)
            handovers.do(session, handover, partial=True)

    @precondition(lambda self: handovers_in(self.state, HandoverState.DONE))
    @rule(number=picks, which=picks)
    def take_one_back(self, number: int, which: int) -> None:
        ids = handovers_in(self.state, HandoverState.DONE)
        with self.acting("boss") as session:
            done = handovers.items(session, session.get(Handover, ids[number % len(ids)]), ItemState.DONE)
            handovers.take_back(session, done[which % len(done)])

    @precondition(lambda self: handovers_in(self.state, HandoverState.DONE))
    @rule(number=picks)
    def take_all_back(self, number: int) -> None:
        ids = handovers_in(self.state, HandoverState.DONE)
        with self.acting("boss") as session:
            handovers.undo(session, session.get(Handover, ids[number % len(ids)]))

    @precondition(lambda self: handovers_in(self.state, HandoverState.DRAFTED, HandoverState.OFFERED))
    @rule(number=picks)
    def give_up(self, number: int) -> None:
        ids = handovers_in(self.state, HandoverState.DRAFTED, HandoverState.OFFERED)
        with self.acting("boss") as session:
            handovers.cancel(session, session.get(Handover, ids[number % len(ids)]))
