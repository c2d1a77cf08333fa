"""What every step of the machine needs: a company that begins anew, sessions of its people, and what came of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize
from sqlalchemy import delete

from crm_core import (
    Account,
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
    organisation,
    ownership,
    shares,
)  # fmt: skip
from crm_core.domain.handovers import Handover, ItemState
from crm_core.store.tables import TECHNICAL_TABLES

from .company_model import Claim, Clock, day_of, lost
from .company_state import State, read

SALES = ("li", "wang", "sun")
PEOPLE = (*SALES, "zhou", "boss")
KEPT = frozenset({"crm_id_block", "crm_record_type", "crm_reference", "crm_custom_field"})

picks = st.integers(0, 1_000_000)
sellers = st.sampled_from(SALES)


class Company(RuleBasedStateMachine):
    """Everybody works with the public verbs; the tables are read after each step."""

    crm: Crm
    clock: Clock

    def now(self) -> dt.datetime:
        return self.clock()

    def today(self) -> dt.date:
        return day_of(self.clock())

    @initialize(busy=st.booleans())
    def begin(self, busy: bool) -> None:
        """Anew; ``busy`` is a company where something is to happen tomorrow already."""
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
            for until in (None, session.now + dt.timedelta(days=1)):
                account = session.add_one(Account(name="nobody's", industry="food", grade="A"))
                if until is not None:
                    shares.grant(session, account, user="sun", reason="fair", until=until)
        if busy:
            self.hand_over_tomorrow()
        self.state = read(self.crm)
        self.lost = lost(self.state, self.now())
        self.claimed: list[Claim] = []
        self.looks = 0
        self.last: tuple[int, State] | None = None

    def hand_over_tomorrow(self) -> None:
        """One handover is done ahead of its day, and another waits for it."""
        with self.crm.session("boss") as session:
            day = session.now + dt.timedelta(days=1)
            ahead = handovers.draft(session, "li", to="wang", effective=day)
            waiting = handovers.draft(session, "sun", round_robin=["li", "wang"], effective=day)
            for each in (ahead, waiting):
                handovers.offer(session, each)
                self.accept_all(session, each)
            handovers.do(session, ahead)

    @staticmethod
    def accept_all(session: CrmSession, handover: Handover) -> None:
        """Everybody takes over what they were offered."""
        handovers.accept(session, handovers.items(session, handover, ItemState.OFFERED))

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
        self.count_the_lost(before, strict=strict)

    def count_the_lost(self, before: State, *, strict: bool) -> None:
        """Strictly, no step takes the last person from an account."""
        now = self.now()
        found = lost(self.state, now)
        assert not strict or found <= lost(before, now) | self.lost, "an account was lost to everybody"
        self.lost = found

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
