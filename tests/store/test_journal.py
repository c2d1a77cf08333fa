from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import delete, select, update

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Contact
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import Conflict, CrmError, ValidationError
from crm_core.fields import Address, Money
from crm_core.store.journal import Entry, coalesce
from crm_core.store.policy import Role, Scope
from crm_core.store.store import Store
from tests.store import journal_support as support


@pytest.fixture
def store(database_url, fill_database):
    fill_database(support.make_tables)
    with support.reopened(database_url) as store:
        yield store


def account(store: Store, **values):
    with store.session(principal="test") as session:
        return session.add_one(Account(**{"name": "Acme", **values})).id


def the_change(store: Store):
    """Before and after of the last change set's only change."""
    last = support.heads(store)[-1].id
    (row,) = support.changes(store, last)
    return row.operation, *support.decoded(store, row)


def test_one_head_says_who_when_and_why(store):
    with store.session(principal="import", reason="from the old system", source="import") as session:
        session.add(Account(name="Acme"))
        session.add_many(Account, [{"name": "Bolt"}, {"name": "Cog"}])
        assert session.last_change_set is None
    (head,) = support.heads(store)
    assert (head.principal, head.user_id, head.reason, head.source) == (
        "import", None, "from the old system", "import",
    )  # fmt: skip
    assert head.id == session.last_change_set
    assert abs(head.at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert [row.position for row in support.changes(store)] == [0, 1, 2]


def test_a_user_is_named_with_login_and_id(database_url):
    roles = {"boss": Role("boss", (("*", Scope.ALL),))}
    with support.opened(database_url, roles=roles) as store:
        with store.session(principal="init") as session:
            unit = session.add_one(Unit(name="Root"))
            user = session.add_one(User(login="li.wei", name="李伟"))
            session.add(Membership(user_id=user.id, unit_id=unit.id, role="boss"))
        with store.session("li.wei", reason="fair") as session:
            session.add(Account(name="Acme"))
        head = support.heads(store)[-1]
        assert (head.principal, head.user_id, head.reason) == ("li.wei", user.id, "fair")


def test_without_changes_there_is_no_change_set(store):
    with store.session(principal="test") as session:
        session.scalars(select(Account)).all()
        assert session.update_many(Account, []) == 0
    assert support.heads(store) == []
    assert session.last_change_set is None


def test_what_is_rolled_back_is_not_journalled(store):
    with pytest.raises(RuntimeError), store.session(principal="test") as session:
        session.add(Account(name="Acme"))
        session.add_many(Account, [{"name": "Bolt"}])
        session.flush()
        raise RuntimeError
    assert support.heads(store) == []
    assert support.changes(store) == []
    assert support.state(store) == {}


def test_a_creation_names_what_is_filled(store):
    id_ = account(store, revenue=Money("1.50", "CNY"), address=Address(city="上海"))
    with store.session(principal="test") as session:
        (many,) = session.add_many(
            Account, [{"name": "Acme", "revenue": Money("1.50", "CNY"), "address": Address(city="上海")}]
        )
    one, other = (support.decoded(store, row)[1] for row in support.changes(store))
    assert one == other == support.state(store)["account", id_] == support.state(store)["account", many]


def test_an_update_names_only_what_really_changes(store):
    id_ = account(store, grade="A", industry="machinery")
    with store.session(principal="test") as session:
        record = session.get(Account, id_)
        record.grade, record.industry, record.note = "B", "machinery", None
    assert the_change(store) == ("update", {"grade": "A"}, {"grade": "B"})
    with store.session(principal="test") as session:
        assert session.update_many(Account, [{"id": id_, "grade": "C", "industry": "machinery", "note": None}]) == 1
    assert the_change(store) == ("update", {"grade": "B"}, {"grade": "C"})


@pytest.mark.parametrize("expired", [False, True])
def test_no_net_change_leaves_no_trace(store, expired):
    id_ = account(store, grade="A", revenue=Money(1, "CNY"))
    with store.session(principal="test") as session:
        record = session.get(Account, id_)
        if expired:
            session.expire(record)
        record.grade, record.revenue = "A", Money("1.00", "CNY")
    with store.session(principal="test") as session:
        assert session.update_many(Account, [{"id": id_, "grade": "A"}]) == 0
        record = session.get(Account, id_)
        record.grade = "B"
        session.flush()
        record.grade = "A"
    assert len(support.heads(store)) == 1
    if expired:
        with store.session(principal="test") as session:
            assert session.get(Account, id_).version == 3  # there and back, but not for assigning what was there


def test_fields_that_went_there_and_back_are_left_out(store):
    id_ = account(store, grade="A")
    with store.session(principal="test") as session:
        record = session.get(Account, id_)
        record.grade, record.industry = "B", "machinery"
        session.flush()
        record.grade = "A"
    assert the_change(store) == ("update", {"industry": None}, {"industry": "machinery"})


def test_several_changes_of_a_record_are_one(store):
    id_ = account(store, grade="A")
    with store.session(principal="test") as session:
        record = session.get(Account, id_)
        record.grade = "B"
        session.flush()
        session.update_many(Account, [{"id": id_, "grade": "C", "note": "x"}])
        session.execute(update(Account).where(Account.id == id_).values(note="y"))
    assert the_change(store) == ("update", {"grade": "A", "note": None}, {"grade": "C", "note": "y"})
    assert support.changes(store)[-1].version == 4


def test_created_and_changed_is_created(store):
    with store.session(principal="test") as session:
        record = session.add_one(Account(name="Acme"))
        session.flush()
        record.name = "Bolt"
    operation, before, after = the_change(store)
    assert (operation, before, after["name"]) == ("create", {}, "Bolt")


def test_created_and_deleted_is_nothing(store):
    with store.session(principal="test") as session:
        record = session.add_one(Account(name="Acme"))
        session.flush()
        session.delete(record)
    assert support.heads(store) == []


def test_changed_and_deleted_is_deleted_as_it_was(store):
    id_ = account(store, grade="A", note="n")
    before = support.state(store)["account", id_]
    with store.session(principal="test") as session:
        session.get(Account, id_).grade = "B"
        session.flush()
        session.delete_many(Account, [id_])
    assert the_change(store)[0] == "delete"
    assert support.declared_values(the_change(store)[1]) == before
    assert support.replay(store) == {}


def test_a_deletion_leaves_out_what_was_absent(store):
    id_ = account(store)
    with store.session(principal="test") as session:
        session.delete(session.get(Account, id_))
    _, before, _ = the_change(store)
    assert None not in before.values()
    assert before["name"] == "Acme"


def test_deleted_and_made_again_is_an_update_of_the_difference(store):
    id_ = account(store, grade="A", note="n")
    with store.session(principal="test") as session:
        session.delete_many(Account, [id_])
        session.add_many(Account, [{"id": id_, "name": "Acme", "grade": "B"}])
    assert the_change(store) == ("update", {"grade": "A", "note": "n"}, {"grade": "B", "note": None})
    with store.session(principal="test") as session:
        session.update_many(Account, [{"id": id_, "custom": {"colour": "red", "size": "1"}}])
    with store.session(principal="test") as session:
        session.delete_many(Account, [id_])
        session.add_many(Account, [{"id": id_, "name": "Acme", "grade": "B", "custom": {"size": "2"}}])
    assert the_change(store) == (
        "update", {"custom": {"colour": "red", "size": "1"}}, {"custom": {"colour": None, "size": "2"}}
    )  # fmt: skip


@pytest.mark.parametrize("name", ["revenue", "note", "tags", "address", "employees"])
def test_old_values_of_expired_records_are_right(store, name):
    values = {
        "revenue": Money(5, "CNY"), "note": "old", "tags": frozenset({"a"}),
        "address": Address(city="上海", street="x"), "employees": 7,
    }  # fmt: skip
    id_ = account(store, **values)
    with store.session(principal="test") as session:
        record = session.get(Account, id_)
        session.expire(record)
        setattr(record, name, values[name].__class__() if name == "tags" else None)
    _, before, after = the_change(store)
    assert before == {name: values[name]}
    assert after == {name: frozenset() if name == "tags" else None}


def test_old_values_of_a_closed_field_are_right(database_url):
    roles = {"clerk": Role("clerk", (("activity.update", Scope.ALL), ("*.read", Scope.ALL)))}
    with support.opened(database_url, roles=roles) as store:
        with store.session(principal="init") as session:
            unit, user = session.add_one(Unit(name="Root")), session.add_one(User(login="li", name="Li"))
            session.add(Membership(user_id=user.id, unit_id=unit.id, role="clerk"))
            id_ = session.add_one(Activity(kind="call", subject="x", note="secret")).id
        with store.session("li") as session:
            session.get(Activity, id_).note = "overwritten unread"
        assert the_change(store) == ("update", {"note": "secret"}, {"note": "overwritten unread"})


def test_custom_fields_are_journalled_name_by_name(store):
    with store.session(principal="test") as session:
        (id_,) = session.add_many(Account, [{"name": "Acme", "custom": {"colour": "red", "size": None}}])
    assert the_change(store)[2]["custom"] == {"colour": "red"}
    with store.session(principal="test") as session:
        session.update_many(Account, [{"id": id_, "custom": {"size": "1.5"}}])
    assert the_change(store) == ("update", {"custom": {"size": None}}, {"custom": {"size": "1.5"}})
    with store.session(principal="test") as session:
        record = session.get(Account, id_)
        record.custom = {**record.custom, "colour": "blue"}
        session.flush()
        record.custom = {"colour": "blue", "since": "2026-01-01"}
        session.flush()
        session.update_many(Account, [{"id": id_, "custom": {"since": "2026-01-02"}}])
    assert the_change(store) == (
        "update",
        {"custom": {"colour": "red", "size": "1.5", "since": None}},
        {"custom": {"colour": "blue", "size": None, "since": "2026-01-02"}},
    )
    assert support.state(store)["account", id_]["custom"] == {"colour": "blue", "since": "2026-01-02"}
    with store.session(principal="test") as session:
        session.get(Account, id_).custom = {"colour": "blue", "since": "2026-01-02", "size": None}
    assert len(support.heads(store)) == 3, "an absent custom field is no change"
    with store.session(principal="test") as session:
        session.update_many(Account, [{"id": id_, "custom": {"colour": "green"}}])
        session.delete_many(Account, [id_])
    assert the_change(store)[1]["custom"] == {"colour": "blue", "since": "2026-01-02"}
    assert support.replay(store) == {}


def test_held_records_show_what_was_changed_in_bulk(store):
    id_ = account(store, grade="A", note="n")
    with store.session(principal="test") as session:
        held = session.get(Account, id_)
        held.custom = {"colour": "red", "size": "1"}
        session.flush()
        session.update_many(Account, [{"id": id_, "grade": "B", "note": "n2", "custom": {"size": "1.5"}}])
        assert (held.grade, held.note, held.version) == ("B", "n2", 3)
        assert held.custom == {"colour": "red", "size": "1.5"}
    assert support.state(store)["account", id_]["custom"] == {"colour": "red", "size": "1.5"}


def test_a_savepoint_that_is_rolled_back_takes_only_its_own_changes(store):
    with store.session(principal="test") as session:
        first = session.add_one(Account(name="before"))
        with pytest.raises(RuntimeError), session.begin_nested():
            session.add(Account(name="within"))
            session.get(Account, first.id).grade = "A"
            session.flush()
            raise RuntimeError
        with session.begin_nested():
            session.add(Contact(name="kept"))
        session.add(Account(name="after"))
    assert {values["name"] for values in support.state(store).values()} == {"before", "kept", "after"}
    assert support.replay(store) == support.state(store)


def test_nested_savepoints(store):
    with store.session(principal="test") as session:
        outer = session.begin_nested()
        session.add(Account(name="outer"))
        inner = session.begin_nested()
        session.add(Account(name="inner"))
        inner.commit()
        lost = session.begin_nested()
        session.add(Account(name="lost"))
        lost.rollback()
        outer.commit()
        gone = session.begin_nested()
        session.add(Account(name="gone"))
        deeper = session.begin_nested()
        session.add(Account(name="deeper"))
        deeper.commit()
        gone.rollback()
    assert {values["name"] for values in support.state(store).values()} == {"outer", "inner"}
    assert support.replay(store) == support.state(store)


def test_nothing_but_a_lost_savepoint_leaves_no_head(store):
    with store.session(principal="test", streaming=True) as session:
        savepoint = session.begin_nested()
        session.add_many(Account, ({"name": f"n{number}"} for number in range(1500)))
        savepoint.rollback()
    assert support.heads(store) == []
    assert support.changes(store) == []


def test_streaming_within_a_lost_savepoint_keeps_what_was_before(store):
    with store.session(principal="test", streaming=True) as session:
        session.add_many(Account, [{"name": "before"}])
        savepoint = session.begin_nested()
        session.add_many(Account, ({"name": f"n{number}"} for number in range(1500)))
        savepoint.rollback()
        session.add_many(Account, [{"name": "after"}])
        savepoint = session.begin_nested()
        session.add_many(Account, ({"name": f"k{number}"} for number in range(1100)))
        savepoint.commit()
    assert support.replay(store) == support.state(store)
    assert len(support.state(store)) == 1102


def test_streaming_writes_the_journal_on_the_way(store):
    with store.session(principal="test", streaming=True) as session:
        session.add_many(Account, ({"name": f"n{number}"} for number in range(2500)))
        assert len(session.writer.log) < 1000
    assert len(support.heads(store)) == 1
    assert support.replay(store) == support.state(store)


def test_a_refused_record_can_be_mended_and_written(store):
    """A flush that was refused before anything was written must not be remembered as having happened."""
    user_id, id_ = None, account(store)
    with store.session(principal="test") as session:
        session.get(Account, id_).grade = "B"
        session.add(Account(name="new"))
        bad = session.add_one(Activity(kind="call", subject="s", user_id=10**9))
        with pytest.raises(CrmError):
            session.flush()
        bad.user_id = user_id
    operations = sorted(row.operation for row in support.changes(store, session.last_change_set))
    assert operations == ["create", "create", "update"]
    assert support.replay(store) == support.state(store)


def test_two_rows_for_one_record_in_update_many_both_count(store):
    id_ = account(store)
    with store.session(principal="test") as session:
        session.update_many(Account, [{"id": id_, "grade": "A"}, {"id": id_, "note": "n"}])
    assert the_change(store)[2] == {"grade": "A", "note": "n"}


def test_update_many_needs_the_id(store):
    with store.session(principal="test") as session, pytest.raises(ValidationError, match="id"):
        session.update_many(Account, [{"grade": "A"}])


def test_a_taken_id_is_a_conflict_in_bulk_too(store):
    id_ = account(store)
    for count in (0, 50):  # few rows go by INSERT, many by COPY
        with store.session(principal="test") as session:
            with pytest.raises(Conflict):
                session.add_many(Account, [{"name": "x", "id": id_}, *({"name": "y"} for _ in range(count))])
            session.rollback()


def test_criteria_are_journalled_row_by_row(store):
    with store.session(principal="test") as session:
        ids = session.add_many(Account, ({"name": f"n{number}", "grade": "A"} for number in range(5)))
    with store.session(principal="test") as session:
        session.execute(update(Account).where(Account.name.in_(["n1", "n2"])).values(grade="B"))
    assert {row.record_id for row in support.changes(store, session.last_change_set)} == {ids[1], ids[2]}
    with store.session(principal="test") as session:
        session.execute(delete(Account).where(Account.grade == "B"))
    assert {row.record_id for row in support.changes(store, session.last_change_set)} == {ids[1], ids[2]}
    assert support.replay(store) == support.state(store)


def test_times_of_change_sets_never_run_backwards(store, monkeypatch):
    account(store)
    (first,) = support.heads(store)
    past = first.at - dt.timedelta(hours=1)
    with store.session(principal="test") as session:
        monkeypatch.setattr(session, "clock", lambda: past)
        session.add(Account(name="the clock was set back"))
    one, other = support.heads(store)
    assert other.at >= one.at


def test_records_in_hand_show_what_was_written_in_bulk(store):
    id_ = account(store, grade="A", revenue=Money(1, "CNY"), address=Address(city="上海"))
    with store.session(principal="test") as session:
        record = session.get(Account, id_)
        record.note = "pending"
        session.update_many(
            Account,
            [{"id": id_, "grade": "B", "revenue": Money(2, "EUR"), "custom": {"colour": "red"}, "address": None}],
        )
        assert (record.grade, record.revenue, record.custom) == ("B", Money(2, "EUR"), {"colour": "red"})
        assert (record.address, record.note, record.version) == (None, "pending", 3)
        record.grade = "C"
    assert record.grade == "C"
    assert support.replay(store) == support.state(store)


def test_an_update_that_changes_nothing_is_no_entry():
    nothing = Entry(None, "account", 1, "update", {}, {}, 2)
    change = Entry(None, "account", 2, "update", {"a": 1}, {}, 2)
    assert coalesce([nothing, change]) == [change]
    assert coalesce([nothing, change, nothing]) == [change]
