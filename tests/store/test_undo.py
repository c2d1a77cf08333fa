from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Participant
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership
from crm_core.errors import NotFound, PermissionDenied, UndoConflict
from crm_core.fields import Money
from crm_core.store.policy import Role, Scope
from crm_core.store.store import Store
from tests.store import journal_support as support
from tests.store.journal_support import Machine, Note, Part, Rating


@pytest.fixture
def store(database_url, fill_database):
    fill_database(support.make_tables)
    with support.reopened(database_url) as store:
        yield store


def done(store: Store, work) -> int:
    """What ``work`` does, as one change set."""
    with store.session(principal="test") as session:
        work(session)
    assert session.last_change_set is not None
    return session.last_change_set


def undone(store: Store, change_set: int):
    with store.session(principal="test") as session:
        report = session.undo(change_set)
    return report, session.last_change_set


def one(store: Store, **values) -> int:
    with store.session(principal="test") as session:
        return session.add_one(Account(**{"name": "Acme", "grade": "A", **values})).id


def refused(store: Store, change_set: int) -> list[str]:
    before = support.state(store)
    with store.session(principal="test") as session:
        report = session.undo(change_set, dry_run=True)
        assert support.state(store) == before
        with pytest.raises(UndoConflict) as caught:
            session.undo(change_set)
    assert support.state(store) == before
    assert session.last_change_set is None
    assert [str(each) for each in caught.value.problems] == [str(each) for each in report.conflicts]
    return [str(each) for each in report.conflicts]


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "set", "bulk", "criteria", "custom", "delete", "part", "rating", "spare", "flush"]),
        st.integers(0, 6), st.sampled_from(["A", "B", None]), st.integers(0, 4),
    ),
    max_size=8,
)  # fmt: skip


def perform(store: Store, operations) -> int | None:
    with store.session(principal="test") as session:
        for operation, which, grade, number in operations:
            session.flush()
            ids = sorted(session.core(Account.crm_type.table.select()).scalars())
            if operation == "add" or not ids:
                session.add(Account(name=f"n{number}", grade=grade))
                continue
            id_ = ids[which % len(ids)]
            account = session.get(Account, id_)
            if operation == "set":
                account.grade, account.revenue = grade, Money(number, "CNY") if number else None
            elif operation == "bulk":
                session.update_many(Account, [{"id": id_, "grade": grade, "tags": {"t" * (number + 1)}}])
            elif operation == "criteria":
                session.execute(update(Account).where(Account.id <= id_).values(grade=grade))
            elif operation == "custom":
                session.update_many(Account, [{"id": id_, "custom": {"colour": grade, "size": str(number)}}])
            elif operation == "delete":
                session.delete(account)
            elif operation == "part":
                machine = session.add_one(Machine(account_id=id_, name=f"m{number}", readings=[number, {"a": None}]))
                session.add(Part(account_id=ids[0], machine_id=machine.id, name="p"))
            elif operation == "rating" and session.get(Rating, id_) is None:
                rating = Rating(stars=number)
                rating.id = id_
                session.add(rating)
            elif operation == "spare":
                session.add(Machine(account_id=ids[0], name="s", spare_for_id=id_, weight=number))
    return session.last_change_set


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(before=OPERATIONS, operations=OPERATIONS)
def test_undoing_what_was_done_changes_nothing(store, before, operations):
    support.clear(store)
    perform(store, before)
    start = support.state(store)
    change_set = perform(store, operations)
    there = support.state(store)
    assert support.replay(store) == there
    if change_set is None:
        return
    with store.session(principal="test") as session:
        assert not session.undo(change_set, dry_run=True).conflicts
    assert support.state(store) == there
    _, back = undone(store, change_set)
    assert support.state(store) == start
    assert support.replay(store) == start
    _, again = undone(store, back)
    assert support.state(store) == there
    undone(store, again)
    assert support.state(store) == start
    assert support.replay(store) == start


def test_an_undo_is_undone_where_what_came_back_referred_to_each_other(store):
    """Taking away the one empties the reference of the other, which is nobody's change."""
    with store.session(principal="test") as session:
        owner, spare = (session.add_one(Account(name=name)).id for name in ("owner", "spare"))
        session.flush()
        session.add(Machine(account_id=owner, name="m", spare_for_id=spare))
    there = support.state(store)

    def work(session):
        session.delete_many(Account, [spare])
        session.delete_many(Account, [owner])

    _, back = undone(store, done(store, work))
    assert support.state(store) == there
    _, again = undone(store, back)
    assert support.state(store) == {}
    undone(store, again)
    assert support.state(store) == there


def test_the_report_counts_and_the_head_says_what_was_undone(store):
    kept = one(store)

    def work(session):
        session.add_many(Account, [{"name": "x"}, {"name": "y"}])
        session.update_many(Account, [{"id": kept, "grade": "B"}])

    change_set = done(store, work)
    report, undo = undone(store, change_set)
    assert (report.deleted, report.reverted, report.restored, report.total) == ({"account": 2}, {"account": 1}, {}, 3)
    head = support.heads(store)[-1]
    assert (head.id, head.undoes, head.source) == (undo, change_set, "undo")
    report, _ = undone(store, undo)
    assert report.restored == {"account": 2}


def test_versions_and_stamps_go_on(store):
    id_ = one(store)
    with store.session(principal="test") as session:
        before = session.writer.rows(Account.crm_type, [id_])[id_]
    deleted = done(store, lambda session: session.delete_many(Account, [id_]))
    undone(store, deleted)
    with store.session(principal="test") as session:
        record = session.get(Account, id_)
        assert record.version == before["version"] + 2
        assert record.created_at == before["created_at"]
        assert record.updated_at > before["created_at"]


def test_cascades_are_restored_whole(store):
    def build(session):
        account = session.add_one(Account(name="Acme"))
        other = session.add_one(Account(name="other"))
        contact = session.add_one(Contact(name="单小姐"))
        session.add(Affiliation(account_id=account.id, contact_id=contact.id, role="buyer"))
        activity = session.add_one(Activity(kind="visit", subject="s", account_id=account.id, contact_id=contact.id))
        session.add(Activity(kind="visit", subject="next", account_id=account.id, series_id=activity.id))
        session.add(Participant(activity_id=activity.id, contact_id=contact.id))
        first = session.add_one(Machine(account_id=account.id, name="m", spare_for_id=other.id))
        session.add(Machine(account_id=account.id, name="built for it", built_for_id=first.id))
        session.add(Machine(account_id=other.id, name="spare", spare_for_id=account.id, built_for_id=first.id))
        session.add(Part(account_id=other.id, machine_id=first.id, name="p"))

    done(store, build)
    start = support.state(store)
    accounts = [id_ for (name, id_), values in start.items() if name == "account" and values["name"] == "Acme"]
    deleted = done(store, lambda session: session.delete_many(Account, accounts))
    assert {name for name, _ in support.state(store)} == {"account", "contact", "journal_test.machine"}
    undone(store, deleted)
    assert support.state(store) == start


def test_a_child_that_was_changed_before_its_parent_went(store):
    def build(session):
        machine = session.add_one(Machine(account_id=session.add_one(Account(name="Acme")).id, name="m"))
        session.add(Part(account_id=machine.account_id, machine_id=machine.id, name="p"))

    done(store, build)
    start = support.state(store)
    (account,) = [id_ for name, id_ in start if name == "account"]

    def work(session):
        session.execute(update(Account).values(grade="B"))
        session.flush()
        session.execute(update(Part).values(name="changed"))
        session.delete_many(Account, [account])

    deleted = done(store, work)
    undone(store, deleted)
    assert support.state(store) == start


def test_a_later_change_of_the_same_field_is_a_conflict(store):
    id_ = one(store)
    change_set = done(store, lambda session: session.update_many(Account, [{"id": id_, "grade": "B", "note": "n"}]))
    done(store, lambda session: session.update_many(Account, [{"id": id_, "grade": "C"}]))
    assert refused(store, change_set) == [f"account {id_}: grade was changed since."]


def test_a_later_change_of_another_field_is_none(store):
    id_ = one(store)
    change_set = done(store, lambda session: session.update_many(Account, [{"id": id_, "grade": "B"}]))
    done(store, lambda session: session.update_many(Account, [{"id": id_, "note": "later"}]))
    undone(store, change_set)
    assert support.state(store)["account", id_]["grade"] == "A"
    assert support.state(store)["account", id_]["note"] == "later"


def test_what_somebody_took_back_already_is_no_conflict(store):
    id_ = one(store)
    change_set = done(store, lambda session: session.update_many(Account, [{"id": id_, "grade": "B", "note": "n"}]))
    done(store, lambda session: session.update_many(Account, [{"id": id_, "grade": "A"}]))
    undone(store, change_set)
    assert "note" not in support.state(store)["account", id_]


def test_custom_fields_conflict_one_by_one(store):
    id_ = one(store)
    first = done(store, lambda s: s.update_many(Account, [{"id": id_, "custom": {"colour": "red", "size": "1"}}]))
    second = done(store, lambda s: s.update_many(Account, [{"id": id_, "custom": {"size": "2"}}]))
    assert refused(store, first) == [f"account {id_}: size was changed since."]
    undone(store, second)
    undone(store, first)
    assert "custom" not in support.state(store)["account", id_]


def test_a_created_record_with_later_changes_is_a_conflict(store):
    id_ = one(store)
    created = support.heads(store)[-1].id
    done(store, lambda s: s.update_many(Account, [{"id": id_, "custom": {"colour": "red"}, "note": "n"}]))
    assert refused(store, created) == [
        f"account {id_}: custom was changed since.", f"account {id_}: note was changed since.",
    ]  # fmt: skip


def test_later_dependants_are_conflicts(store):
    id_ = one(store)
    created = support.heads(store)[-1].id
    other = one(store)

    def hang(session):
        hanging = session.add_one(Machine(account_id=id_, name="m"))
        referring = session.add_one(Machine(account_id=other, name="s", spare_for_id=id_))
        return hanging.id, referring.id

    with store.session(principal="test") as session:
        hanging, referring = hang(session)
    assert refused(store, created) == [
        f"journal_test.machine {hanging}: it hangs on what would go.",
        f"journal_test.machine {referring}: it refers to what would go.",
    ]


def test_a_later_dependant_that_forbids_is_a_conflict(store):
    with store.session(principal="test") as session:
        user = session.add_one(User(login="li", name="Li")).id
    created = session.last_change_set
    account = one(store)
    done(store, lambda session: session.add(Ownership(account_id=account, user_id=user)))
    assert refused(store, created) == [f"user {user}: records of type ownership refer to it."]


def test_what_was_deleted_since_is_a_conflict(store):
    id_ = one(store)
    change_set = done(store, lambda session: session.update_many(Account, [{"id": id_, "grade": "B"}]))
    done(store, lambda session: session.delete_many(Account, [id_]))
    assert refused(store, change_set) == [f"account {id_}: it was deleted since."]


def test_what_exists_again_is_a_conflict(store):
    id_ = one(store)
    deleted = done(store, lambda session: session.delete_many(Account, [id_]))
    done(store, lambda session: session.add_many(Account, [{"id": id_, "name": "again"}]))
    assert refused(store, deleted) == [f"account {id_}: a record with this id exists again."]


def test_what_its_reference_lost_is_a_conflict(store):
    account, other = one(store), one(store)
    with store.session(principal="test") as session:
        machine = session.add_one(Machine(account_id=account, name="m", spare_for_id=other)).id
    deleted = done(store, lambda session: session.delete_many(Machine, [machine]))
    emptied = done(store, lambda session: session.delete_many(Account, [account, other]))
    assert sorted(refused(store, deleted)) == [
        f"journal_test.machine {machine}: account_id: the account {account} is gone.",
        f"journal_test.machine {machine}: spare_for_id: the account {other} is gone.",
    ]
    undone(store, emptied)
    undone(store, deleted)


def test_what_its_changed_reference_lost_is_a_conflict(store):
    account, other, third = one(store), one(store), one(store)
    with store.session(principal="test") as session:
        machine = session.add_one(Machine(account_id=account, name="m", spare_for_id=other)).id
    moved = done(store, lambda session: session.update_many(Machine, [{"id": machine, "spare_for_id": third}]))
    done(store, lambda session: session.delete_many(Account, [other]))
    assert refused(store, moved) == [f"journal_test.machine {machine}: spare_for_id: the account {other} is gone."]


def test_two_owners_at_once_are_a_conflict(store):
    account = one(store)
    with store.session(principal="test") as session:
        users = [session.add_one(User(login=f"u{number}", name="U")).id for number in range(2)]
        first = session.add_one(Ownership(account_id=account, user_id=users[0])).id
    end = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    ended = done(store, lambda session: session.update_many(Ownership, [{"id": first, "valid_to": end}]))
    done(store, lambda session: session.add(Ownership(account_id=account, user_id=users[1], valid_from=end)))
    (message,) = refused(store, ended)
    assert message.startswith(f"The account Acme ({account}) is owned by u1 since 2025-01-01 00:00. Take back first")
    assert "--to u0 --reason TEXT." in message


def test_nothing_is_undone_twice_but_again_and_again(store):
    change_set = done(store, lambda session: session.add(Account(name="Acme")))
    _, back = undone(store, change_set)
    with store.session(principal="test") as session, pytest.raises(UndoConflict, match="already undone"):
        session.undo(change_set)
    _, again = undone(store, back)
    assert len(support.state(store)) == 1
    _, third = undone(store, change_set)
    assert support.state(store) == {}
    with store.session(principal="test") as session, pytest.raises(UndoConflict, match=f"already undone by {third}"):
        session.undo(change_set)
    with store.session(principal="test") as session, pytest.raises(UndoConflict, match="already undone"):
        session.undo(back)
    assert again != third


def test_one_session_undoes_one_change_set(store):
    first = done(store, lambda session: session.add(Note(name="a")))
    second = done(store, lambda session: session.add(Note(name="b")))
    with store.session(principal="test") as session:
        session.undo(first)
        with pytest.raises(UndoConflict, match="Commit it"):
            session.undo(second)
        session.commit()
        session.undo(second)
        session.commit()
        session.add(Note(name="c"))
    heads = support.heads(store)[-3:]
    assert [(head.undoes, head.source) for head in heads] == [(first, "undo"), (second, "undo"), (None, "session")]


def test_there_must_be_such_a_change_set(store):
    with store.session(principal="test") as session, pytest.raises(NotFound, match="no change set 99"):
        session.undo(99)


def test_ones_own_change_sets_or_the_permission(database_url):
    roles = {
        "seller": Role("seller", (("account.*", Scope.OWN),)),
        "admin": Role("admin", (("*", Scope.ALL),)),
    }
    with support.opened(database_url, roles=roles) as store:
        with store.session(principal="init") as session:
            unit = session.add_one(Unit(name="Root"))
            for login, role in (("li", "seller"), ("wang", "seller"), ("admin", "admin")):
                user = session.add_one(User(login=login, name=login))
                session.add(Membership(user_id=user.id, unit_id=unit.id, role=role))
        with store.session("li") as session:
            id_ = session.add_one(Account(name="Acme")).id
        with store.session("li") as session:
            session.get(Account, id_).grade = "B"
        change_set = session.last_change_set
        with store.session("wang") as session, pytest.raises((NotFound, PermissionDenied)):
            session.undo(change_set)
        with store.session("li") as session:
            assert session.undo(change_set).reverted == {"account": 1}
        mine = session.last_change_set
        with store.session("admin") as session:
            assert session.undo(mine).reverted == {"account": 1}


def test_a_large_change_set_is_undone_in_batches(store):
    with store.session(principal="test", streaming=True) as session:
        ids = session.add_many(Account, ({"name": f"n{number}"} for number in range(6000)))
        session.update_many(Account, ({"id": id_, "grade": "B"} for id_ in ids[:3000]))
    change_set = session.last_change_set
    with store.session(principal="test") as session:
        report = session.undo(change_set)
        assert len(session.writer.log) < 1000, "the journal is written on the way"
    assert report.deleted == {"account": 6000}
    assert support.state(store) == {}
    assert support.replay(store) == {}
    undone(store, session.last_change_set)
    assert len(support.state(store)) == 6000


@pytest.mark.parametrize("way", ["changed", "deleted"])
def test_a_choice_that_is_withdrawn_since_comes_back(store, way):
    with store.session(principal="init") as session:
        id_ = session.add_one(Activity(subject="Call", kind="call", planned_start=session.now)).id
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE crm_activity SET status = 'dreamt'")

    def work(session):
        if way == "changed":
            session.require(Activity, id_).status = "held"
        else:
            session.delete_many(Activity, [id_])

    change_set = done(store, work)
    with store.session(principal="test") as session:
        session.undo(change_set)
    with store.engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT status FROM crm_activity").scalar() == "dreamt"
