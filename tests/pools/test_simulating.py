"""The simulator: what a rule set would have done, and that it is what the rules then do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from crm_core import (
    Account,
    Activity,
    CrmSession,
    Pool,
    PoolEvent,
    PoolEventKind,
    PoolRules,
    RecycleRule,
    Status,
    ValidationError,
    activities,
    ownership,
    pools,
)
from crm_core.errors import Conflict, PastDetached
from crm_core.fields import Address
from crm_core.hooks import Signal
from crm_core.store.tables import CHANGE, CHANGE_SET, JOURNAL_PART

from .conftest import POOLS, SHANGHAI, START, Company, Founder, found, statements

RULES: dict[str, Any] = {
    "north": POOLS["north"] | {"recycle": [
        {"without": "order", "days": 6, "never_grades": ["A"]},
        {"without": "held_activity", "days": 4, "warn_days": 2, "never_grades": ["A"]},
    ]},
    "south": {"where": 'address.city == "Shanghai"', "recycle": [
        {"after": "contract_end", "days": 2, "warn_days": 1},
        {"without": "held_activity", "days": 7, "never_grades": ["B"]},
        {"without": "held_activity", "days": 9, "since": dt.date(2026, 3, 5)},
    ]},
}  # fmt: skip


class Trade:
    """A plugin's orders and contracts: it tells what was known when it is asked."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.clock: Callable[[], dt.datetime] = lambda: START

    def __call__(self, session: Any, accounts: Any, kinds: Any, since: Any, until: Any) -> list[Signal]:
        now, asked = self.clock(), set(accounts)
        return [
            each for each in self.signals
            if each.account_id in asked and each.kind in kinds and (each.known_at is None or each.known_at <= now)
        ]  # fmt: skip


@attrs.define
class World:
    """One course of events in one database."""

    company: Company
    trade: Trade
    accounts: list[int] = attrs.field(factory=list)
    owners: list[str | None] = attrs.field(factory=list)
    visits: list[int] = attrs.field(factory=list)
    lost: set[tuple[Any, ...]] = attrs.field(factory=set)

    def wipe(self) -> None:
        """Begin anew."""
        self.accounts.clear()
        self.owners.clear()
        self.visits.clear()
        self.lost.clear()
        self.trade.signals.clear()
        company = self.company
        with company.crm.store.engine.begin() as connection:
            if company.crm.store.dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            names = ("activity", "ownership", "pool_event", "account")
            for table in (*(company.crm.types[name].table for name in names), CHANGE, CHANGE_SET):
                connection.execute(delete(table))
        company.clock.moment = START.astimezone(dt.UTC)

    def session(self, source: str = "session") -> CrmSession:
        return self.company.crm.system_session("history", source=source)

    def play(self, actions: Sequence[tuple[Any, ...]], until: int, run_from: int | None = None) -> None:
        """Do what happened day by day; from a day on the rules run every night."""
        for day in range(until + 1):
            if run_from is not None and day >= run_from:
                self.clock_to(day, 2 * 60)
                self.run()
            for each in sorted((each for each in actions if each[0] == day), key=lambda each: each[1]):
                self.clock_to(day, 9 * 60 + each[1])
                getattr(self, each[2])(*each[3:])
        self.clock_to(until, 20 * 60)

    def clock_to(self, day: int, minutes: int) -> None:
        start = dt.datetime.combine(START.date() + dt.timedelta(day), dt.time(), SHANGHAI)
        self.company.clock.to(start + dt.timedelta(minutes=minutes))

    def run(self) -> None:
        with self.session() as session:
            warned = {(each.account_id, each.user_id, each.pool, each.rule): each.at
                      for each in session.list(PoolEvent, 'kind == "warned"', order="at", limit=None)}  # fmt: skip
            for step in pools.recycle(session).recycled:
                at = warned.get((step.account_id, step.user_id, step.pool, step.rule))
                rule = next(each for each in session.policy.pools[step.pool].recycle if each.key == step.rule)
                self.lost.add((
                    self.accounts.index(step.account_id), step.user_id, self.company.clock.today, step.pool, step.rule,
                    at.astimezone(SHANGHAI).date() if at is not None and rule.warn_days else None,
                ))  # fmt: skip

    # -- what happens ------------------------------------------------------------------------------------------

    def account(self, city: str, grade: str | None, user: str, always: bool, imported: bool) -> None:
        with self.session("import" if imported else "session") as session:
            account = session.add_one(Account(name="a", grade=grade, address=Address(city=city)))
            ownership.assign(session, account, to=user, since_always=always)
            self.accounts.append(account.id)
            self.owners.append(user)

    def pick(self, which: int) -> int | None:
        return self.accounts[which % len(self.accounts)] if self.accounts else None

    def visit(self, which: int, late: int, imported: bool) -> None:
        if (id_ := self.pick(which)) is None:
            return
        moment = self.company.clock() - dt.timedelta(days=late)
        with self.session("import" if imported else "session") as session:
            visit = session.add_one(
                Activity(kind="visit", subject="v", account_id=id_, status=Status.HELD, started_at=moment)
            )
            self.visits.append(visit.id)

    def extra(self, place: int) -> None:
        """A visit that nobody changes later."""
        self.company.visit(self.accounts[place])

    def change_visit(self, which: int, how: str, other: int) -> None:
        if not self.visits or (account_id := self.pick(other)) is None:
            return
        with self.session() as session:
            visit = session.get(Activity, self.visits[which % len(self.visits)])
            if visit is None:
                return
            match how:
                case "delete":
                    session.delete(visit)
                case "plan":
                    visit.status = Status.PLANNED
                case "cancel":
                    visit.status = Status.CANCELLED
                case "hold":
                    visit.status = Status.HELD
                case "earlier" | "later":
                    visit.started_at += dt.timedelta(days=-3 if how == "earlier" else 2)
                case "other":
                    visit.account_id = account_id

    def change(self, which: int, name: str, value: Any) -> None:
        if (id_ := self.pick(which)) is None:
            return
        with self.session() as session:
            account = session.require(Account, id_)
            setattr(account, name, Address(city=value) if name == "address" else value)

    def transfer(self, which: int) -> None:
        """To somebody else than the last owner, whether a rule took the account from them or not."""
        if (id_ := self.pick(which)) is None:
            return
        place = which % len(self.accounts)
        self.owners[place] = "wang" if self.owners[place] == "li" else "li"
        with self.session() as session:
            ownership.transfer(session, session.require(Account, id_), to=self.owners[place])

    def give_up(self, which: int) -> None:
        if (id_ := self.pick(which)) is None:
            return
        with self.session() as session:
            ownership.release(session, session.require(Account, id_))

    def order(self, which: int, kind: str, ahead: int, late: int) -> None:
        if (id_ := self.pick(which)) is None:
            return
        now = self.company.clock()
        at = now + dt.timedelta(days=ahead)
        self.trade.signals.append(Signal(id_, kind, at - dt.timedelta(days=late) if late else at, now))


numbers, flags = st.integers(0, 3), st.booleans()
moments = (st.integers(0, 18), st.integers(0, 600))
grades = st.sampled_from(["A", "B", None])
cities = st.sampled_from(["Beijing", "Beijing", "Shanghai", "Chengdu"])
changes = st.one_of(
    st.tuples(st.just("grade"), grades), st.tuples(st.just("address"), cities), st.tuples(st.just("active"), flags)
)
accounts = st.tuples(
    st.just(0), st.integers(0, 600), st.just("account"), cities, grades, st.sampled_from(["li", "wang"]), flags, flags
)
events = st.one_of(
    st.tuples(*moments, st.just("account"), cities, grades, st.sampled_from(["li", "wang"]), flags, flags),
    st.tuples(*moments, st.just("visit"), numbers, st.sampled_from([0, 0, 0, 1, 3, 6]), flags),
    st.tuples(*moments, st.just("change_visit"), numbers,
              st.sampled_from(["delete", "plan", "cancel", "hold", "earlier", "later", "other"]), numbers),
    st.builds(lambda day, minute, which, change: (day, minute, "change", which, *change), *moments, numbers, changes),
    st.tuples(*moments, st.just("transfer"), numbers),
    st.tuples(*moments, st.just("give_up"), numbers),
    st.tuples(*moments, st.just("order"), numbers, st.just("order"), st.just(0), st.sampled_from([0, 2, 5])),
    st.tuples(*moments, st.just("order"), numbers, st.just("contract_end"), st.integers(-3, 12), st.just(0)),
)  # fmt: skip
histories = st.builds(lambda first, later: [*first, *later], st.lists(accounts, min_size=1, max_size=3),
                      st.lists(events, max_size=25))  # fmt: skip


@pytest.fixture(scope="module")
def worlds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    """Two databases: in one the rules run every night, in the other they are simulated afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        made = []
        for name in ("running", "simulated"):
            trade = Trade()
            with told(trade, name, patch) as discovery, database(request, tmp_path_factory, name) as url:
                company = found(url, RULES, plugins=[name], discovery=discovery)
            trade.clock = lambda company=company: company.clock.moment
            made.append(World(company, trade))
        yield made[0], made[1]
        for world in made:
            world.company.crm.close()


@contextmanager
def told(trade: Trade, name: str, patch: pytest.MonkeyPatch) -> Iterator[Any]:
    from .conftest import teller

    with teller(trade, name, patch) as discovery:
        yield discovery


@contextmanager
def database(request: pytest.FixtureRequest, factory: pytest.TempPathFactory, name: str) -> Iterator[str]:
    if request.config.getoption("postgresql"):
        server = request.getfixturevalue("postgresql_server")
        yield server.create_database(f"pools_{factory.mktemp(name).parent.name.replace('-', '_')}_{name}")
    else:
        yield f"sqlite:///{factory.mktemp(name) / 'crm.db'}"


def told_of(world: World, report: pools.Simulation) -> set[tuple[Any, ...]]:
    return {
        (world.accounts.index(each.account_id), each.user_id, each.day, each.pool, each.rule, each.warned_on)
        for each in report.losses
    }


UNTIL = 20
FEWER = settings(
    settings.default, max_examples=max(10, settings.default.max_examples // 3),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
"""Each example is weeks of nights."""


@pytest.mark.store
@FEWER
@given(history=histories, run_from=st.integers(1, 8))
@example(history=[(0, 0, "account", "Beijing", None, "li", False, False)], run_from=1)
def test_simulating_is_what_running_the_rules_every_night_does(
    worlds: tuple[World, World], history: list[tuple[Any, ...]], run_from: int
) -> None:
    running, simulated = worlds
    for world in worlds:
        world.wipe()
    # What an import brings counts as known before; a run of the rules cannot have known it.
    history = [(*each[:-1], False) if each[2] in ("account", "visit") else each for each in history]
    running.play(history, UNTIL, run_from)
    simulated.play(history, UNTIL)
    with simulated.session() as session:
        report = pools.simulate(session, since=START.date() + dt.timedelta(run_from))
    users = {id_: login for login, id_ in running.company.users.items()}
    there = {id_: login for login, id_ in simulated.company.users.items()}
    assert {(each[0], there[each[1]], *each[2:]) for each in told_of(simulated, report)} == {
        (each[0], users[each[1]], *each[2:]) for each in running.lost
    }


@pytest.mark.store
@FEWER
@given(history=histories)
def test_one_visit_on_the_last_day_would_have_helped_as_it_is_told(
    worlds: tuple[World, World], history: list[tuple[Any, ...]]
) -> None:
    world = worlds[1]
    world.wipe()
    world.play(history, UNTIL)
    since = START.date() + dt.timedelta(1)
    with world.session() as session:
        losses = pools.simulate(session, since=since).losses
    helped = [each for each in losses if each.sign == "held_activity" and each.last_chance is not None]
    if not helped:
        return
    loss = helped[0]
    place = world.accounts.index(loss.account_id)
    world.wipe()
    world.play([*history, ((loss.last_chance - START.date()).days, 601, "extra", place)], UNTIL)
    with world.session() as session:
        again = pools.simulate(session, since=since).losses
    mine = {each.day for each in again if each.account_id == world.accounts[place] and each.user_id == loss.user_id}
    assert loss.day not in mine
    assert loss.lost_then is None or loss.lost_then in mine


# -- by hand --------------------------------------------------------------------------------------------------------

SILENT = Pool(name="north", where='address.city == "Beijing"', recycle=(RecycleRule(without="held_activity", days=10),))


@pytest.fixture
def company(make_company: Founder) -> Company:
    return make_company({})


def day(number: int) -> dt.date:
    return START.date() + dt.timedelta(number)


def simulated(company: Company, *given: Pool, login: str | None = None, **options: Any) -> pools.Simulation:
    with company.session(login, read_only=True) as session:
        return pools.simulate(session, given or (SILENT,), **options)


def test_who_would_have_lost_what_and_which_visit_would_have_saved_it(company: Company) -> None:
    saved, lost, again = (company.account(name, owner=owner) for name, owner in
                          (("Saved", "li"), ("Lost", "li"), ("Again", "wang")))  # fmt: skip
    company.clock.forward(days=15)
    company.visit(saved)
    company.visit(lost)
    company.visit(again)
    company.clock.forward(days=9)
    company.visit(saved)
    company.visit(again)
    company.clock.forward(days=9)
    company.visit(saved)
    report = simulated(company, since=day(0))
    assert (report.since, report.until, report.owned, report.notes) == (day(0), day(33), 3, ())
    told = {each.account_id: each for each in report.losses}
    # Lost on the 11th day; a visit on the 10th keeps it until the one of the 15th, which was too late as it was.
    assert {(each.day, each.last_chance) for each in report.losses} == {(day(11), day(10))}
    assert (told[saved].lost_then, told[lost].lost_then, told[again].lost_then) == (None, day(26), None)
    assert (told[saved].sign, told[saved].rule, told[saved].pool, told[saved].warned_on) == (
        "held_activity", "without held_activity 10", "north", None,
    )  # fmt: skip
    assert [(user, len(losses)) for user, losses in report.by_user().items()] == [
        (company.users["li"], 2), (company.users["wang"], 1),
    ]  # fmt: skip
    assert report.by_day() == {day(11): 3}


def test_one_sign_of_life_does_not_help_where_two_are_missing(make_company: Founder, install_teller: Any) -> None:
    rules = [
        {"without": "order", "days": 10},
        {"without": "held_activity", "days": 10},
        {"after": "contract_end", "days": 3},
    ]
    trade = Trade()
    with install_teller(trade) as discovery:
        company = make_company({"north": POOLS["north"] | {"recycle": rules}}, plugins=["teller"], discovery=discovery)
    trade.clock = lambda: company.clock.moment
    both, ended = company.account("Both", owner="li"), company.account("Ended", owner="li")
    trade.signals.append(Signal(ended, "contract_end", START + dt.timedelta(days=4)))
    company.clock.forward(days=15)
    with company.session() as session:
        losses = {each.account_id: each for each in pools.simulate(session, since=day(0)).losses}
    assert (losses[both].day, losses[both].sign, losses[both].last_chance, losses[both].saved) == (
        day(11), "order", None, False,
    )  # fmt: skip
    # No visit keeps what ends on a day.
    assert (losses[ended].day, losses[ended].sign, losses[ended].last_chance) == (day(8), "contract_end", None)


def test_an_activity_that_was_entered_late_did_not_help(company: Company) -> None:
    acme = company.account("Acme", owner="li")
    company.clock.forward(days=12)
    company.visit(acme, at=START + dt.timedelta(days=5))
    (loss,) = simulated(company, since=day(0)).losses
    assert (loss.day, loss.last_chance) == (day(11), day(10))


def test_the_grade_is_that_of_the_day(company: Company) -> None:
    promoted, demoted = company.account("Promoted", owner="li", grade="B"), company.account("D", owner="li", grade="A")
    company.clock.forward(days=20)
    with company.session() as session:
        session.require(Account, promoted).grade = "A"
        session.require(Account, demoted).grade = "B"
    rule = attrs.evolve(SILENT.recycle[0], never_grades=("A",))
    report = simulated(company, attrs.evolve(SILENT, recycle=(rule,)), since=day(0))
    company.clock.forward(days=2)
    later = simulated(company, attrs.evolve(SILENT, recycle=(rule,)), since=day(0))
    assert [(each.account_id, each.day, each.grade) for each in report.losses] == [(promoted, day(11), "B")]
    assert [(each.account_id, each.day) for each in later.losses] == [(promoted, day(11)), (demoted, day(21))]


def test_what_an_import_brought_counts_as_known_when_it_happened(company: Company) -> None:
    company.clock.forward(days=30)
    with company.crm.system_session("import", source="import") as session:
        account = session.add_one(Account(name="Old", address=Address(city="Beijing")))
        ownership.assign(session, account, to="li", from_=START)
        for number in (8, 16, 24):
            start = START + dt.timedelta(days=number)
            (visit,) = activities.plan(session, "visit", "v", start=start, account=account)
            activities.hold(session, visit)
    with company.session() as session:
        late = session.add_one(Account(name="Late", address=Address(city="Beijing")))
        ownership.assign(session, late, to="li", from_=START)
    assert [each.day for each in simulated(company, since=day(0), days=0).losses] == []
    company.clock.forward(days=30)
    report = simulated(company, since=day(0))
    assert {(each.account_id, each.day) for each in report.losses} == {(account.id, day(35)), (late.id, day(31))}


def test_one_only_sees_what_one_sees(company: Company) -> None:
    acme, beta = company.account("Acme", owner="li"), company.account("Beta", owner="sun")
    company.clock.forward(days=30)
    assert {each.account_id for each in simulated(company).losses} == {acme, beta}
    for login, expected in (("li", {acme}), ("sun", {beta}), ("zhou", {acme}), ("admin", {acme, beta})):
        report = simulated(company, login=login)
        assert {each.account_id for each in report.losses} == expected
        assert report.owned == len(expected)


def test_a_condition_that_looks_elsewhere_is_asked_of_today_and_said_so(company: Company) -> None:
    acme = company.account("Acme", owner="li", grade="B")
    company.clock.forward(days=20)
    with company.session() as session:
        session.require(Account, acme).grade = "C"
    elsewhere = attrs.evolve(SILENT, where="count(activities) == 0")
    by_day = attrs.evolve(SILENT, name="by_day", scope="pumps", where="created_at < now()")
    report = simulated(company, elsewhere, by_day, since=day(0))
    assert report.notes == ("north", "by_day")
    assert [each.account_id for each in report.losses] == [acme]
    company.visit(acme)
    assert simulated(company, elsewhere, since=day(0)).losses == ()


def test_there_is_nothing_to_replay_of_days_to_come(company: Company) -> None:
    company.account("Acme", owner="li")
    with pytest.raises(ValidationError, match="lies ahead"):
        simulated(company, since=day(1))
    assert simulated(company, attrs.evolve(SILENT, recycle=())).owned == 0


def test_nothing_is_told_of_days_whose_journal_is_detached(company: Company) -> None:
    if company.crm.store.dialect != "postgresql":
        pytest.skip("only PostgreSQL has parts of the journal")
    cut = dt.datetime.combine(day(10), dt.time(12), SHANGHAI)
    with company.crm.store.engine.begin() as connection:
        moments = dict.fromkeys(("first_at", "last_at", "cut", "detached_at"), cut)
        connection.execute(insert(JOURNAL_PART).values(number=7, place=1, change_sets=1, changes=1, **moments))
    company.clock.forward(days=20)
    assert simulated(company, since=day(11)).since == day(11)
    with pytest.raises(PastDetached, match="detached from this database"):
        simulated(company, since=day(10))


def test_nothing_is_changed_and_the_number_of_statements_is_constant(company: Company) -> None:
    counts = []
    for number in (2, 40):
        for _ in range(number):
            company.visit(company.account("Mill", owner="li"))
        company.clock.forward(days=12)
        with company.session(read_only=True) as session, statements(company) as told:
            report = pools.simulate(session, [SILENT], since=day(0))
        counts.append(len(told))
    assert report.owned == 42
    assert len(report.losses) == 42
    assert counts[1] <= counts[0]
    with company.session() as session:
        assert session.count(PoolEvent, f'kind == "{PoolEventKind.RECYCLED.value}"') == 0


def test_rules_of_the_build_are_simulated_where_no_others_are_given(make_company: Founder) -> None:
    company = make_company({"north": POOLS["north"] | {"recycle": [{"without": "held_activity", "days": 3}]}})
    acme = company.account("Acme", owner="li")
    company.clock.forward(days=10)
    with company.session() as session:
        assert [each.account_id for each in pools.simulate(session).losses] == [acme]
        other = Pool.of("none", PoolRules(where='grade == "Z"'))
        assert pools.simulate(session, {"none": other}).losses == ()


def test_two_owners_are_not_made_by_a_conflict(company: Company) -> None:
    """What the history machine does is what the verbs allow."""
    acme = company.account("Acme", owner="li")
    with company.session() as session, pytest.raises(Conflict):
        ownership.assign(session, session.require(Account, acme), to="wang")
