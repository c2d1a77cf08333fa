"""The company owns its customers, whatever its people do: claims, releases, handovers, undos, in any order.

After each step the tables themselves are read and judged by plain Python.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from crm_core import (
    Account,
    Activity,
    Affiliation,
    Contact,
    ContactPoint,
    Crm,
    CrmError,
    CrmSession,
    PointKind,
    Unit,
    User,
    activities,
    handovers,
    merging,
    organisation,
    ownership,
    pools,
    shares,
)
from crm_core.domain.handovers import Handover, HandoverItem, HandoverState, ItemState
from crm_core.store.tables import TECHNICAL_TABLES

from .company_state import State, dangling, left_behind, model, owned, read, two_owners

DAYS = 5
TIME_ZONE = ZoneInfo("Asia/Shanghai")
BUILD = {
    "crm": {"time_zone": "Asia/Shanghai"},
    "pools": {
        "machines": {
            "where": 'industry == "machinery"',
            "roles": ["sales"],
            "in_all": {"A": 2, "*": 4},
            "recycle": [{"without": "held_activity", "days": DAYS, "warn_days": 2, "never_grades": ["A"]}],
        },
        "chemicals": {"where": 'industry == "chemicals"', "roles": ["sales"], "cooling_days": 3, "a_day": 2},
    },
}
CLASSES: dict[str, Any] = {
    cls.crm_type.name: cls for cls in (Account, Contact, Affiliation, Activity, ContactPoint, ownership.Ownership)
}
SALES = ("li", "wang", "sun")
PEOPLE = (*SALES, "zhou", "boss")

picks = st.integers(0, 1_000_000)
sellers = st.sampled_from(SALES)
people = st.sampled_from(PEOPLE)
industries = st.sampled_from(["machinery", "machinery", "chemicals", "food"])


class Clock:
    """Stands still until it is moved; each look is a little later."""

    def __init__(self) -> None:
        self.moment = dt.datetime(2026, 3, 2, 1, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        self.moment += dt.timedelta(microseconds=1)
        return self.moment

    def day_of(self, moment: dt.datetime) -> dt.date:
        return moment.astimezone(TIME_ZONE).date()


class CompanyMachine(RuleBasedStateMachine):
    """Everybody works with the public verbs; the tables are judged after each step."""

    crm: Crm
    clock: Clock

    def now(self) -> dt.datetime:
        return self.clock()

    def today(self) -> dt.date:
        return self.clock.day_of(self.clock())

    @initialize()
    def begin(self) -> None:
        with self.crm.store.engine.begin() as connection:
            if self.crm.store.dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            for table in (*(each.table for each in self.crm.types.values()), *TECHNICAL_TABLES):
                if table.name not in KEPT:
                    connection.execute(delete(table))
        with self.crm.system_session("init") as session:
            root = session.add_one(Unit(name="Root"))
            units = {name: session.add_one(Unit(name=name, parent_id=root.id)) for name in ("East", "West")}
            for login, unit, role in (
                ("li", units["East"], "sales"), ("wang", units["East"], "sales"), ("sun", units["West"], "sales"),
                ("zhou", units["East"], "manager"), ("boss", root, "administrator"),
            ):  # fmt: skip
                session.add(User(login=login, name=login))
                session.flush()
                organisation.join(session, login, unit, role=role, since_always=True)
            for number, who in enumerate((*SALES, *SALES, None, None)):
                industry, grade = ("machinery", "chemicals", "food")[number % 3], "AB"[number % 2]
                account = session.add_one(Account(name=f"a{number}", industry=industry, grade=grade))
                person = session.add_one(Contact(name=f"c{number}"))
                session.add(Affiliation(account_id=account.id, contact_id=person.id, role="buyer"))
                session.add(ContactPoint(contact_id=person.id, kind=PointKind.PHONE, value="13800138000"))
                if who is not None:
                    ownership.assign(session, account, to=who, since_always=True)
                    activities.plan(session, "visit", "v", start=session.now, account=account, user=who)
        self.state = read(self.crm)
        self.lost: set[int] = set()
        self.claimed: list[tuple[int, str, dt.date]] = []
        self.last: tuple[int, State] | None = None

    # -- one step ----------------------------------------------------------------------------------------------

    @contextmanager
    def acting(self, login: str | None, *, strict: bool = True) -> Iterator[CrmSession]:
        """A session of somebody; what it changed, or that it changed nothing where it was refused."""
        self.refused: CrmError | None = None
        before, made = self.state, None
        try:
            with self.crm.session(login) if login else self.crm.system_session("machine") as session:
                yield session
            made = session.last_change_set
        except CrmError as error:
            self.refused = error
        self.state = read(self.crm)
        if self.refused is not None:
            assert not before.differences(self.state), f"half of a refused change stands: {self.refused}"
            return
        self.last = (made, before) if made is not None else self.last
        orphans = self.orphans(self.state)
        assert not strict or orphans <= self.orphans(before) | self.lost, "an account was lost to everybody"
        self.lost = orphans

    def ids(self, kind: str) -> list[int]:
        return sorted(id_ for id_, _ in self.state.of(kind))

    def pick(self, kind: str, number: int) -> int | None:
        ids = self.ids(kind)
        return ids[number % len(ids)] if ids else None

    def here(self, login: str) -> bool:
        """Whether somebody still works with us."""
        return bool(self.state.records["user", self.user(login)]["active"])

    def user(self, login: str) -> int:
        return next(id_ for id_, values in self.state.of("user") if values["login"] == login)

    def login(self, user_id: int) -> str:
        return str(self.state.records["user", user_id]["login"])

    def pool_of(self, state: State, account_id: int) -> str | None:
        account = state.records["account", account_id]
        names = {"machinery": "machines", "chemicals": "chemicals"}
        return names.get(account["industry"]) if account["active"] else None

    def orphans(self, state: State) -> set[int]:
        """Accounts that nobody owns and that no pool holds: only those who see everything would ever find them."""
        held = owned(state, self.now())
        active = {id_ for id_, values in state.of("user") if values["active"]}
        return {
            id_ for id_, _ in state.of("account") if held.get(id_) not in active and self.pool_of(state, id_) is None
        }

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
        account, user = sorted(owned(self.state, now).items())[number % len(owned(self.state, now))]
        if not self.here(self.login(user)):
            return
        with self.acting(self.login(user)) as session:
            (plan,) = activities.plan(session, "visit", "v", start=now, account=session.get(Account, account))
            if held:
                activities.hold(session, plan, started=now, outcome="fine", next_step="offer", next_step_due=now)

    @precondition(lambda self: self.ids("account"))
    @rule(number=picks, to=sellers)
    def transfer(self, number: int, to: str) -> None:
        with self.acting("boss") as session:
            ownership.transfer(session, session.get(Account, self.pick("account", number)), to=to)

    @precondition(lambda self: self.ids("account"))
    @rule(number=picks, to=people)
    def lend(self, number: int, to: str) -> None:
        with self.acting("boss") as session:
            shares.grant(session, session.get(Account, self.pick("account", number)), user=to, reason="fair")
        assert self.refused is None

    # -- pools -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.ids("account"))
    @rule(who=sellers, number=picks, pool=st.sampled_from(["machines", "machines", "chemicals"]))
    def claim(self, who: str, number: int, pool: str) -> None:
        if not self.here(who):
            return
        account = self.pick("account", number)
        before, user, now = self.state, self.user(who), self.now()
        free = account not in owned(before, now) and self.pool_of(before, account) == pool
        with self.acting(who) as session:
            pools.claim(session, pool, account)
        if self.refused is None:
            assert free and owned(self.state, self.now())[account] == user
            assert self.room(before, user, pool, account), "the limits of the pool do not hold"
            self.claimed.append((user, pool, self.today()))
        elif free:
            assert not self.room(before, user, pool, account), self.refused

    def room(self, state: State, user: int, pool: str, account: int) -> bool:
        """Whether the rules of the pool let a user have one more: capacity, claims a day, cooling off."""
        mine = [state.records["account", id_] for id_, owner in owned(state, self.now()).items() if owner == user]
        if pool == "machines":
            grade = state.records["account", account]["grade"]
            return len(mine) < 4 and (grade != "A" or sum(each["grade"] == "A" for each in mine) < 2)
        last = max(
            (
                row["valid_to"]
                for _, row in state.of("ownership")
                if row["account_id"] == account and row["user_id"] == user and row["role"].value == "owner"
                and row["scope"] == "" and row["valid_to"] is not None
            ),
            default=None,
        )  # fmt: skip
        if last is not None and self.today() < self.clock.day_of(last) + dt.timedelta(days=3):
            return False
        return self.claimed.count((user, pool, self.today())) < 2

    @precondition(lambda self: owned(self.state, self.now()))
    @rule(number=picks, as_boss=st.booleans())
    def release(self, number: int, as_boss: bool) -> None:
        now = self.now()
        account, user = sorted(owned(self.state, now).items())[number % len(owned(self.state, now))]
        with self.acting("boss" if as_boss or not self.here(self.login(user)) else self.login(user)) as session:
            pools.release(session, account, reason="no time")
        if self.refused is None:
            assert account not in owned(self.state, self.now())

    @rule(hours=st.sampled_from([1, 12, 24, 48, 96]))
    def time_passes(self, hours: int) -> None:
        self.clock.moment += dt.timedelta(hours=hours)

    @rule()
    def recycle(self) -> None:
        """Nobody loses a customer too early, without a warning, or of a grade that is spared."""
        before, held = self.state, owned(self.state, self.now())
        with self.acting(None) as session:
            pools.recycle(session)
        assert self.refused is None
        for account in held.keys() - owned(self.state, self.now()).keys():
            values = before.records["account", account]
            assert values["industry"] == "machinery" and values["grade"] != "A"
            (since,) = (
                row["valid_from"] or row["created_at"]
                for _, row in before.of("ownership")
                if row["account_id"] == account and row["role"].value == "owner" and row["scope"] == ""
                and row["valid_to"] is None
            )  # fmt: skip
            signs = [
                row["started_at"] for _, row in before.of("activity")
                if row["account_id"] == account and row["status"].value == "held"
            ]  # fmt: skip
            idle = self.today() - self.clock.day_of(max([since, *signs]))
            assert idle > dt.timedelta(days=DAYS), "a customer was lost too early"
            warned = [
                row["at"] for _, row in before.of("pool_event")
                if row["account_id"] == account and row["kind"].value == "warned" and row["user_id"] == held[account]
            ]  # fmt: skip
            assert warned and self.clock.day_of(max(warned)) <= self.today() - dt.timedelta(days=2), "without a warning"

    # -- handovers ---------------------------------------------------------------------------------------------

    @rule(
        leaver=sellers,
        way=st.sampled_from(["to", "turn", "rule", "pool"]),
        to=sellers,
        limited=st.booleans(),
        far=st.integers(0, 3),
    )
    def hand_over(self, leaver: str, way: str, to: str, limited: bool, far: int) -> None:
        """Drafted, and on demand offered, accepted and done at once."""
        others = [each for each in SALES if each != leaver]
        given: dict[str, Any] = {
            "to": {"to": to}, "turn": {"round_robin": others}, "pool": {"to_pool": True},
            "rule": {"rules": [('industry == "machinery"', others[0])], "to": others[1]},
        }[way]  # fmt: skip
        with self.acting("boss") as session:
            scope = 'industry != "food"' if limited else None
            id_ = handovers.draft(session, leaver, reason="leaves", scope=scope, **given).id
        for step in (handovers.offer, self.accept_all, handovers.do)[:far]:
            if self.refused is None:
                with self.acting("boss") as session:
                    step(session, session.get(Handover, id_))

    @staticmethod
    def accept_all(session: CrmSession, handover: Handover) -> None:
        handovers.accept(session, handovers.items(session, handover, ItemState.OFFERED))

    def handover(self, *states: HandoverState) -> list[int]:
        return sorted(id_ for id_, values in self.state.of("handover") if values["state"] in states)

    @precondition(lambda self: self.handover(HandoverState.DRAFTED))
    @rule(number=picks)
    def offer(self, number: int) -> None:
        ids = self.handover(HandoverState.DRAFTED)
        with self.acting("boss") as session:
            handovers.offer(session, session.get(Handover, ids[number % len(ids)]))

    @precondition(lambda self: self.offered())
    @rule(number=picks, yes=st.sampled_from([True, True, True, False]))
    def answer(self, number: int, yes: bool) -> None:
        item = self.offered()[number % len(self.offered())]
        successor = self.login(self.state.records["handover_item", item]["successor_id"])
        if not self.here(successor):
            return
        with self.acting(successor) as session:
            found = session.get(HandoverItem, item)
            assert found is not None, "whoever is asked must see what it is about"
            (handovers.accept if yes else handovers.refuse)(session, found)

    def offered(self) -> list[int]:
        running = self.handover(HandoverState.OFFERED)
        return sorted(
            id_
            for id_, values in self.state.of("handover_item")
            if values["state"] is ItemState.OFFERED and values["handover_id"] in running
        )

    @precondition(lambda self: self.handover(HandoverState.OFFERED))
    @rule(number=picks, accept_all=st.booleans())
    def do(self, number: int, accept_all: bool) -> None:
        ids = self.handover(HandoverState.OFFERED)
        id_ = ids[number % len(ids)]
        with self.acting("boss") as session:
            handover = session.get(Handover, id_)
            if accept_all:
                self.accept_all(session, handover)
            handovers.do(session, handover, partial=True)

    @precondition(lambda self: self.handover(HandoverState.DONE))
    @rule(number=picks, which=picks)
    def take_one_back(self, number: int, which: int) -> None:
        ids = self.handover(HandoverState.DONE)
        with self.acting("boss") as session:
            done = handovers.items(session, session.get(Handover, ids[number % len(ids)]), ItemState.DONE)
            handovers.take_back(session, done[which % len(done)])

    @precondition(lambda self: self.handover(HandoverState.DONE))
    @rule(number=picks)
    def take_all_back(self, number: int) -> None:
        ids = self.handover(HandoverState.DONE)
        with self.acting("boss") as session:
            handovers.undo(session, session.get(Handover, ids[number % len(ids)]))

    @precondition(lambda self: self.handover(HandoverState.DRAFTED, HandoverState.OFFERED))
    @rule(number=picks)
    def give_up(self, number: int) -> None:
        ids = self.handover(HandoverState.DRAFTED, HandoverState.OFFERED)
        with self.acting("boss") as session:
            handovers.cancel(session, session.get(Handover, ids[number % len(ids)]))

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

    @rule(who=people, wide=st.booleans())
    def nobody_sees_what_they_may_not(self, who: str, wide: bool) -> None:
        if not self.here(who):
            return
        with self.crm.session(who, read_only=True) as session:
            session.visibility.__dict__["wide"] = wide
            plain = model(self.crm, self.state, session.now)
            for kind, cls in CLASSES.items():
                found = {record.id for record in session.list(cls, limit=None)}
                assert found == plain.visible(self.user(who), kind), (who, kind)
            for pool in self.crm.build.policy.pools:
                if who in SALES:
                    shown = {offer.id for offer in pools.browse(session, pool, limit=1000)}
                    free = {
                        id_ for id_ in self.ids("account")
                        if id_ not in owned(self.state, session.now) and self.pool_of(self.state, id_) == pool
                    }  # fmt: skip
                    assert shown == free, (who, pool)

    def teardown(self) -> None:
        """Everybody looks once more."""
        if hasattr(self, "state"):
            for number, who in enumerate(PEOPLE):
                self.nobody_sees_what_they_may_not(who, bool(number % 2))


KEPT = frozenset({"crm_id_block", "crm_record_type", "crm_reference", "crm_custom_field"})
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    build = {**BUILD, "crm": {**BUILD["crm"], "database": database_url}}
    with Crm.open(build, check=False, clock=Clock()) as opened:
        opened.migrate()
        yield opened


# A longer search: HYPOTHESIS_PROFILE=thorough pytest tests/store/test_company_machine.py
@pytest.mark.timeout(3600 if THOROUGH else 300)
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
