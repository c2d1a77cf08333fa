"""What plugins do while a change set is checked belongs to it; what they object to cannot be had by asking twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crm_core.domain.accounts import Account
from crm_core.errors import Conflict, Objection
from crm_core.store.changes import ChangeBatch
from crm_core.store.policy import Policy
from crm_core.store.session import CrmSession
from crm_core.store.store import Store
from tests.store import journal_support as support
from tests.store.journal_support import Note


class Plugins:
    """A dispatcher whose hooks a test sets."""

    def __init__(self) -> None:
        self.check: Callable[[CrmSession, ChangeBatch], None] | None = None
        self.on: Callable[[CrmSession, ChangeBatch], None] | None = None
        self.told: list[tuple[str, list[str]]] = []

    def hears_changes(self, record=None) -> bool:
        return True

    def check_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        if self.check is not None:
            self.check(session, batch)

    def on_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        self.told.append((batch.type.name, [change.operation for change in batch]))
        if self.on is not None:
            self.on(session, batch)


@pytest.fixture
def plugins():
    return Plugins()


@pytest.fixture
def store(database_url, plugins):
    store = Store(database_url, support.all_types(), Policy(), plugins)
    store.create_all()
    yield store
    store.close()


def refuse_notes(session: CrmSession, batch: ChangeBatch) -> None:
    written = batch.of("create", "update") if batch.type is Note.crm_type else []
    if any(change.after.get("name") == "bad" for change in written):
        raise Objection("no bad notes")


def test_an_objection_stands_however_often_one_commits(store, plugins):
    plugins.check = refuse_notes
    with store.session(principal="test") as session:
        note = session.add_one(Note(name="bad"))
        for _ in range(2):
            with pytest.raises(Objection):
                session.check()
        with pytest.raises(Objection):
            session.commit()
        with pytest.raises(Objection):
            session.commit()
        assert support.heads(store) == []
        note.name = "good"
        session.commit()
    assert [values["name"] for values in support.state(store).values()] == ["good"]
    assert support.replay(store) == support.state(store)


def test_an_objection_at_the_end_of_the_block_rolls_back(store, plugins):
    plugins.check = refuse_notes
    with pytest.raises(Objection), store.session(principal="test") as session:
        session.add_many(Note, [{"name": "good"}, {"name": "bad"}])
    assert support.state(store) == {}
    assert support.heads(store) == []


def test_one_call_for_a_type_and_change_set(store, plugins):
    with store.session(principal="test") as session:
        ids = session.add_many(Note, ({"name": f"n{number}"} for number in range(2500)))
        session.add(Account(name="Acme"))
        session.flush()
        session.update_many(Note, [{"id": ids[0], "name": "changed"}])
    told = [(name, len(operations)) for name, operations in plugins.told]
    assert told == [("journal_test.note", 2500), ("account", 1)]


def test_a_change_tells_what_the_reference_says(store, plugins):
    heard = []
    plugins.on = lambda _session, batch: heard.extend(
        (change.operation, change.before, change.after) for change in batch if batch.type is Account.crm_type
    )
    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Acme", grade="B"))
        session.flush()
        account.grade = "A"
    with store.session(principal="test") as session:
        account = session.require(Account, account.id)
        account.name = "Beta"
        session.flush()
        account.grade = None
    with store.session(principal="test") as session:
        session.delete_many(Account, [account.id])
    created, updated, deleted = heard
    assert created[:2] == ("create", {})
    assert (created[2]["name"], created[2]["grade"]) == ("Acme", "A")
    assert "industry" not in created[2]
    assert updated == ("update", {"name": "Acme", "grade": "A"}, {"name": "Beta", "grade": None})
    assert (deleted[0], deleted[2]) == ("delete", {})
    assert deleted[1]["name"] == "Beta"
    assert deleted[1].keys() >= {"kind", "version"}
    assert "grade" not in deleted[1]


def test_what_a_hook_changes_is_in_the_same_change_set(store, plugins):
    def number(session: CrmSession, batch: ChangeBatch) -> None:
        if batch.type is Account.crm_type:
            session.add_many(Note, [{"name": f"made for {change.id}"} for change in batch.of("create")])
            session.update_many(Account, [{"id": change.id, "grade": "C"} for change in batch.of("create")])

    plugins.on = number
    with store.session(principal="test") as session:
        session.add(Account(name="Acme"))
    (head,) = support.heads(store)
    assert [(row.type, row.operation) for row in support.changes(store, head.id)] == [
        ("account", "create"), ("journal_test.note", "create"),
    ]  # fmt: skip
    assert support.replay(store) == support.state(store)
    assert next(iter(support.state(store).values()))["grade"] == "C"


def test_what_a_failed_hook_did_within_its_savepoint_is_not_journalled(store, plugins):
    def fail(session: CrmSession, batch: ChangeBatch) -> None:
        savepoint = session.begin_nested()
        session.add_many(Note, [{"name": "half done"}])
        session.flush()
        savepoint.rollback()

    plugins.on = fail
    with store.session(principal="test") as session:
        session.add(Account(name="Acme"))
    assert {name for name, _ in support.state(store)} == {"account"}
    assert support.replay(store) == support.state(store)


def test_hooks_that_never_rest(store, plugins):
    def again(session: CrmSession, batch: ChangeBatch) -> None:
        session.add_many(Note, [{"name": "again"}])

    plugins.on = again
    with pytest.raises(Conflict, match="after 5 rounds"), store.session(principal="test") as session:
        session.add(Note(name="first"))
    assert support.state(store) == {}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "many", "set", "bulk", "delete", "check", "flush", "savepoint", "lost", "kept"]),
        st.integers(0, 5),
    ),
    max_size=14,
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(change_sets=st.lists(STEPS, min_size=1, max_size=3), streaming=st.booleans())
def test_the_tables_are_what_the_journal_replays(store, plugins, change_sets, streaming):
    """With savepoints kept and lost, checks in between, and a hook that itself changes records."""

    def mark(session: CrmSession, batch: ChangeBatch) -> None:
        if batch.type is Account.crm_type:
            changed = [change.id for change in batch.of("create", "update") if "grade" not in change.fields]
            session.update_many(Account, [{"id": id_, "grade": "H"} for id_ in changed])

    plugins.on = mark
    support.clear(store)
    for steps in change_sets:
        with store.session(principal="test", streaming=streaming) as session:
            savepoints = []
            for number, (step, which) in enumerate(steps):
                if step == "add":
                    session.add(Account(name=f"a{number}"))
                elif step == "many":
                    session.add_many(Account, [{"name": f"m{number}.{part}"} for part in range(which)])
                elif step == "check":
                    session.check()
                elif step == "flush":
                    session.flush()
                elif step == "savepoint":
                    savepoints.append(session.begin_nested())
                elif step in ("lost", "kept"):
                    if savepoints:
                        savepoint = savepoints.pop()
                        savepoint.commit() if step == "kept" else savepoint.rollback()
                else:
                    _touch(session, step, which, number)
            while savepoints:
                savepoints.pop().commit()
        assert support.replay(store) == support.state(store)


def _touch(session: CrmSession, step: str, which: int, number: int) -> None:
    session.flush()
    ids = sorted(session.core(Account.crm_type.table.select()).scalars())
    if not ids:
        return
    id_ = ids[which % len(ids)]
    if step == "set":
        session.get(Account, id_).name = f"s{number}"
    elif step == "bulk":
        session.update_many(Account, [{"id": id_, "note": f"b{number}"}, {"id": ids[0], "note": None}])
    else:
        session.delete(session.get(Account, id_))
