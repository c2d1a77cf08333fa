"""What was done to rows of a plugin that is not in the build is taken back as they lie in their tables, or not at all.

The plugin is switched off while somebody works, and on again before, between and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import delete, func, text, update

from crm_core.domain.accounts import Account
from crm_core.errors import UndoConflict
from crm_core.store.marks import ERASED
from crm_core.store.merging import merge
from crm_core.store.policy import Policy
from crm_core.store.session import CrmSession
from crm_core.store.store import Store
from crm_core.store.tables import CHANGE, RECORD_TYPE
from tests.store import journal_support as support
from tests.store.journal_support import Machine, Rating

REMOVED = "it belongs to the plugin journal_test, which was removed."


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with support.opened(database_url) as store:
        yield store


@pytest.fixture
def without_plugin(store: Store, database_url: str) -> Iterator[Store]:
    """The same database in a build that lacks the plugin."""
    other = Store(database_url, support.kernel_types(), Policy())
    yield other
    other.close()


@pytest.fixture
def ids(store: Store) -> dict[str, int]:
    """Acme with a rating and a machine; other with a machine that is a spare for Acme."""
    with store.session(principal="test") as session:
        account, other = session.add_one(Account(name="Acme")).id, session.add_one(Account(name="other")).id
        session.add_many(Rating, [{"id": account, "stars": 3}])
        machine = session.add_one(Machine(account_id=account, name="m")).id
        spare = session.add_one(Machine(account_id=other, name="s", spare_for_id=account)).id
    return {"account": account, "other": other, "machine": machine, "spare": spare}


def done(store: Store, work: Callable[[CrmSession], object]) -> int:
    """What ``work`` does, as one change set."""
    with store.session(principal="test") as session:
        work(session)
    assert session.last_change_set is not None
    return session.last_change_set


def gone(store: Store, ids: dict[str, int]) -> int:
    """Acme is deleted with its machine and its rating, and the spare is for nobody."""
    return done(store, lambda session: session.delete_many(Account, [ids["account"]]))


def refused(store: Store, change_set: int) -> list[str]:
    """What stands in the way of an undo, which leaves everything as it is."""
    before = [rows(store, name) for name in ("machine", "rating")]
    with store.session(principal="test") as session:
        told = [str(each) for each in session.undo(change_set, dry_run=True).conflicts]
        with pytest.raises(UndoConflict) as caught:
            session.undo(change_set)
    assert [str(each) for each in caught.value.problems] == told
    assert [rows(store, name) for name in ("machine", "rating")] == before
    assert session.last_change_set is None
    return told


def rows(store: Store, name: str) -> dict[int, tuple[object, ...]]:
    """By id the version, the account (of a machine), and what else matters."""
    columns = "id, version, account_id, spare_for_id" if name == "machine" else "id, version, stars"
    with store.engine.connect() as connection:
        found = connection.execute(text(f"SELECT {columns} FROM journal_test__{name}")).all()
    return {row[0]: tuple(row[1:]) for row in found}


def test_rows_come_back_one_version_on_and_the_journal_knows(store, without_plugin, ids):
    deletion = gone(without_plugin, ids)
    undoing = done(without_plugin, lambda session: session.undo(deletion))
    assert rows(store, "machine") == {
        ids["machine"]: (3, ids["account"], None),
        ids["spare"]: (3, ids["other"], ids["account"]),
    }
    assert rows(store, "rating") == {ids["account"]: (3, 3)}
    with store.session(principal="test") as session:
        events = session.history("journal_test.machine", ids["machine"])
        assert [(each.change.operation, each.version) for each in events] == [
            ("create", 1),
            ("delete", 2),
            ("create", 3),
        ]
        events = session.history("journal_test.machine", ids["spare"])
        assert [(each.change.operation, each.version) for each in events] == [
            ("create", 1),
            ("update", 2),
            ("update", 3),
        ]
    # What an undo did is itself undone, with the plugin and without it.
    for build in (without_plugin, store):
        undoing = done(build, lambda session, last=undoing: session.undo(last))
        there = build is store
        assert (ids["machine"] in rows(store, "machine")) is there
        assert rows(store, "machine")[ids["spare"]][2] == (ids["account"] if there else None)


def test_what_exists_again_is_a_conflict(store, without_plugin, ids):
    deletion = gone(without_plugin, ids)
    done(store, lambda session: session.add_many(
        Machine, [{"id": ids["machine"], "account_id": ids["other"], "name": "new"}]))  # fmt: skip
    told = refused(without_plugin, deletion)
    assert told == [f"journal_test.machine {ids['machine']}: a record with this id exists again."]


def test_what_was_deleted_since_is_a_conflict(store, without_plugin, ids):
    deletion = gone(without_plugin, ids)
    done(store, lambda session: session.delete_many(Machine, [ids["spare"]]))
    assert refused(without_plugin, deletion) == [f"journal_test.machine {ids['spare']}: it was deleted since."]


def test_what_was_changed_since_is_a_conflict(store, without_plugin, ids):
    deletion = gone(without_plugin, ids)
    done(store, lambda session: session.update_many(Machine, [{"id": ids["spare"], "spare_for_id": ids["other"]}]))
    told = refused(without_plugin, deletion)
    assert told == [f"journal_test.machine {ids['spare']}: spare_for_id was changed since."]


def test_another_column_that_was_changed_since_is_none(store, without_plugin, ids):
    deletion = gone(without_plugin, ids)
    done(store, lambda session: session.update_many(Machine, [{"id": ids["spare"], "name": "renamed"}]))
    with without_plugin.session(principal="test") as session:
        report = session.undo(deletion)
    assert (report.reverted, report.restored["journal_test.machine"]) == ({"journal_test.machine": 1}, 1)
    with store.session(principal="test") as session:
        spare = session.require(Machine, ids["spare"])
        assert (spare.name, spare.spare_for_id, spare.version) == ("renamed", ids["account"], 4)


@pytest.mark.parametrize("work", [
    lambda session, ids: session.update_many(Machine, [{"id": ids["machine"], "name": "renamed"}]),
    lambda session, ids: session.delete_many(Machine, [ids["machine"]]),
    lambda session, ids: session.add(Machine(account_id=ids["account"], name="new")),
], ids=["changed", "deleted", "created"])  # fmt: skip
def test_what_the_plugin_did_itself_needs_it(store, without_plugin, ids, work):
    change_set = done(store, lambda session: work(session, ids))
    (change,) = support.changes(store, change_set)
    assert refused(without_plugin, change_set) == [
        f"journal_test.machine {change.record_id}: it belongs to the plugin journal_test, which is not loaded."
    ]
    with without_plugin.session(principal="test") as session, pytest.raises(UndoConflict) as caught:
        session.undo(support.heads(store)[-1].id)
    assert "plugins that are not loaded (journal_test)" in str(caught.value)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("work", ["gone", "merged"])
def test_what_was_removed_with_its_table_needs_it_back(request, store, without_plugin, ids, work, known):
    """Whether the catalogue still knows of it or not."""
    change_set = gone(without_plugin, ids) if work == "gone" else request.getfixturevalue("merged")
    with store.engine.begin() as connection:
        for name in ("part", "machine", "rating"):
            connection.execute(text(f"DROP TABLE journal_test__{name}"))
        if not known:
            connection.execute(delete(RECORD_TYPE).where(RECORD_TYPE.c.plugin == "journal_test"))
    with without_plugin.session(principal="test") as session:
        told = [str(each) for each in session.undo(change_set, dry_run=True).conflicts]
        assert f"journal_test.rating {ids['account']}: {REMOVED}" in told
        with pytest.raises(UndoConflict, match=r"not loaded \(journal_test\)"):
            session.undo(change_set)
        assert session.get(Account, ids["account"]) is None


def test_what_a_person_left_in_it_is_not_written_again(store, without_plugin, ids):
    """An erasure leaves its mark in the journal instead of what was there."""
    deletion = gone(without_plugin, ids)
    with store.engine.begin() as connection:
        connection.execute(
            update(CHANGE)
            .where(CHANGE.c.change_set_id == deletion, CHANGE.c.record_id == ids["machine"])
            .values(before=func.replace(CHANGE.c.before, '"name":"m"', f'"name":"{ERASED}"'))
        )
    assert refused(without_plugin, deletion) == [f"journal_test.machine {ids['machine']}: its person was erased."]


@pytest.fixture
def merged(without_plugin, ids) -> int:
    """Acme is merged into the other: its rating becomes the other's, with the plugin switched off."""
    return done(without_plugin, lambda session: merge(
        session, session.require(Account, ids["other"]), session.require(Account, ids["account"])))  # fmt: skip


def test_an_extension_that_a_merge_moved_goes_back(store, without_plugin, ids, merged):
    assert rows(store, "rating") == {ids["other"]: (2, 3)}
    with without_plugin.session(principal="test") as session:
        report = session.undo(merged)
    assert report.deleted["journal_test.rating"] == report.restored["journal_test.rating"] == 1
    assert rows(store, "rating") == {ids["account"]: (3, 3)}
    with store.session(principal="test") as session:
        events = session.history("journal_test.rating", ids["other"])
        assert [(each.change.operation, each.version) for each in events] == [("create", 2), ("delete", 3)]


def test_an_extension_that_was_changed_after_the_merge_is_a_conflict(store, without_plugin, ids, merged):
    done(store, lambda session: session.update_many(Rating, [{"id": ids["other"], "stars": 5}]))
    assert f"journal_test.rating {ids['other']}: it was changed since." in refused(without_plugin, merged)


def test_an_extension_that_was_deleted_after_the_merge_comes_back_to_its_record(store, without_plugin, ids, merged):
    done(store, lambda session: session.delete_many(Rating, [ids["other"]]))
    with without_plugin.session(principal="test") as session:
        report = session.undo(merged)
    assert "journal_test.rating" not in report.deleted
    assert rows(store, "rating") == {ids["account"]: (3, 3)}
