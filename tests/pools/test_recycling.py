"""Recycling: who is warned, who loses which account when, and what is spared."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from crm_core import (
    Account,
    Crm,
    HookError,
    Ownership,
    PermissionDenied,
    PoolEvent,
    PoolEventKind,
    organisation,
    ownership,
    pools,
)
from crm_core.fields import Address
from crm_core.hooks import Signal

from .conftest import BUILD, POOLS, SHANGHAI, Company, Founder, statements

SILENT = {"without": "held_activity", "days": 10, "warn_days": 3, "never_grades": ["A"]}
NORTH = POOLS["north"] | {"recycle": [SILENT]}


@pytest.fixture
def company(make_company: Founder) -> Company:
    return make_company({"north": NORTH})


def night(company: Company, **options: Any) -> pools.RecycleReport:
    """The next night at two o'clock, when the rules run."""
    day = company.clock.today + dt.timedelta(1)
    company.clock.to(dt.datetime.combine(day, dt.time(2), SHANGHAI))
    with company.session() as session:
        return pools.recycle(session, **options)


def nights(company: Company, count: int) -> list[tuple[dt.date, str, int]]:
    """What happened in so many nights: the day, what, to which account."""
    told = []
    for _ in range(count):
        report = night(company)
        told += [(company.clock.today, step.kind.value, step.account_id) for step in report.steps]
    return told


def day(number: int) -> dt.date:
    return dt.date(2026, 3, 2) + dt.timedelta(number)


def test_the_owner_is_warned_and_then_loses_the_account(company: Company) -> None:
    acme = company.account("Acme", owner="li")
    # Ten whole days, from the 3rd to the 12th, pass without a visit.
    assert nights(company, 12) == [(day(8), "warned", acme), (day(11), "recycled", acme)]
    assert company.owner(acme) is None
    with company.session("li") as session:
        assert session.count(Account) == 0
    with company.session("wang") as session:
        assert [each.id for each in pools.browse(session, "north")] == [acme]
        pools.claim(session, "north", acme)
    with company.session() as session:
        events = session.list(PoolEvent, order="at")
        assert [(each.kind, each.rule) for each in events] == [
            (PoolEventKind.WARNED, "without held_activity 10"),
            (PoolEventKind.RECYCLED, "without held_activity 10"),
            (PoolEventKind.CLAIMED, None),
        ]
        assert {each.user_id for each in events[:2]} == {company.users["li"]}


def test_silence_before_the_day_of_the_rule_does_not_count(make_company: Founder) -> None:
    late = SILENT | {"since": day(6)}
    company = make_company({"north": NORTH | {"recycle": [late]}})
    acme = company.account("Acme", owner="li")
    mill = company.account("Mill", owner="li")
    with company.session(read_only=True) as session:
        assert {each.day for each in pools.due(session, [acme, mill]).values()} == {day(17)}
    assert nights(company, 11) == []
    company.visit(mill)  # on the 11th, which is later than the day of the rule
    assert nights(company, 11) == [(day(14), "warned", acme), (day(17), "recycled", acme), (day(19), "warned", mill),
                                   (day(22), "recycled", mill)]  # fmt: skip


def test_a_warning_before_the_day_of_the_rule_is_given_anew(make_company: Founder) -> None:
    company = make_company({"north": NORTH})
    acme = company.account("Acme", owner="li")
    assert nights(company, 9) == [(day(8), "warned", acme)]
    build = BUILD | {"pools": {"north": NORTH | {"recycle": [SILENT | {"since": day(9)}]}}}
    database = company.crm.store.engine.url.render_as_string(hide_password=False)
    with Crm.open(build, database=database, clock=company.clock) as changed:
        later = attrs.evolve(company, crm=changed)
        assert nights(later, 11) == [(day(17), "warned", acme), (day(20), "recycled", acme)]


def test_what_was_due_long_ago_is_told_as_of_today(company: Company) -> None:
    company.account("Acme", owner="li")
    company.clock.forward(days=40)
    (warned,) = night(company, dry_run=True).steps
    assert (warned.kind, warned.due) == (PoolEventKind.WARNED, company.clock.today + dt.timedelta(3))
    night(company)
    company.clock.forward(days=6)
    for dry_run in (True, False):
        (taken,) = night(company, dry_run=dry_run).steps
        assert (taken.kind, taken.due) == (PoolEventKind.RECYCLED, company.clock.today)


def test_a_visit_starts_the_days_anew_and_the_next_silence_is_warned_of_anew(company: Company) -> None:
    acme = company.account("Acme", owner="li")
    assert nights(company, 8) == [(day(8), "warned", acme)]
    company.clock.forward(hours=10)
    company.visit(acme)
    assert nights(company, 11) == [(day(16), "warned", acme), (day(19), "recycled", acme)]


def test_a_second_run_on_the_same_day_changes_nothing(company: Company) -> None:
    company.account("Acme", owner="li")
    assert len(nights(company, 8)) == 1
    company.clock.forward(minutes=5)
    with company.session() as session:
        assert pools.recycle(session).steps == ()


def test_nobody_loses_an_account_without_having_been_warned_so_long(company: Company) -> None:
    acme = company.account("Acme", owner="li")
    company.clock.forward(days=100)
    first = company.clock.today + dt.timedelta(1)
    assert nights(company, 5) == [(first, "warned", acme), (first + dt.timedelta(3), "recycled", acme)]


def test_a_warning_that_led_to_nothing_is_forgotten(company: Company) -> None:
    acme = company.account("Acme", owner="li")
    assert nights(company, 8) == [(day(8), "warned", acme)]
    with company.session() as session:
        session.require(Account, acme).grade = "A"
    assert nights(company, 20) == []
    with company.session() as session:
        session.require(Account, acme).grade = "B"
    told = nights(company, 4)
    assert [what for _, what, _ in told] == ["warned", "recycled"]


def test_what_is_spared(company: Company) -> None:
    with company.session() as session:
        inactive = session.add_one(Account(name="Closed", active=False, address=Address(city="Beijing")))
        ends = session.add_one(Account(name="Ends", address=Address(city="Beijing")))
        follows = session.add_one(Account(name="Follows", address=Address(city="Beijing")))
        for each in (inactive, ends, follows):
            ownership.assign(session, each, to="li")
        session.flush()
        ownership.release(session, ends, at=dt.date(2027, 1, 1))
        ownership.transfer(session, follows, to="wang", from_=dt.date(2027, 1, 1))
    company.account("Key", owner="li", grade="A")
    company.account("Elsewhere", owner="li", address=Address(city="Shanghai"))
    company.account("Other scope", owner="li", scope="pumps")
    company.account("Nobody's")
    assert nights(company, 20) == []


def test_the_new_owner_has_all_of_the_days(company: Company) -> None:
    acme = company.account("Acme", owner="li")
    assert nights(company, 10) == [(day(8), "warned", acme)]
    with company.session() as session:
        ownership.transfer(session, session.require(Account, acme), to="wang")
    assert nights(company, 11) == [(day(18), "warned", acme), (day(21), "recycled", acme)]


def test_since_always_counts_from_the_last_visit_or_from_when_it_was_written_down(company: Company) -> None:
    seen, unseen = company.account("Seen"), company.account("Unseen")
    with company.session() as session:
        for id_ in (seen, unseen):
            ownership.assign(session, session.require(Account, id_), to="li", since_always=True)
    company.visit(seen, at=company.clock() - dt.timedelta(days=20))
    assert nights(company, 11) == [
        (day(1), "warned", seen), (day(4), "recycled", seen), (day(8), "warned", unseen), (day(11), "recycled", unseen),
    ]  # fmt: skip


def test_every_part_in_the_scope_ends_and_other_scopes_remain(make_company: Founder) -> None:
    company = make_company({"north": NORTH, "pumps": POOLS["pumps"]})
    acme = company.account("Acme", owner="li", tags=frozenset({"pumps"}))
    with company.session() as session:
        account = session.require(Account, acme)
        ownership.assign(session, account, to="wang", role=ownership.OwnershipRole.COLLABORATOR)
        ownership.assign(session, account, to="sun", scope="pumps")
    nights(company, 11)
    assert (company.owner(acme), company.owner(acme, "pumps")) == (None, "sun")
    with company.session() as session:
        assert session.count(Ownership) == 1


def test_a_dry_run_tells_the_same_and_changes_nothing(company: Company) -> None:
    company.account("Acme", owner="li")
    company.clock.forward(days=6)
    nights(company, 4)
    company.clock.to(dt.datetime.combine(company.clock.today + dt.timedelta(1), dt.time(2), SHANGHAI))
    with company.session(read_only=True) as session:
        would = pools.recycle(session, dry_run=True)
    assert len(would.recycled) == 1
    with company.session() as session:
        assert session.count(PoolEvent) == 1
        assert pools.recycle(session).steps == would.steps


def test_undo_gives_every_account_back_to_its_owner(company: Company) -> None:
    ids = [company.account(f"Mill {number}", owner="li") for number in range(3)]
    nights(company, 10)
    with company.session() as session:
        before = {row.id: (row.valid_to, row.user_id) for row in session.list(Ownership, all_dates=True)}
        events = session.count(PoolEvent)
    company.clock.forward(days=1)
    with company.session() as session:
        assert len(pools.recycle(session).recycled) == 3
    with company.session("admin") as other:
        other.undo(session.last_change_set)
    with company.session() as session:
        assert {row.id: (row.valid_to, row.user_id) for row in session.list(Ownership, all_dates=True)} == before
        assert session.count(PoolEvent) == events
    assert {company.owner(id_) for id_ in ids} == {"li"}


def test_only_who_may_let_the_rules_run(company: Company) -> None:
    company.account("Acme", owner="li")
    for login in ("li", "zhou"):
        with company.session(login) as session:
            with pytest.raises(PermissionDenied, match="may not let the rules"):
                pools.recycle(session, dry_run=True)
            with pytest.raises(PermissionDenied, match="may not let the rules"):
                pools.assign(session)
    company.clock.forward(days=9)
    with company.session("admin") as session:
        assert len(pools.recycle(session).warned) == 1


def test_the_permission_alone_suffices_to_ask_what_the_rules_would_do(make_company: Founder) -> None:
    company = make_company({"north": NORTH}, roles={"runner": {"permissions": {"*.read": "all", "pool.run": "all"}}})
    with company.session() as session:
        organisation.join(session, "deng", "HQ", role="runner", since_always=True)
    company.account("Acme", owner="li")
    company.clock.forward(days=9)
    with company.session("deng") as session:
        assert len(pools.recycle(session, dry_run=True).warned) == 1


def test_batch_after_batch_and_all_or_nothing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_core.store.pools.recycling._BATCH", 2)
    ids = [company.account(f"Mill {number}", owner="li") for number in range(5)]
    told: list[int] = []
    company.clock.forward(days=9)
    with company.session() as session:
        assert [step.account_id for step in pools.recycle(session, progress=told.append).warned] == ids
    assert told == [2, 4, 5]
    with company.session() as session:
        assert len(pools.due(session, ids)) == 5
    company.clock.forward(days=4)
    real, calls = pools.recycling.end_ownership, []

    def failing(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("the power is gone")
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr("crm_core.store.pools.recycling.end_ownership", failing)
        with pytest.raises(RuntimeError), company.session() as session:
            pools.recycle(session)
    assert len(calls) == 2
    with company.session() as session:
        assert session.count(PoolEvent) == 5
        assert session.count(Ownership) == 5
    with company.session() as session:
        assert [step.account_id for step in pools.recycle(session).recycled] == ids


def test_an_owner_who_changes_meanwhile_is_left_alone(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at an account and holding it, somebody else may have got it."""
    acme = company.account("Acme", owner="li")
    company.clock.forward(days=9)
    real = pools.recycling.lock

    def later(session: Any, record_type: Any, ids: Any) -> None:
        real(session, record_type, ids)
        row = session.list(Ownership)[0]
        session.delete_many(Ownership, [row.id])
        ownership.assign(session, session.require(Account, acme), to="wang")
        session.flush()

    monkeypatch.setattr("crm_core.store.pools.recycling.lock", later)
    with company.session() as session:
        assert pools.recycle(session).steps == ()
        assert session.count(PoolEvent) == 0


# -- signs of plugins -----------------------------------------------------------------------------------------------


class Teller:
    """Answers ``crm_gather_signals`` for the tests."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.fails = False
        self.asked: list[tuple[set[str], dt.datetime | None]] = []

    def __call__(self, session: Any, accounts: Any, kinds: Any, since: Any, until: Any) -> list[Signal]:
        self.asked.append((set(kinds), since))
        if self.fails:
            raise RuntimeError("broken")
        return [signal for signal in self.signals if signal.account_id in set(accounts) and signal.kind in kinds]


@pytest.fixture
def teller() -> Teller:
    return Teller()


@pytest.fixture
def trading(make_company: Founder, install_teller: Any, teller: Teller) -> Company:
    """A company whose plugin tells of orders and contracts."""
    rules = [
        {"without": "order", "days": 10},
        {"without": "held_activity", "days": 30},
        {"after": "contract_end", "days": 5, "warn_days": 2},
    ]
    with install_teller(teller) as discovery:
        return make_company({"north": POOLS["north"] | {"recycle": rules}}, plugins=["teller"], discovery=discovery)


def test_orders_and_the_ends_of_contracts(trading: Company, teller: Teller) -> None:
    orders, ended, renewed = (trading.account(name, owner="li") for name in ("Orders", "Ended", "Renewed"))
    start = trading.clock()
    for id_ in (ended, renewed):
        teller.signals += [Signal(id_, "order", start + dt.timedelta(days=days)) for days in (8, 16, 24)]
        teller.signals.append(Signal(id_, "contract_end", start + dt.timedelta(days=12)))
        teller.signals.append(Signal(id_, "contract_end", start - dt.timedelta(days=12)))
    teller.signals.append(Signal(renewed, "contract_end", start + dt.timedelta(days=400)))
    teller.signals.append(Signal(orders, "order", start - dt.timedelta(days=1)))
    assert nights(trading, 20) == [
        (day(11), "recycled", orders), (day(16), "warned", ended), (day(18), "recycled", ended),
    ]  # fmt: skip
    assert nights(trading, 11) == [(day(31), "recycled", renewed)]


def test_visits_that_a_plugin_keeps_count_as_held_activities(trading: Company, teller: Teller) -> None:
    acme = trading.account("Acme", owner="li")
    start = trading.clock()
    teller.signals += [Signal(acme, "order", start + dt.timedelta(days=days)) for days in range(0, 60, 5)]
    teller.signals.append(Signal(acme, "held_activity", start + dt.timedelta(days=20)))
    assert nights(trading, 55) == [(day(51), "recycled", acme)]


def test_nobody_loses_a_customer_because_a_plugin_is_broken(trading: Company, teller: Teller) -> None:
    acme = trading.account("Acme", owner="li")
    trading.clock.forward(days=60)
    teller.fails = True
    for work in (pools.recycle, lambda session: pools.due(session, [acme]), pools.simulate):
        with trading.session() as session, pytest.raises(HookError, match=r"teller cannot tell the signs.*broken"):
            work(session)
    with trading.session() as session:
        assert session.count(PoolEvent) == 0
    assert trading.owner(acme) == "li"


# -- what it costs, and what is told --------------------------------------------------------------------------------


def test_the_number_of_statements_does_not_depend_on_the_number_of_accounts(company: Company) -> None:
    company.account("Acme", owner="li")
    company.clock.forward(days=7, hours=20)
    counts = []
    for number in (1, 30):
        with company.session() as session:
            ids = session.add_many(
                Account, [{"name": f"Mill {each}", "address": Address(city="Beijing")} for each in range(number)]
            )
            session.add_many(
                Ownership, [{"account_id": id_, "user_id": company.users["li"],
                             "valid_from": company.clock() - dt.timedelta(days=8)} for id_ in ids]
            )  # fmt: skip
        with company.session() as session, statements(company) as told:
            report = pools.recycle(session)
        assert len(report.warned) >= number
        counts.append(len(told))
    assert counts[1] <= counts[0]


def test_when_it_is_due(company: Company) -> None:
    acme, mine = company.account("Acme", owner="li"), company.account("Mine", owner="wang")
    key = company.account("Key", owner="li", grade="A")
    with company.session("li") as session:
        found = pools.due(session, [acme, mine, key, 99])
        assert list(found) == [acme]
        assert (found[acme].day, found[acme].rule.key, found[acme].warned_at, found[acme].pool.name) == (
            day(11), "without held_activity 10", None, "north",
        )  # fmt: skip
    nights(company, 8)
    with company.session("li") as session:
        (due,) = pools.due(session, [session.require(Account, acme)]).values()
        assert due.day == day(11)
        assert due.warned_at is not None
    company.clock.forward(hours=1)
    company.visit(acme)
    with company.session("li") as session:
        assert pools.due(session, [acme])[acme].day == day(19)


def test_when_it_is_due_although_nobody_was_warned_in_time(company: Company) -> None:
    acme = company.account("Acme", owner="li")
    company.clock.forward(days=50)
    with company.session("li") as session:
        assert pools.due(session, [acme])[acme].day == company.clock.today + dt.timedelta(3)
        with statements(company) as told:
            pools.due(session, [acme])
    more = [company.account(f"Mill {number}", owner="li") for number in range(20)]
    with company.session("li") as session:
        pools.due(session, [acme])
        with statements(company) as again:
            assert len(pools.due(session, [acme, *more])) == 21
        assert len(again) <= len(told)
