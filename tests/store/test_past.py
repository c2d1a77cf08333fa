from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from crm_core.domain.accounts import Account, Lifecycle, Stage
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import ExpressionError, PermissionDenied, UnsupportedStatement
from crm_core.fields import Money
from crm_core.store.policy import Role, Scope
from crm_core.store.store import Store
from tests.store import journal_support as support

GRADES = st.sampled_from(["A", "B", "C", None])
NAMES = st.sampled_from(["Acme", "bolt", "Ápex", "中国银行", "单小姐", "Ｚed", "𠀀𠀁"])


@pytest.fixture
def store(database_url):
    with support.opened(database_url) as store:
        yield store


def moment_of(store: Store) -> dt.datetime:
    """When the last change set was."""
    return support.heads(store)[-1].at


def seen(records: list[Account]) -> list[tuple[Any, ...]]:
    return [(each.id, each.name, each.grade, each.revenue, each.employees, dict(each.custom)) for each in records]


@st.composite
def steps(draw):
    """Change sets, each a list of operations on numbered accounts."""
    return draw(
        st.lists(
            st.lists(
                st.tuples(
                    st.sampled_from(["add", "set", "set", "custom", "delete"]),
                    st.integers(0, 5), NAMES, GRADES, st.integers(0, 3),
                ),
                min_size=1, max_size=4,
            ),
            min_size=1, max_size=6,
        )
    )  # fmt: skip


def play(store: Store, ids: list[int], operations: list[tuple[Any, ...]]) -> None:
    with store.session(principal="test") as session:
        for operation, which, name, grade, number in operations:
            if operation == "add" or not ids:
                ids += session.add_many(Account, [{"name": name, "grade": grade, "employees": number}])
                continue
            record = session.get(Account, ids[which % len(ids)])
            if record is None:
                continue
            if operation == "set":
                record.name, record.grade = name, grade
                record.revenue = Money(number, "CNY") if number else None
            elif operation == "custom":
                record.custom = {"colour": name, "size": str(number)} if number else {}
            else:
                session.delete(record)
                session.flush()


WHERES = [None, 'grade == "A"', "employees > 1", 'name in ("Acme", "bolt")', "revenue is not None", 'colour == "Acme"']
ORDERS = [None, "name", "name desc", "grade, name", "grade desc", "employees desc, grade", "revenue"]


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sets=steps(), where=st.sampled_from(WHERES), order=st.sampled_from(ORDERS), limit=st.integers(1, 3))
def test_a_list_of_the_past_is_what_the_list_was(store, sets, where, order, limit):
    support.clear(store)
    ids: list[int] = []
    snapshots = []
    for operations in sets:
        play(store, ids, operations)
        if not support.heads(store):
            continue
        with store.session(principal="test", read_only=True) as session:
            whole = session.list(Account, where, order=order, limit=None)
            pages, after = [], None
            while page := session.list(Account, where, order=order, limit=limit, after=after):
                pages += page
                after = session.cursor(page[-1], order)
            assert seen(pages) == seen(whole)
            single = {id_: seen([record]) for id_ in ids if (record := session.get(Account, id_)) is not None}
            snapshots.append((moment_of(store), seen(whole), single))
    for moment, whole, single in snapshots:
        if [each for each in snapshots if each[0] == moment][-1][1] != whole:
            continue  # two change sets within one tick of the clock cannot be told apart
        with store.session(principal="test", as_of=moment) as session:
            assert seen(session.list(Account, where, order=order, limit=None)) == whole
            assert session.count(Account, where) == len(whole)
            pages, after = [], None
            while page := session.list(Account, where, order=order, limit=limit, after=after):
                pages += page
                after = session.cursor(page[-1], order)
            assert seen(pages) == whole
            assert {id_: seen([each]) for id_ in ids if (each := session.get(Account, id_)) is not None} == single


def test_before_everything_there_was_nothing(store):
    with store.session(principal="test") as session:
        (id_,) = session.add_many(Account, [{"name": "Acme"}])
    with store.session(principal="test", as_of=support.EPOCH) as session:
        assert session.list(Account) == []
        assert session.get(Account, id_) is None
        assert session.count(Account) == 0


def test_both_times_combine(store):
    early, late = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Acme"))
        row = session.add_one(Lifecycle(account_id=account.id, stage=Stage.PROSPECT, valid_from=early))
    knew = moment_of(store)
    with store.session(principal="test") as session:
        session.get(Lifecycle, row.id).valid_to = late
        session.add(Lifecycle(account_id=account.id, stage=Stage.CUSTOMER, valid_from=late))
    now = moment_of(store)

    def stages(**times):
        with store.session(principal="test", **times) as session:
            return [each.stage for each in session.list(Lifecycle)]

    today, between = dt.datetime(2025, 1, 1, tzinfo=dt.UTC), dt.datetime(2022, 1, 1, tzinfo=dt.UTC)
    assert stages(as_of=knew, at=today) == [Stage.PROSPECT]
    assert stages(as_of=now, at=today) == [Stage.CUSTOMER]
    assert stages(as_of=now, at=between) == [Stage.PROSPECT]
    assert stages(as_of=knew, at=early - dt.timedelta(days=1)) == []
    assert stages(as_of=support.EPOCH, at=today) == []
    # The same when the times of every row were changed since, so that none is as it was.
    for change in range(2):
        with store.session(principal="test", as_of=now) as session:
            assert len(session.list(Lifecycle, all_dates=True)) == session.count(Lifecycle, all_dates=True) == 2
            assert session.count(Lifecycle) == 1
        assert stages(as_of=now, at=late) == [Stage.CUSTOMER], change
        assert stages(as_of=now, at=late - dt.timedelta(microseconds=1)) == [Stage.PROSPECT], change
        assert stages(as_of=now, at=early) == [Stage.PROSPECT], change
        with store.session(principal="test") as session:
            first, second = session.list(Lifecycle, all_dates=True)
            first.valid_to = second.valid_from = between


@contextmanager
def after_statement(store: Store, number: int, work: Callable[[], None]) -> Iterator[None]:
    """Do something after so many statements, as somebody else may."""
    left = [number]

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            work()

    event.listen(store.engine, "after_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(store.engine, "after_cursor_execute", count)


@pytest.mark.parametrize("way", ["change", "delete"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_list_of_the_past_is_whole_while_somebody_else_writes(store, way, alone):
    for number in range(1, 9):
        grade = f"turn {number}"
        with store.session(principal="test") as session:
            ids = session.add_many(Account, [{"name": f"Acme {each}", "grade": grade} for each in range(3)])
        moment = moment_of(store)

        def leave(id_: int) -> None:
            with store.session(principal="other") as other:
                if way == "change":
                    other.require(Account, id_).grade = "none"
                else:
                    other.delete_many(Account, [id_])

        if not alone:
            leave(ids[0])
        with (
            store.session(principal="test", as_of=moment) as session,
            after_statement(store, number, lambda: leave(ids[1])),  # noqa: B023
        ):
            found = session.list(Account, f'grade == "{grade}"', order="name")
            assert [each.id for each in found] == ids, number
            assert {each.grade for each in found} == {grade}


def test_deleted_records_are_for_scope_all_only(database_url):
    roles = {
        "boss": Role("boss", (("*", Scope.ALL),)),
        "seller": Role("seller", (("*", Scope.OWN),)),
    }
    with support.opened(database_url, roles=roles) as store:
        with store.session(principal="init") as session:
            unit = session.add_one(Unit(name="Root"))
            for login in ("boss", "seller"):
                user = session.add_one(User(login=login, name=login))
                session.add(Membership(user_id=user.id, unit_id=unit.id, role=login))
        with store.session("seller") as session:
            kept = session.add_one(Account(name="kept")).id
            lost = session.add_one(Account(name="lost")).id
        moment = moment_of(store)
        with store.session(principal="test") as session:
            session.delete_many(Account, [lost])
            session.get(Account, kept).name = "renamed"
        with store.session("seller", as_of=moment) as session:
            assert [each.name for each in session.list(Account)] == ["kept"]
            assert session.get(Account, lost) is None
        with store.session("boss", as_of=moment) as session:
            assert [each.name for each in session.list(Account, order="name")] == ["kept", "lost"]
            assert session.get(Account, lost).name == "lost"


def test_the_past_cannot_be_written_or_stepped_through(store):
    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Acme"))
        session.add(Lifecycle(account_id=account.id, stage=Stage.PROSPECT))
    with store.session(principal="test", as_of=moment_of(store)) as session:
        for arguments in ({"where": 'account.name == "Acme"'}, {"order": "account.name"}):
            with pytest.raises(ExpressionError, match="record itself"):
                session.list(Lifecycle, **arguments)
        with pytest.raises(UnsupportedStatement, match="recorded past"):
            session.query(Account).all()
        with pytest.raises(PermissionDenied, match="another time"):
            session.add_many(Account, [{"name": "x"}])


def test_a_record_of_the_past_says_its_version(store):
    with store.session(principal="test") as session:
        (id_,) = session.add_many(Account, [{"name": "one", "custom": {"colour": "red"}}])
        created = session.require(Account, id_).created_at
    moments = [moment_of(store)]
    for name in ("two", "three"):
        with store.session(principal="test") as session:
            session.update_many(Account, [{"id": id_, "name": name, "custom": {"colour": name}}])
        moments.append(moment_of(store))
    with store.session(principal="test") as session:
        session.delete_many(Account, [id_])
    for version, (moment, name, colour) in enumerate(
        zip(moments, ("one", "two", "three"), ("red", "two", "three"), strict=True), 1
    ):
        with store.session(principal="test", as_of=moment) as session:
            record = session.get(Account, id_)
            assert (record.version, record.name, record.custom) == (version, name, {"colour": colour})
            assert (record.created_at, record.created_by) == (created, None)
