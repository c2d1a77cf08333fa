"""Claiming, giving back, recycling and handing out at random, against a plain model of the rules."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select

from crm_core import (
    Account,
    Conflict,
    NotFound,
    Ownership,
    OwnershipRole,
    PermissionDenied,
    PoolEvent,
    ownership,
    pools,
)
from crm_core.errors import UndoConflict
from crm_core.fields import Address
from crm_core.store.tables import CHANGE, CHANGE_SET

from .conftest import POOLS, SHANGHAI, START, Company, Founder

RULES: dict[str, Any] = {
    "pumps": {"scope": "pumps", "where": 'contains(tags, "pumps")', "roles": ["sales"], "a_day": 1,
              "recycle": [{"without": "held_activity", "days": 3}]},
    "north": POOLS["north"] | {
        "a_day": 2, "in_all": {"A": 1, "*": 3}, "cooling_days": 3,
        "recycle": [{"without": "held_activity", "days": 4, "warn_days": 2, "never_grades": ["A"]}],
    },
    "turns": {"where": 'address.city == "Shanghai"', "assign": "round_robin", "members": ["sun", "li"],
              "in_all": {"*": 4}, "cooling_days": 2},
}  # fmt: skip
MAY = {"pumps": {"li", "wang", "sun", "deng"}, "north": {"li", "wang", "deng"}, "turns": set()}
SCOPES = {"pumps": "pumps", "north": "", "turns": ""}
LOGINS = ["li", "wang", "sun", "deng"]
CITIES = {"Beijing": "north", "Shanghai": "turns", "Chengdu": None}

picks = st.integers(0, 99)
people = st.sampled_from(LOGINS)


@attrs.define
class Place:
    """One account in the model: who owns it in each scope since when, and who did until when."""

    city: str
    grade: str | None
    pumps: bool
    visited: dt.datetime | None = None
    owner: dict[str, tuple[str, dt.datetime]] = attrs.field(factory=dict)
    ended: dict[tuple[str, str], dt.datetime] = attrs.field(factory=dict)
    warned: dict[str, dt.datetime] = attrs.field(factory=dict)
    lost_to: dict[str, dt.datetime] = attrs.field(factory=dict)

    def pool(self, scope: str) -> str | None:
        return ("pumps" if self.pumps else None) if scope else CITIES[self.city]


def day(moment: dt.datetime) -> dt.date:
    return moment.astimezone(SHANGHAI).date()


class PoolMachine(RuleBasedStateMachine):
    """Every answer is foretold by the model; the database is compared with it after every step."""

    company: Company

    @initialize()
    def begin(self) -> None:
        company = self.company
        with company.crm.store.engine.begin() as connection:
            if company.crm.store.dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            names = ("activity", "ownership", "pool_event", "account")
            for table in (*(company.crm.types[name].table for name in names), CHANGE, CHANGE_SET):
                connection.execute(delete(table))
        company.clock.moment = START.astimezone(dt.UTC)
        self.places: dict[int, Place] = {}
        self.claims: Counter[tuple[str, str, dt.date]] = Counter()
        self.turns: list[str] = ["sun", "li"]

    # -- helpers -----------------------------------------------------------------------------------------------

    def pick(self, number: int) -> int | None:
        ids = sorted(self.places)
        return ids[number % len(ids)] if ids else None

    def owned(self, login: str, scope: str) -> Counter[str | None]:
        return Counter(
            place.grade for place in self.places.values() if scope in place.owner and place.owner[scope][0] == login
        )

    def room(self, pool: str, login: str, grade: str | None) -> bool:
        limits = RULES[pool].get("in_all", {})
        held = self.owned(login, SCOPES[pool])
        return held[grade] < limits.get(grade or "", 99) and held.total() < limits.get("*", 99)

    def cool(self, pool: str, login: str, place: Place) -> bool:
        ended = place.ended.get((SCOPES[pool], login))
        wait = RULES[pool].get("cooling_days", 0)
        return ended is None or day(self.company.clock.moment) >= day(ended) + dt.timedelta(wait)

    def give(self, place: Place, scope: str, login: str, since: dt.datetime) -> None:
        place.owner[scope] = (login, since)

    def take(self, place: Place, scope: str, moment: dt.datetime) -> None:
        login, _ = place.owner.pop(scope)
        place.ended[scope, login] = moment

    # -- what people do ----------------------------------------------------------------------------------------

    @rule(city=st.sampled_from(sorted(CITIES)), grade=st.sampled_from(["A", "B", None]), pumps=st.booleans(),
          owner=st.none() | people)  # fmt: skip
    def account(self, city: str, grade: str | None, pumps: bool, owner: str | None) -> None:
        tags = frozenset({"pumps"}) if pumps else frozenset[str]()
        with self.company.session() as session:
            account = session.add_one(Account(name="a", grade=grade, tags=tags, address=Address(city=city)))
            place = self.places[account.id] = Place(city, grade, pumps)
            if owner is not None:
                row = ownership.assign(session, account, to=owner)
                assert row.valid_from is not None
                self.give(place, "", owner, row.valid_from)

    @rule(minutes=st.sampled_from([1, 50, 70, 600]))
    def wait(self, minutes: int) -> None:
        self.company.clock.forward(minutes=minutes)

    @rule(which=picks)
    def visit(self, which: int) -> None:
        if (id_ := self.pick(which)) is not None:
            self.company.visit(id_)
            self.places[id_].visited = self.company.clock.moment

    @rule(login=people, pool=st.sampled_from(sorted(RULES)), which=picks, undo=st.booleans())
    def claim(self, login: str, pool: str, which: int, undo: bool) -> None:
        id_ = self.pick(which)
        if id_ is None:
            return
        place, scope = self.places[id_], SCOPES[pool]
        expected: type[Exception] | None = None
        today = day(self.company.clock.moment)
        if login not in MAY[pool]:
            expected = PermissionDenied
        elif scope in place.owner or place.pool(scope) != pool:
            quick = place.lost_to.get(pool)
            recent = quick is not None and self.company.clock.moment - quick < dt.timedelta(hours=1)
            expected = Conflict if recent and scope in place.owner else NotFound
        elif (
            not self.cool(pool, login, place)
            or self.claims[login, pool, today] >= RULES[pool].get("a_day", 99)
            or not self.room(pool, login, place.grade)
        ):
            expected = Conflict
        with self.company.session(login) as session:
            if expected is not None:
                with pytest.raises(expected):
                    pools.claim(session, pool, id_)
                session.rollback()
                return
            row = pools.claim(session, pool, id_)
            assert session.get(Account, id_) is not None
            assert row.valid_from is not None
            since = row.valid_from
        self.claims[login, pool, today] += 1
        if undo:
            with self.company.session(login) as other:
                other.undo(session.last_change_set)
            return
        self.give(place, scope, login, since)
        place.lost_to[pool] = self.company.clock.moment

    @rule(login=people, which=picks, scope=st.sampled_from(["", "pumps"]), undo=st.booleans())
    def release(self, login: str, which: int, scope: str, undo: bool) -> None:
        id_ = self.pick(which)
        if id_ is None:
            return
        place = self.places[id_]
        sees = any(owner == login for owner, _ in place.owner.values())
        expected: type[Exception] | None = None
        if not sees:
            expected = NotFound
        elif scope not in place.owner:
            expected = Conflict
        elif place.owner[scope][0] != login:
            expected = PermissionDenied
        elif place.pool(scope) is None:
            expected = Conflict
        with self.company.session(login) as session:
            if expected is not None:
                with pytest.raises(expected):
                    pools.release(session, id_, reason="r", scope=scope)
                session.rollback()
                return
            event = pools.release(session, id_, reason="r", scope=scope)
            moment = event.at
        if undo:
            with self.company.session("admin") as other:
                other.undo(session.last_change_set)
            return
        self.take(place, scope, moment)

    @rule(which=picks, to=people)
    def transfer(self, which: int, to: str) -> None:
        id_ = self.pick(which)
        if id_ is None or self.places[id_].owner.get("", ("", None))[0] == to:
            return
        place = self.places[id_]
        with self.company.session() as session:
            row = ownership.transfer(session, session.require(Account, id_), to=to)
            assert row.valid_from is not None
            if "" in place.owner:
                self.take(place, "", row.valid_from)
            self.give(place, "", to, row.valid_from)

    # -- what the nights do ------------------------------------------------------------------------------------

    @rule(undo=st.booleans())
    def night(self, undo: bool) -> None:
        """The rules run, then what is in the pool is handed out."""
        self.company.clock.to(
            dt.datetime.combine(day(self.company.clock.moment) + dt.timedelta(1), dt.time(2), SHANGHAI)
        )
        with self.company.session() as session:
            report = pools.recycle(session)
        assert {(step.account_id, step.kind.value, step.pool) for step in report.steps} == self.foretold()
        now = self.company.clock.moment
        if undo and report.steps:
            with self.company.session("admin") as other:
                other.undo(session.last_change_set)
            return
        for step in report.steps:
            place = self.places[step.account_id]
            if step.kind.value == "warned":
                place.warned[step.pool] = now
            else:
                self.take(place, SCOPES[step.pool], now)

    def foretold(self) -> set[tuple[int, str, str]]:
        today = day(self.company.clock.moment)
        found = set()
        for id_, place in self.places.items():
            for scope, (_, since) in place.owner.items():
                pool = place.pool(scope)
                if pool not in ("north", "pumps") or (pool == "north" and place.grade == "A"):
                    continue
                days, warn = (4, 2) if pool == "north" else (3, 0)
                start = max(since, place.visited or since)
                due = day(start) + dt.timedelta(days + 1)
                warned = place.warned.get(pool)
                if warned is not None and (warned <= start or today > day(warned) + dt.timedelta(days + warn)):
                    warned = None
                if not warn or warned is not None:
                    on = due if not warn or warned is None else max(due, day(warned) + dt.timedelta(warn))
                    if today >= on:
                        found.add((id_, "recycled", pool))
                elif today >= due - dt.timedelta(warn):
                    found.add((id_, "warned", pool))
        return found

    @rule(undo=st.booleans())
    def hand_out(self, undo: bool) -> None:
        expected: list[tuple[int, str]] = []
        queue, held = list(self.turns), {login: self.owned(login, "").total() for login in self.turns}
        for id_ in sorted(self.places):
            place = self.places[id_]
            if "" in place.owner or place.pool("") != "turns":
                continue
            for login in queue:
                if held[login] < 4 and self.cool("turns", login, place):
                    queue.remove(login)
                    queue.append(login)
                    held[login] += 1
                    expected.append((id_, login))
                    break
        users = {id_: login for login, id_ in self.company.users.items()}
        with self.company.session() as session:
            report = pools.assign(session)
            given = {row.account_id: row.valid_from for row in session.scalars(select(Ownership))}
        assert [(step.account_id, users[step.user_id]) for step in report.steps] == expected
        if undo and expected:
            with self.company.session("admin") as other:
                other.undo(session.last_change_set)
            return
        self.turns = queue
        for id_, login in expected:
            since = given.get(id_) or self.company.clock.moment
            self.give(self.places[id_], "", login, since)
            self.places[id_].lost_to["turns"] = self.company.clock.moment

    # -- what always holds -------------------------------------------------------------------------------------

    @invariant()
    def the_database_is_as_the_model(self) -> None:
        if not hasattr(self, "places"):
            return
        users = {id_: login for login, id_ in self.company.users.items()}
        with self.company.session() as session:
            rows = session.list(Ownership, limit=None, all_dates=True)
            free = {name: {each.id for each in pools.browse(session, name, limit=1000)} for name in RULES}
            alone = set(pools.orphans(session, limit=1000).ids)
        now: dict[tuple[int, str], set[str]] = {}
        for row in rows:
            if row.valid_to is None and row.role is OwnershipRole.OWNER:
                now.setdefault((row.account_id, row.scope), set()).add(users[row.user_id])
        assert {key: {login} for key, login in self.owners().items()} == now
        for one in rows:
            for other in rows:
                if one.id < other.id and (one.account_id, one.scope) == (other.account_id, other.scope):
                    assert one.valid_to is not None or other.valid_to is not None
                    assert one.valid_to is None or other.valid_from is None or one.valid_to <= other.valid_from or (
                        other.valid_to is not None and one.valid_from is not None and other.valid_to <= one.valid_from
                    )  # fmt: skip
        for name in RULES:
            assert free[name] == {
                id_ for id_, place in self.places.items()
                if SCOPES[name] not in place.owner and place.pool(SCOPES[name]) == name
            }  # fmt: skip
        # Nobody is out of everybody's reach: owned, in a pool, or told as alone.
        assert alone == {
            id_ for id_, place in self.places.items()
            if not place.owner and place.pool("") is None and place.pool("pumps") is None
        }  # fmt: skip

    def owners(self) -> dict[tuple[int, str], str]:
        return {(id_, scope): login for id_, place in self.places.items() for scope, (login, _) in place.owner.items()}

    @invariant()
    def everybody_sees_exactly_what_they_own(self) -> None:
        if not hasattr(self, "places"):
            return
        for login in LOGINS:
            with self.company.session(login, read_only=True) as session:
                seen = {account.id for account in session.list(Account, limit=None)}
            assert seen == {id_ for (id_, _), owner in self.owners().items() if owner == login}


def test_pools_behave_as_their_model(make_company: Founder) -> None:
    company = make_company(RULES)
    machine = type("Machine", (PoolMachine,), {"company": company})
    run_state_machine_as_test(
        machine,
        settings=settings(
            settings.default, max_examples=max(8, settings.default.max_examples // 5), stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_a_claim_cannot_be_taken_back_once_it_was_worked_on(make_company: Founder) -> None:
    company = make_company(RULES)
    acme = company.account("Acme")
    with company.session("li") as session:
        pools.claim(session, "north", acme)
    with company.session("li") as other:
        pools.release(other, acme, reason="no time")
    with company.session("admin") as third:
        with pytest.raises(UndoConflict):
            third.undo(session.last_change_set)
        assert third.count(PoolEvent) == 2
