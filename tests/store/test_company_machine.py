"""The company owns its customers, whatever its people do: claims, releases, handovers, undos, in any order.

After each step the tables themselves are read and judged by plain Python.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crm_core import (
    Account,
    Activity,
    Affiliation,
    Contact,
    ContactPoint,
    Crm,
    PointKind,
    PoolEvent,
    User,
    activities,
    merging,
    ownership,
    pools,
    shares,
)
from crm_core.domain.handovers import Handover, HandoverItem, ItemState

from .company_handovers import HandingOver
from .company_model import (
    BUILD,
    SCOPE_OF,
    SCOPES,
    SERVICE,
    Clock,
    free,
    pooled,
    require_due_and_warned,
    room,
)
from .company_state import dangling, left_behind, model, owned, owners, standing, two_owners
from .company_steps import PEOPLE, SALES, picks, sellers

CLASSES: dict[str, Any] = {
    cls.crm_type.name: cls
    for cls in (
        Account, Contact, Affiliation, Activity, ContactPoint, ownership.Ownership, ownership.Share, Handover,
        HandoverItem, PoolEvent,
    )
}  # fmt: skip
people = st.sampled_from(PEOPLE)
industries = st.sampled_from(["machinery", "machinery", "chemicals", "food"])
scopes = st.sampled_from(["", "", SERVICE])


class CompanyMachine(HandingOver):
    """Everybody does everything; the tables are judged after each step."""

    # -- customers ---------------------------------------------------------------------------------------------

    @rule(who=sellers, industry=industries, grade=st.sampled_from(["A", "B", None]))
    def start_a_customer(self, who: str, industry: str, grade: str | None) -> None:
        if not self.here(who):
            return
        with self.acting(who) as session:
            session.add(Account(name="a", industry=industry, grade=grade))
        assert self.refused is None

    @rule(industry=industries, grade=st.sampled_from(["A", "B"]), count=st.integers(1, 3))
    def bring_customers_in(self, industry: str, grade: str, count: int) -> None:
        with self.acting(None, strict=False) as session:
            session.add_many(Account, [{"name": "b", "industry": industry, "grade": grade}] * count)
        assert self.refused is None

    @precondition(lambda self: self.ids("account"))
    @rule(number=picks, points=st.booleans())
    def meet_somebody(self, number: int, points: bool) -> None:
        account = self.pick("account", number)
        with self.acting(None) as session:
            person = session.add_one(Contact(name="c"))
            session.add(Affiliation(account_id=account, contact_id=person.id, role="buyer"))
            if points:
                session.add(ContactPoint(contact_id=person.id, kind=PointKind.PHONE, value="13800138000"))
        assert self.refused is None

    @precondition(lambda self: owned(self.state, self.now()))
    @rule(number=picks, held=st.booleans())
    def visit(self, number: int, held: bool) -> None:
        now = self.now()
        mine = owned(self.state, now)
        account, user = sorted(mine.items())[number % len(mine)]
        if not self.here(self.login(user)):
            return
        with self.acting(self.login(user)) as session:
            (plan,) = activities.plan(session, "visit", "v", start=now, account=session.get(Account, account))
            if held:
                activities.hold(session, plan, started=now, outcome="fine", next_step="offer", next_step_due=now)

    @precondition(lambda self: self.ids("account"))
    @rule(number=picks, to=sellers, scope=scopes)
    def transfer(self, number: int, to: str, scope: str) -> None:
        with self.acting("boss") as session:
            ownership.transfer(session, session.get(Account, self.pick("account", number)), to=to, scope=scope)

    @precondition(lambda self: self.ids("account"))
    @rule(number=picks, to=people, days=st.sampled_from([None, 1]))
    def lend(self, number: int, to: str, days: int | None) -> None:
        with self.acting("boss") as session:
            account = session.get(Account, self.pick("account", number))
            until = None if days is None else session.now + dt.timedelta(days=days)
            shares.grant(session, account, user=to, reason="fair", until=until)
        assert self.refused is None

    # -- pools -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.ids("account"))
    @rule(who=sellers, number=picks, pool=st.sampled_from(["machines", "machines", "chemicals", "service"]))
    def claim(self, who: str, number: int, pool: str) -> None:
        if not self.here(who):
            return
        account = self.pick("account", number)
        assert account is not None
        before, user, now = self.state, self.user(who), self.now()
        there, may = account in free(before, now, pool), room(before, now, user, pool, account, self.claimed)
        with self.acting(who) as session:
            pools.claim(session, pool, account)
        if self.refused is None:
            assert there and owned(self.state, self.now(), SCOPE_OF[pool])[account] == user
            assert may, "the limits of the pool do not hold"
            self.claimed.append((user, pool, self.today()))
        elif there:
            assert not may, self.refused

    @precondition(lambda self: self.owners())
    @rule(number=picks, as_boss=st.booleans())
    def release(self, number: int, as_boss: bool) -> None:
        row = self.owners()[number % len(self.owners())]
        account, scope, owner = row["account_id"], row["scope"], self.login(row["user_id"])
        with self.acting("boss" if as_boss or not self.here(owner) else owner) as session:
            pools.release(session, account, reason="no time", scope=scope)
        if self.refused is None:
            assert account not in owned(self.state, self.now(), scope)

    def owners(self) -> list[Any]:
        """The rows of those who own something in any scope now or will."""
        now = self.now()
        return [row for scope in SCOPES for row in owners(self.state, now, scope)]

    @rule(hours=st.sampled_from([1, 12, 24, 48, 96]))
    def time_passes(self, hours: int) -> None:
        self.clock.moment += dt.timedelta(hours=hours)

    @rule()
    def recycle(self) -> None:
        """Nobody loses a customer too early, without a warning, or of a grade that is spared."""
        now = self.now()
        before, held, serving = self.state, owned(self.state, now), owners(self.state, now, SERVICE)
        with self.acting(None) as session:
            pools.recycle(session)
        assert self.refused is None
        assert owners(self.state, now, SERVICE) == serving, "a rule of one scope is none of another's"
        for account in held.keys() - owned(self.state, self.now()).keys():
            require_due_and_warned(before, account, held[account], self.today())

    @rule(who=sellers, active=st.booleans())
    def come_or_go(self, who: str, active: bool) -> None:
        """Nobody goes who still owns something that no handover covers."""
        user = self.user(who)
        holds = any(
            row["user_id"] == user and (row["valid_to"] is None or row["valid_to"] > self.now())
            for _, row in self.state.of("ownership")
        )
        covered = any(
            self.state.records["handover", item["handover_id"]]["leaver_id"] == user
            for _, item in self.state.of("handover_item")
            if item["state"] not in (ItemState.DONE, ItemState.UNDONE)
        )
        with self.acting("boss", strict=False) as session:
            session.get(User, user).active = active
        if not active and holds and not covered:
            assert self.refused is not None, "somebody went who still owned accounts"

    # -- merging -----------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.ids("account")) > 1)
    @rule(kind=st.sampled_from(["account", "account", "contact"]), one=picks, other=picks)
    def merge(self, kind: str, one: int, other: int) -> None:
        """Two that are the same become one: nobody who saw the source sees less."""
        target, source = self.pick(kind, one), self.pick(kind, other)
        if target == source:
            return
        cls = CLASSES[kind]
        saw = {who for who in PEOPLE if self.here(who) and self.sees(who, cls, source)}
        with self.acting("boss") as session:
            merging.merge(session, session.get(cls, target), session.get(cls, source))
        if self.refused is None:
            assert (kind, source) not in self.state.records
            assert {who for who in saw if not self.sees(who, cls, target)} == set()

    def sees(self, who: str, cls: Any, id_: int | None) -> bool:
        with self.crm.session(who, read_only=True) as session:
            return session.get(cls, id_) is not None

    # -- taking back -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.last is not None)
    @rule()
    def undo_the_last(self) -> None:
        """What was changed last can always be taken back, and then everything is as it was."""
        assert self.last is not None
        change_set, before = self.last
        now = self.state
        with self.acting("boss", strict=False) as session:
            session.undo(change_set)
        if self.refused is not None:
            raise AssertionError(f"the last change cannot be taken back: {self.refused.text()}")
        assert not before.differences(self.state), "an undo left something changed"
        self.last = (self.last[0], now)

    @rule(number=st.integers(0, 20))
    def undo_some(self, number: int) -> None:
        from crm_core.store.history import change_sets

        with self.acting("boss", strict=False) as session:
            known = [each.id for each in change_sets(session, 40) if each.principal != "init"]
            if known:
                session.undo(known[number % len(known)])

    # -- what holds --------------------------------------------------------------------------------------------

    @invariant()
    def at_most_one_owner(self) -> None:
        if hasattr(self, "state"):
            assert two_owners(self.state) == []

    @invariant()
    def no_reference_dangles(self) -> None:
        if hasattr(self, "state"):
            assert dangling(self.crm, self.state) == []
            assert left_behind(self.crm, self.state) == []

    @invariant()
    def none_falls_through(self) -> None:
        """Whoever is responsible for no one, lent to no one and in no pool is told of, and nothing else is."""
        if hasattr(self, "state"):
            now = self.now()
            with self.crm.system_session("look", read_only=True) as session:
                told = pools.orphans(session, limit=1000)
            reached = {row["account_id"] for kind in ("ownership", "share") for row in standing(self.state, kind, now)}
            active = {id_ for id_, values in self.state.of("account") if values["active"]}
            assert set(told.ids) == {id_ for id_ in active - reached if not pooled(self.state, id_)}
            assert told.count == len(told.ids)

    @invariant()
    def nobody_sees_what_they_may_not(self) -> None:
        """After each step one of them looks at half of what there is: in turn, so that a sequence of steps means the
        same when it is repeated.
        """
        if hasattr(self, "state"):
            self.looks += 1
            half = list(CLASSES)[self.looks % 2 :: 2]
            self.look(PEOPLE[self.looks % len(PEOPLE)], half, wide=self.looks % 3 == 0)

    def look(self, who: str, kinds: Iterable[str] = CLASSES, *, wide: bool) -> None:
        if not self.here(who):
            return
        with self.crm.session(who, read_only=True) as session:
            session.visibility.__dict__["wide"] = wide
            plain = model(self.crm, self.state, session.now)
            for kind in kinds:
                found = {record.id for record in session.list(CLASSES[kind], limit=None)}
                assert found == plain.visible(self.user(who), kind), (who, kind)
            for pool in self.crm.build.policy.pools:
                if who in SALES:
                    shown = {offer.id for offer in pools.browse(session, pool, limit=1000)}
                    assert shown == free(self.state, session.now, pool), (who, pool)

    def teardown(self) -> None:
        """Everybody looks once more."""
        if hasattr(self, "state"):
            for number, who in enumerate(PEOPLE):
                self.look(who, wide=bool(number % 2))


THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    build = {**BUILD, "crm": {**BUILD["crm"], "database": database_url}}
    with Crm.open(build, check=False, clock=Clock()) as opened:
        opened.migrate()
        yield opened


# A longer search: HYPOTHESIS_PROFILE=thorough pytest tests/store/test_company_machine.py
@pytest.mark.timeout(3600 if THOROUGH else 900)
def test_the_company_keeps_its_customers(crm: Crm) -> None:
    machine = type("Machine", (CompanyMachine,), {"crm": crm, "clock": crm.store.clock})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=500 if THOROUGH else 15,
            stateful_step_count=60 if THOROUGH else 30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
