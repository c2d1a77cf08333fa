from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select, text

from crm_core.domain.accounts import Account
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Unit, User
from crm_core.domain.ownership import Ownership
from crm_core.errors import Conflict, UndoConflict
from crm_core.fields import Money
from crm_core.records import Types
from crm_core.store.dependants import RAW
from crm_core.store.history import history
from crm_core.store.policy import Policy
from crm_core.store.store import Store
from tests.store import journal_support as support
from tests.store.journal_support import Machine, Note, Part, Rating


@pytest.fixture
def store(database_url, fill_database):
    fill_database(support.make_tables)
    with support.reopened(database_url) as store:
        yield store


@pytest.fixture
def without_plugin(store, database_url):
    """The same database in a build that lacks the plugin."""
    other = Store(database_url, support.kernel_types(), Policy())
    yield other
    other.close()


def build(store: Store) -> dict[str, int]:
    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Acme"))
        other = session.add_one(Account(name="other"))
        rating = Rating(stars=3, remark="好")
        rating.id = account.id
        session.add(rating)
        machine = session.add_one(
            Machine(
                account_id=account.id, name="m", price=Money("12345678901234.5678", "CNY"), weight=None,
                labels={"a", "二"}, readings={"x": [1, 1e23, None, "文"]},
            )
        )  # fmt: skip
        part = session.add_one(Part(account_id=account.id, machine_id=machine.id, name="p"))
        spare = session.add_one(Machine(account_id=other.id, name="s", spare_for_id=account.id))
        session.add(ExternalRef(system="erp", record_type="account", key="7", record_id=account.id))
        session.add(ExternalRef(system="erp", record_type="part", key="8", record_id=part.id))
    return {"account": account.id, "other": other.id, "machine": machine.id, "part": part.id, "spare": spare.id}


def operations(store: Store) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in support.changes(store, support.heads(store)[-1].id):
        found[row.type, row.operation] = found.get((row.type, row.operation), 0) + 1
    return found


GONE = {
    ("account", "delete"): 1, ("external_ref", "delete"): 2, ("journal_test.machine", "delete"): 1,
    ("journal_test.machine", "update"): 1, ("journal_test.part", "delete"): 1, ("journal_test.rating", "delete"): 1,
}  # fmt: skip


@pytest.mark.parametrize("way", ["orm", "many"])
def test_all_that_hangs_on_a_record_goes_with_it_and_is_journalled(store, way):
    ids = build(store)
    with store.session(principal="test") as session:
        if way == "orm":
            session.delete(session.get(Account, ids["account"]))
        else:
            assert session.delete_many(Account, [ids["account"]]) == 6
    assert operations(store) == GONE
    assert support.replay(store) == support.state(store)
    assert "spare_for_id" not in support.state(store)["journal_test.machine", ids["spare"]]


def test_the_databases_own_cascades_never_fire(store):
    """Every row that goes is deleted by a statement of ours: each fires while its parents still stand."""
    ids = build(store)
    sqlite = store.dialect == "sqlite"
    with store.engine.begin() as connection:
        connection.execute(text("CREATE TABLE orphaned (what text)"))
        for child, column, parent in (
            ("journal_test__machine", "account_id", "crm_account"),
            ("journal_test__part", "account_id", "crm_account"),
            ("journal_test__part", "machine_id", "journal_test__machine"),
            ("journal_test__rating", "id", "crm_account"),
        ):
            missing = f"NOT EXISTS (SELECT 1 FROM {parent} WHERE id = OLD.{column})"
            insert = f"INSERT INTO orphaned VALUES ('{child}.{column}')"
            name = f"watch_{child}_{column}"
            if sqlite:
                connection.execute(
                    text(f"CREATE TRIGGER {name} AFTER DELETE ON {child} WHEN {missing} BEGIN {insert}; END")
                )
            else:
                connection.execute(
                    text(
                        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                        f"$$BEGIN IF {missing} THEN {insert}; END IF; RETURN NULL; END$$"
                    )
                )
                connection.execute(
                    text(f"CREATE TRIGGER {name} AFTER DELETE ON {child} FOR EACH ROW EXECUTE FUNCTION {name}()")
                )
    with store.session(principal="test") as session:
        session.delete_many(Account, [ids["account"]])
    with store.engine.connect() as connection:
        assert list(connection.execute(text("SELECT what FROM orphaned"))) == []
    assert support.replay(store) == support.state(store)


def test_a_restricting_reference_refuses_unless_it_goes_too(store):
    with store.session(principal="test") as session:
        account, user = session.add_one(Account(name="Acme")), session.add_one(User(login="li", name="Li"))
        owned = session.add_one(Ownership(account_id=account.id, user_id=user.id))
    before = support.state(store)
    for work in (lambda s: s.delete_many(User, [user.id]), lambda s: s.delete(s.get(User, user.id)) or s.flush()):
        with store.session(principal="test") as session:
            with pytest.raises(Conflict, match="ownership"):
                work(session)
            session.rollback()
    assert support.state(store) == before
    with store.session(principal="test") as session:
        for record in [session.get(User, user.id), session.get(Ownership, owned.id)]:
            session.delete(record)
    assert set(support.state(store)) == {("account", account.id)}
    assert support.replay(store) == support.state(store)


def test_units_are_deleted_from_the_leaves_or_all_at_once(store):
    with store.session(principal="test") as session:
        root = session.add_one(Unit(name="root"))
        leaf = session.add_one(Unit(name="leaf", parent_id=root.id))
    with store.session(principal="test") as session:
        with pytest.raises(Conflict, match="unit"):
            session.delete_many(Unit, [root.id])
        session.rollback()
        session.delete_many(Unit, [root.id, leaf.id])
    assert support.state(store) == {}


def test_parent_and_child_may_be_deleted_together(store):
    ids = build(store)
    with store.session(principal="test") as session:
        records = [session.get(kind, ids[kind.__name__.lower()]) for kind in (Part, Account, Machine)]
        for record in records:
            session.delete(record)
    assert operations(store) == GONE


def test_a_pending_change_of_a_cleared_record_is_kept(store):
    ids = build(store)
    with store.session(principal="test") as session:
        spare, account = session.get(Machine, ids["spare"]), session.get(Account, ids["account"])
        spare.name = "renamed"
        session.delete(account)
    row = support.state(store)["journal_test.machine", ids["spare"]]
    assert row["name"] == "renamed"
    assert "spare_for_id" not in row
    assert spare.spare_for_id is None
    assert support.replay(store) == support.state(store)


def test_a_pending_change_of_the_very_reference_that_is_cleared_is_kept(store):
    ids = build(store)
    with store.session(principal="test") as session:
        spare, account = session.get(Machine, ids["spare"]), session.get(Account, ids["account"])
        spare.spare_for_id = ids["other"]
        session.delete(account)
    assert support.state(store)["journal_test.machine", ids["spare"]]["spare_for_id"] == ids["other"]
    assert support.replay(store) == support.state(store)


def test_objects_in_hand_know_what_happened(store):
    ids = build(store)
    with store.session(principal="test") as session:
        machine, spare = session.get(Machine, ids["machine"]), session.get(Machine, ids["spare"])
        session.delete_many(Account, [ids["account"]])
        assert machine not in session
        assert spare.spare_for_id is None
        assert session.get(Account, ids["account"]) is None


def table_rows(store: Store, table: str) -> list[dict]:
    with store.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY id")).mappings()]


def test_rows_of_an_absent_plugin_are_journalled_raw_and_restored(store, without_plugin):
    ids = build(store)
    before = support.state(store)
    tables = {name: table_rows(store, f"journal_test__{name}") for name in ("machine", "part", "rating")}
    with without_plugin.session(principal="test") as session:
        session.delete_many(Account, [ids["account"]])
    deleted = session.last_change_set
    assert operations(store) == GONE
    assert [row["id"] for row in table_rows(store, "journal_test__machine")] == [ids["spare"]]
    assert table_rows(store, "journal_test__machine")[0]["spare_for_id"] is None
    raw = [row for row in support.changes(store, deleted) if row.type.startswith("journal_test.")]
    assert all(RAW in json.loads(row.before) for row in raw)
    with without_plugin.session(principal="test") as session:
        assert session.undo(deleted, dry_run=True).restored["journal_test.machine"] == 1
        report = session.undo(deleted)
    assert report.restored == {
        "account": 1, "external_ref": 2, "journal_test.machine": 1, "journal_test.part": 1, "journal_test.rating": 1,
    }  # fmt: skip
    assert report.reverted == {"journal_test.machine": 1}
    assert support.state(store) == before
    for name, rows in tables.items():
        now = table_rows(store, f"journal_test__{name}")
        assert [{**row, "version": None} for row in now] == [{**row, "version": None} for row in rows]
        assert all(new["version"] > old["version"] for new, old in zip(now, rows, strict=True))


def test_the_plugin_is_switched_on_again_before_the_undo(store, without_plugin):
    ids = build(store)
    before = support.state(store)
    with without_plugin.session(principal="test") as session:
        session.delete_many(Account, [ids["account"]])
    with store.session(principal="test") as session:
        report = session.undo(session_change := support.heads(store)[-1].id)
    assert report.restored["journal_test.machine"] == 1, session_change
    assert support.state(store) == before


def test_undoing_needs_the_plugin_where_its_own_work_is_concerned(store, without_plugin):
    build(store)
    created = support.heads(store)[-1].id
    with without_plugin.session(principal="test") as session, pytest.raises(UndoConflict) as caught:
        session.undo(created)
    assert any("which is not loaded" in str(problem) for problem in caught.value.problems)


def test_a_table_that_is_gone_for_good_hinders_nobody(store, without_plugin):
    ids = build(store)
    with store.engine.begin() as connection:
        for name in ("part", "machine", "rating"):
            connection.execute(text(f"DROP TABLE journal_test__{name}"))
    with without_plugin.session(principal="test") as session:
        assert session.delete_many(Account, [ids["account"]]) == 2
    assert without_plugin.types.get("journal_test.machine") is None


def test_the_history_of_a_vanished_type_is_still_told(store, without_plugin):
    ids = build(store)
    with store.session(principal="test") as session:
        session.get(Machine, ids["machine"]).name = "renamed"
    with without_plugin.session(principal="test") as session:
        events = history(session, "journal_test.machine", ids["machine"])
        assert [event.change.operation for event in events] == ["create", "update"]
        assert events[1].change.after == {"name": "renamed"}
        assert [event.change.after for event in history(session, Account.crm_type, ids["account"])]


def test_an_extension_needs_its_record(store):
    from crm_core.errors import CrmError

    for id_ in (10**9, None):
        with store.session(principal="test") as session:
            rating = Rating(stars=1)
            if id_:
                rating.id = id_
            with pytest.raises(CrmError):
                session.add(rating)
                session.flush()
            session.rollback()
    with store.session(principal="test") as session:
        session.add(Note(name="n"))
        assert session.core(select(func.count()).select_from(Rating.crm_type.table)).scalar() == 0


def test_the_types_of_the_tests_are_apart():
    assert {each.plugin for each in support.kernel_types().values()} == {"crm"}
    assert isinstance(support.all_types(), Types)
