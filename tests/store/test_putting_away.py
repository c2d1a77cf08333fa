"""Old activities are put away into the journal: gone from their table, and never lost."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core.domain import activities
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Participant, Status
from crm_core.domain.contacts import Contact
from crm_core.domain.duties import Duty
from crm_core.domain.external import ExternalRef
from crm_core.domain.pools import Pool, RecycleRule
from crm_core.errors import PermissionDenied, StillNeeded
from crm_core.fields import ref, text
from crm_core.records import Record, Types, record, via
from crm_core.store import ids
from crm_core.store.partitions import keeping
from crm_core.store.partitions.attaching import attach
from crm_core.store.partitions.detaching import detach
from crm_core.store.policy import Policy, Role, Scope
from crm_core.store.putting_away import PUT_AWAY, PutAway, put_away
from crm_core.store.store import Store
from tests.store import journal_support as support
from tests.store.partition_support import EPOCH

BEFORE = EPOCH + dt.timedelta(days=300)
NOW = EPOCH + dt.timedelta(days=1000)


@record("putting_test.expense", access=via("activity_id"))
class Expense(Record):
    """Something of a plugin that outlives an activity."""

    activity_id: Mapped[int | None] = ref("activity", default=None, on_delete="clear")
    what: Mapped[str] = text(40)


@pytest.fixture
def store(database_url, clock):
    types = Types([*support.kernel_types().values(), Expense.crm_type])
    store = Store(database_url, types, Policy(), clock=clock)
    store.create_all()
    yield store
    store.close()


def add(store, clock, status=Status.HELD, day=10, **values):
    clock.now = EPOCH
    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Acme"))
        person = session.add_one(Contact(name="Ann"))
        start = EPOCH + dt.timedelta(days=day)
        activity = session.add_one(
            Activity(
                kind="visit", subject=f"day {day}", account_id=account.id, status=status, planned_start=start, **values
            )
        )
        session.add(Participant(activity_id=activity.id, contact_id=person.id))
        session.add(ExternalRef(system="old", record_type="activity", key=str(activity.id), record_id=activity.id))
    clock.now = NOW
    return activity.id


def away(store, **options):
    with store.session(principal="test", streaming=True) as session:
        done = put_away(session, BEFORE, **options)
    return done, session.last_change_set


def there(store):
    return support.state(store, "activity", "participant", "external_ref")


def left(store):
    with store.session(principal="test", read_only=True) as session:
        return set(session.scalars(select(Activity.id)))


def test_what_is_put_away_is_in_the_journal_and_comes_back(store, clock):
    held, cancelled = add(store, clock), add(store, clock, Status.CANCELLED)
    before = there(store)
    seen = []
    done, change_set = away(store, tell=lambda *numbers: seen.append(numbers))
    assert (done, seen) == (PutAway(2, 6), [(2, 2)])
    assert left(store) == set() and there(store) == {}
    with store.session(principal="test") as session:
        _, deleted = session.history(Activity, held)
        assert (deleted.source, deleted.change.operation) == (PUT_AWAY, "delete")
    with store.session(principal="test", as_of=EPOCH) as session:
        assert session.get(Activity, held).subject == "day 10"
        assert {each.id for each in session.list(Activity)} == {held, cancelled}
    with store.session(principal="test") as session:
        session.undo(change_set)
    after = there(store)
    assert after.keys() == before.keys()
    assert left(store) == {held, cancelled}
    for key, values in after.items():
        assert {**values, "version": 0} == {**before[key], "version": 0}


def test_what_is_not_over_or_younger_stays(store, clock):
    old = add(store, clock)
    stay = {
        add(store, clock, Status.PLANNED), add(store, clock, day=300), add(store, clock, ended_at=BEFORE),
        add(store, clock, started_at=NOW), add(store, clock, planned_end=NOW), add(store, clock, next_step_due=NOW),
    }  # fmt: skip
    with store.session(principal="test") as session:  # noted only now
        stay.add(session.add_one(Activity(kind="call", subject="late", status=Status.HELD, started_at=EPOCH)).id)
    assert away(store, dry_run=True) == (PutAway(1, None), None)
    assert left(store) == {old, *stay}
    assert away(store)[0].activities == 1
    assert left(store) == stay
    assert away(store) == (PutAway(0, 0), None)


def test_what_something_refers_to_stays_and_is_told(store, clock):
    whole = add(store, clock)
    add(store, clock, day=11, series_id=whole)
    head = add(store, clock)
    middle = add(store, clock, day=12, series_id=head)
    living = add(store, clock, Status.PLANNED, day=13, series_id=middle)
    paid = add(store, clock)
    with store.session(principal="test") as session:
        session.add(Expense(activity_id=paid, what="train"))
    before = there(store)
    done, change_set = away(store)
    assert {each.path: each.text() for each in done.kept} == {
        f"activity {head}": f"activity {head}: records of type activity refer to it.",
        f"activity {middle}": f"activity {middle}: records of type activity refer to it.",
        f"activity {paid}": f"activity {paid}: records of type putting_test.expense refer to it.",
    }
    assert done.activities == 2 and left(store) == {head, middle, living, paid}
    with store.session(principal="test") as session:
        assert session.scalars(select(Expense)).one().activity_id == paid
        session.undo(change_set)
    assert {key: values.get("series_id") for key, values in there(store).items()} == {
        key: values.get("series_id") for key, values in before.items()
    }


def test_it_is_refused_while_a_rule_looks_at_them(store, clock):
    add(store, clock)
    store.policy.duties["visits"] = Duty(name="visits", record="activity", every_days=900)
    store.policy.pools["rest"] = Pool(name="rest", recycle=(RecycleRule(without="held_activity", days=800),))
    with pytest.raises(StillNeeded) as caught:
        away(store)
    assert [each.path for each in caught.value.problems] == ["duties.visits", "pools.rest"]
    assert len(left(store)) == 1
    store.policy.duties["visits"] = Duty(name="visits", record="activity", every_days=700)
    store.policy.pools["rest"] = Pool(name="rest", recycle=(RecycleRule(without="held_activity", days=700),))
    assert away(store)[0].activities == 1


def test_who_may_not_delete_activities_puts_none_away(store, clock):
    from crm_core.domain import organisation
    from crm_core.domain.organisation import Unit, User

    id_ = add(store, clock)
    store.policy.roles["reader"] = Role("reader", (("*.read", Scope.ALL),))
    with store.session(principal="test") as session:
        unit, user = session.add_one(Unit(name="Root")), session.add_one(User(login="li", name="Li"))
        organisation.join(session, user, unit, role="reader", since_always=True)
    with store.session("li") as session:
        with pytest.raises(PermissionDenied):
            put_away(session, BEFORE)
        session.rollback()
    assert left(store) == {id_}


def test_who_sees_a_part_puts_away_a_part_and_is_told_of_no_other(store, clock):
    from crm_core.domain import organisation
    from crm_core.domain.organisation import Unit, User
    from crm_core.domain.ownership import Ownership

    mine, series, whole, paid, theirs = (add(store, clock) for _ in range(5))
    own = [(f"activity.{verb}", Scope.OWN) for verb in ("read", "delete")]
    store.policy.roles["sales"] = Role("sales", (("account.read", Scope.OWN), *own))
    with store.session(principal="test") as session:
        unit, user = session.add_one(Unit(name="Root")), session.add_one(User(login="li", name="Li"))
        organisation.join(session, user, unit, role="sales", since_always=True)
        for id_ in (mine, series, whole, paid):
            account = session.require(Activity, id_).account_id
            session.add(Ownership(account_id=account, user_id=user.id, valid_from=EPOCH))
        hidden = session.require(Activity, theirs).account_id
        for account, head in ((hidden, series), (session.require(Activity, mine).account_id, whole)):
            session.add(Activity(kind="call", subject="later", account_id=account, series_id=head))
        session.add(Expense(activity_id=paid, what="train"))  # of a type of which Li may see nothing
    with store.session("li", read_only=True) as session:
        done = put_away(session, BEFORE, dry_run=True)
        assert done.activities == 1
        assert [each.text() for each in done.kept] == [
            f"activity {series}: records that you do not see refer to it.",
            f"activity {whole}: records of type activity refer to it.",
            f"activity {paid}: records that you do not see refer to it.",
        ]
    with store.session("li") as session:
        assert put_away(session, BEFORE).activities == 1
    assert mine not in left(store) and theirs in left(store)


def test_they_go_with_the_part_of_the_journal_that_they_are_in_and_come_back_with_it(store, clock, tmp_path):
    if store.dialect == "sqlite":
        pytest.skip("SQLite keeps the journal in one table")
    id_ = add(store, clock)
    before = there(store)
    _, change_set = away(store)
    later = clock.turn(days=10)
    keeping.begin(store)
    store._ids = ids.IdPool()
    with store.session(principal="test") as session:
        session.add(Account(name="Later"))
    detach(store, later, to=tmp_path)
    with store.engine.connect() as connection:
        assert not [row for row in connection.exec_driver_sql("SELECT * FROM crm_change") if "day 10" in str(row)]
    attach(store, 0)
    with store.session(principal="test") as session:
        session.undo(change_set)
    assert there(store).keys() == before.keys() and left(store) == {id_}


def test_a_plan_that_was_cancelled_is_put_away_as_well(store, clock):
    id_ = add(store, clock, Status.PLANNED)
    clock.now = EPOCH + dt.timedelta(days=20)
    with store.session(principal="test") as session:
        activities.cancel(session, session.get(Activity, id_))
    clock.now = NOW
    assert away(store)[0].activities == 1
