"""Random handovers against a model: one owner at most, nothing seen by the wrong person, all of it undone."""

from __future__ import annotations

from typing import Any

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
from sqlalchemy import func, select

from crm_core import (
    Account,
    Activity,
    Conflict,
    Crm,
    Handover,
    HandoverItem,
    Ownership,
    User,
    ValidationError,
    handovers,
)
from crm_core.domain.handovers import HandoverState, ItemState
from crm_core.domain.ownership import OwnershipRole, Share

from .conftest import POOLS, found

PEOPLE = ("li", "wang", "sun")


class Handovers(RuleBasedStateMachine):
    """What each account's owner should be, and who may see it meanwhile."""

    url: str

    @initialize()
    def begin(self) -> None:
        build = {"crm": {"database": self.url, "time_zone": "Asia/Shanghai"}, "pools": POOLS}
        self.crm = Crm.open(build, check=False)
        self.crm.store.create_all()
        with self.crm.system_session("empty") as session:
            for name in ("handover", "activity", "affiliation", "contact", "account", "membership", "user", "unit"):
                record_type = self.crm.types[name]
                ids = (
                    session.core(select(record_type.table.c.id).order_by(record_type.table.c.id.desc())).scalars().all()
                )
                for id_ in ids:  # units hang on units
                    session.delete_many(record_type.cls, [id_])
        self.company = found(self.crm)
        self.owner: dict[int, str] = dict.fromkeys(self.company.accounts, "li") | {self.company.other: "wang"}
        self.before: dict[int, dict[int, str]] = {}
        """By handover, who owned what before it was done."""
        self.items: dict[int, dict[int, list[Any]]] = {}
        """By handover: by account the state and the successor (empty: the pool)."""
        self.leaver: dict[int, str] = {}
        self.active = dict.fromkeys(PEOPLE, True)

    # -- what happens ------------------------------------------------------------------------------------------

    def open_(self, *states: str) -> list[int]:
        return [id_ for id_, items in self.items.items() if any(state in states for state, _ in items.values())]

    @rule(
        leaver=st.sampled_from(PEOPLE), to=st.sampled_from((*PEOPLE, "")), city=st.sampled_from(["", "", "Suzhou"]),
        far=st.integers(0, 3),
    )  # fmt: skip
    def draft(self, leaver: str, to: str, city: str, far: int) -> None:
        """Draft one, and bring it on: offered, accepted, done."""
        covered = {
            account
            for id_, items in self.items.items()
            if self.leaver[id_] == leaver
            for account, (state, _) in items.items()
            if state in ("drafted", "offered", "accepted", "refused")
        }
        wanted = {id_ for id_, who in self.owner.items() if who == leaver} - covered
        with self.crm.system_session("machine") as session:
            options: dict[str, Any] = {"to": to} if to else {"to_pool": True}
            if city:
                wanted &= {account.id for account in session.list(Account, f"address.city == '{city}'", limit=None)}
                options["scope"] = f"address.city == '{city}'"
            if not wanted or to == leaver or (to and not self.active[to]):
                with pytest.raises((Conflict, ValidationError)):
                    handovers.draft(session, leaver, **options)
                session.rollback()
                return
            id_ = handovers.draft(session, leaver, **options).id
        self.leaver[id_] = leaver
        self.items[id_] = {account: ["drafted", to] for account in wanted}
        if far > 0:
            self.bring_on(id_, far)

    def bring_on(self, id_: int, far: int) -> None:
        with self.crm.system_session("machine") as session:
            handover = session.require(Handover, id_)
            handovers.offer(session, handover)
            if far > 1:
                handovers.accept(session, handovers.items(session, handover, ItemState.OFFERED))
            if far > 2:
                handovers.do(session, handover)
        for account, item in self.items[id_].items():
            item[0] = ("offered" if item[1] else "accepted", "accepted", "done")[far - 1]
            if far > 2:
                self.before.setdefault(id_, {})[account] = self.owner[account]
                self.owner[account] = item[1]

    @precondition(lambda self: self.open_("drafted"))
    @rule(data=st.data())
    def offer(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(self.open_("drafted")))
        items = self.items[id_]
        gone = any(state == "drafted" and to and not self.active[to] for state, to in items.values())
        with self.crm.system_session("machine") as session:
            if gone:
                with pytest.raises(Conflict):
                    handovers.offer(session, session.require(Handover, id_))
                session.rollback()
                return
            handovers.offer(session, session.require(Handover, id_))
        for item in items.values():
            if item[0] == "drafted":
                item[0] = "offered" if item[1] else "accepted"

    @precondition(lambda self: self.open_("offered"))
    @rule(data=st.data(), yes=st.sampled_from([True, True, False]))
    def answer(self, data: st.DataObject, yes: bool) -> None:
        id_ = data.draw(st.sampled_from(self.open_("offered")))
        account = data.draw(st.sampled_from([a for a, (s, _) in self.items[id_].items() if s == "offered"]))
        who = self.items[id_][account][1]
        if not self.active[who]:
            return
        with self.crm.session(who) as session:
            (item,) = [each for each in handovers.items(session, session.require(Handover, id_))
                       if each.account_id == account]  # fmt: skip
            (handovers.accept if yes else handovers.refuse)(session, item)
        self.items[id_][account][0] = "accepted" if yes else "refused"

    @precondition(lambda self: self.open_("refused"))
    @rule(data=st.data(), to=st.sampled_from(PEOPLE))
    def assign(self, data: st.DataObject, to: str) -> None:
        id_ = data.draw(st.sampled_from(self.open_("refused")))
        if to == self.leaver[id_] or not self.active[to]:
            return
        with self.crm.system_session("machine") as session:
            handover = session.require(Handover, id_)
            handovers.assign(session, handovers.items(session, handover, ItemState.REFUSED), to)
        for item in self.items[id_].values():
            if item[0] == "refused":
                item[:] = ["drafted", to]

    @precondition(lambda self: self.open_("accepted"))
    @rule(data=st.data())
    def do(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(self.open_("accepted")))
        items = self.items[id_]
        waiting = [account for account, (state, _) in items.items() if state in ("drafted", "offered", "refused")]
        ready = [account for account, (state, _) in items.items() if state == "accepted"]
        with self.crm.system_session("machine") as session:
            handover = session.require(Handover, id_)
            if handover.state is not HandoverState.OFFERED:
                return
            if any(items[account][1] and not self.active[items[account][1]] for account in ready):
                with pytest.raises(Conflict):
                    handovers.do(session, handover, partial=True)
                session.rollback()
                return
            if waiting:
                with pytest.raises(Conflict):
                    handovers.do(session, handover)
                session.rollback()
                handover = session.require(Handover, id_)
            # What somebody else has meanwhile is kept as it is; what the successor has already is as it is to be.
            kept = [each for each in ready if self.owner[each] not in (self.leaver[id_], items[each][1])]
            deed = handovers.do(session, handover, partial=bool(waiting))
            assert (deed.items, {each.account_id for each in deed.unchanged}) == (len(ready) - len(kept), set(kept))
        for account in ready:
            if account in kept:
                items[account][0] = "kept"
                continue
            items[account][0] = "done"
            self.before.setdefault(id_, {})[account] = self.owner[account]
            self.owner[account] = items[account][1]

    @precondition(lambda self: self.open_("done"))
    @rule(data=st.data(), every=st.booleans())
    def take_back(self, data: st.DataObject, every: bool) -> None:
        id_ = data.draw(st.sampled_from(self.open_("done")))
        items = self.items[id_]
        done = [account for account, (state, _) in items.items() if state == "done"]
        chosen = done if every else [data.draw(st.sampled_from(done))]
        # Whoever has handed it on since stands in the way, and so does a leaver who has gone.
        free = all(self.owner[account] == items[account][1] for account in chosen)
        on_it = any(
            account in later and later[account][0] in ("done",)
            for other, later in self.items.items()
            if other > id_
            for account in chosen
        )
        with self.crm.system_session("machine") as session:
            handover = session.require(Handover, id_)
            found_ = [item for item in handovers.items(session, handover) if item.account_id in chosen]
            if not self.active[self.leaver[id_]] or not free or on_it:
                with pytest.raises(Exception) as caught:
                    handovers.take_back(session, found_)
                assert type(caught.value).__name__ in ("Conflict", "UndoConflict")
                session.rollback()
                return
            if every:
                handovers.undo(session, handover)
                for item in items.values():
                    if item[0] not in ("done", "undone", "kept"):
                        item[0] = "cancelled"
            else:
                handovers.take_back(session, found_)
        for account in chosen:
            items[account][0] = "undone"
            self.owner[account] = self.before[id_][account]

    @precondition(lambda self: self.open_("drafted", "offered", "accepted", "refused"))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(self.open_("drafted", "offered", "accepted", "refused")))
        with self.crm.system_session("machine") as session:
            if not self.active[self.leaver[id_]]:
                with pytest.raises(Conflict):
                    handovers.cancel(session, session.require(Handover, id_))
                session.rollback()
                return
            handovers.cancel(session, session.require(Handover, id_))
        for item in self.items[id_].values():
            if item[0] not in ("done", "undone", "kept"):
                item[0] = "cancelled"

    @rule(who=st.sampled_from(PEOPLE))
    def come_or_go(self, who: str) -> None:
        covered = {
            account
            for id_, items in self.items.items()
            if self.leaver[id_] == who
            for account, (state, _) in items.items()
            if state in ("drafted", "offered", "accepted")
        }
        bare = {account for account, owner in self.owner.items() if owner == who} - covered
        try:
            with self.crm.system_session("machine") as session:
                user = session.require(User, self.company.users[who])
                user.active = not self.active[who]
        except Conflict:
            assert self.active[who] and bare
        else:
            assert not self.active[who] or not bare
            self.active[who] = not self.active[who]

    # -- what always holds ---------------------------------------------------------------------------------------

    @invariant()
    def owners_are_those_of_the_model(self) -> None:
        if not hasattr(self, "owner"):
            return
        with self.crm.system_session("look", read_only=True) as session:
            query = select(Ownership.account_id, User.login).join(User, User.id == Ownership.user_id)
            rows = session.execute(query.where(Ownership.role == OwnershipRole.OWNER)).all()
            assert len(rows) == len({row.account_id for row in rows})
            assert {row.account_id: row.login for row in rows} == {id_: who for id_, who in self.owner.items() if who}
            # Planned work is with whoever is responsible, or with nobody where that is the pool.
            planned = session.execute(
                select(Activity.account_id, User.login)
                .outerjoin(User, User.id == Activity.user_id)
                .where(Activity.status == "planned")
            )
            for account, login in planned:
                assert (login or "") == self.owner[account]

    @invariant()
    def nobody_sees_more_than_is_theirs_or_offered(self) -> None:
        if not hasattr(self, "owner"):
            return
        for who in ("wang", "sun"):
            if not self.active[who]:
                continue
            expected = {id_ for id_, owner in self.owner.items() if owner == who}
            for items in self.items.values():
                expected |= {a for a, (state, to) in items.items() if to == who and state in ("offered", "accepted")}
            with self.crm.session(who, read_only=True) as session:
                assert set(session.scalars(select(Account.id))) == expected
                mine = set(session.scalars(select(HandoverItem.account_id)))
                assert mine <= expected

    @invariant()
    def whoever_has_gone_is_being_relieved(self) -> None:
        if not hasattr(self, "owner"):
            return
        for account, who in self.owner.items():
            if who and not self.active[who]:
                states = {items[account][0] for id_, items in self.items.items()
                          if self.leaver[id_] == who and account in items}  # fmt: skip
                assert states & {"drafted", "offered", "accepted", "refused"}

    @invariant()
    def states_and_shares_agree(self) -> None:
        if not hasattr(self, "owner"):
            return
        with self.crm.system_session("look", read_only=True) as session:
            waiting = sum(
                state in ("offered", "accepted") and bool(to)
                for items in self.items.values()
                for state, to in items.values()
            )
            assert session.scalar(select(func.count()).select_from(Share)) == waiting
            for id_, items in self.items.items():
                handover = session.require(Handover, id_)
                stored = {item.account_id: item.state.value for item in handovers.items(session, handover)}
                assert stored == {account: state for account, (state, _) in items.items()}
                if handover.state is HandoverState.DONE:
                    assert set(stored.values()) <= {"done", "undone", "kept", "cancelled"}

    def teardown(self) -> None:
        if hasattr(self, "crm"):
            self.crm.close()


@pytest.mark.timeout(1800)  # with the profile for a night
def test_handovers_against_a_model(database_url: str) -> None:
    Handovers.url = database_url
    few = max(10, settings.default.max_examples // 20)  # each example writes for seconds
    run_state_machine_as_test(
        Handovers,
        settings=settings(
            max_examples=few, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
