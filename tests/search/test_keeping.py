"""Whatever happens to records, the index is what a new one would be."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, update

from crm_core.domain import contacts
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.errors import StoreError
from crm_core.store.search.reindex import check, reindex
from crm_core.store.store import Store
from crm_core.store.tables import SEARCH_DOCUMENT, SEARCH_STATE

from .search_records import POLICY, TYPES, WITHOUT, Device, Lead, Nickname, Part, Site
from .support import documents, verify


def build(store):
    """An account with something of each kind below it, and another one; returns ids by name."""
    with store.session(principal="test") as session:
        acme, beta = session.add_one(Account(name="Acme 海尔")), session.add_one(Account(name="Beta"))
        person = session.add_one(Contact(name="单雄信", local_name="Shan"))
        place = session.add_one(Affiliation(account_id=acme.id, contact_id=person.id, role="buyer"))
        point = session.add_one(ContactPoint(contact_id=person.id, kind=PointKind.PHONE, value="+86 532 8893 8888"))
        site = session.add_one(Site(account_id=acme.id))
        device = session.add_one(Device(site_id=site.id, name="Press", flaw="cracked", hotline="12 34"))
        part = session.add_one(Part(device_id=device.id, label="Valve"))
        visit = session.add_one(Activity(kind="visit", subject="Offer", account_id=acme.id, contact_id=person.id))
        nickname = Nickname(nickname="Nick")
        nickname.id = acme.id
        session.add(nickname)
        session.flush()
        return {"acme": acme.id, "beta": beta.id, "person": person.id, "place": place.id, "point": point.id,
                "site": site.id, "device": device.id, "part": part.id, "visit": visit.id}  # fmt: skip


def found(store, query):
    with store.session(principal="test", read_only=True) as session:
        return [hit.record_id for hit in session.search(query)]


def test_creation_change_and_deletion(store):
    ids = build(store)
    verify(store)
    assert found(store, "press acme") == [ids["device"]]
    with store.session(principal="test") as session:
        session.get(Device, ids["device"]).name = "Lathe"
        session.get(Device, ids["device"]).flaw = None
    verify(store)
    assert found(store, "press") == []
    assert found(store, "cracked") == []
    assert found(store, "lathe") == [ids["device"]]
    with store.session(principal="test") as session:
        session.get(Device, ids["device"]).flaw = "bent"
        session.delete(session.get(Activity, ids["visit"]))
    verify(store)
    assert found(store, "bent") == [ids["device"]]
    with store.session(principal="test") as session:
        session.delete(session.get(Account, ids["acme"]))
    verify(store)
    assert {key[0] for key in documents(store)} == {"account", "contact", "contact_point"}


def test_what_hangs_below_moves_along(store):
    ids = build(store)
    with store.session(principal="test") as session:
        session.get(Site, ids["site"]).account_id = ids["beta"]
    assert found(store, "valve beta") == [ids["part"]]
    assert found(store, "cracked beta") == [ids["device"]]
    assert found(store, "valve acme") == []
    verify(store)
    with store.session(principal="test") as session:
        session.get(ContactPoint, ids["point"]).contact_id = None
        session.get(ContactPoint, ids["point"]).account_id = ids["beta"]
    assert found(store, "88938888") == [ids["beta"]]
    verify(store)


def test_bulk_work_criteria_and_savepoints(store):
    ids = build(store)
    with store.session(principal="test") as session:
        fresh = session.add_many(Account, ({"name": f"Mass {number}"} for number in range(2500)))
        session.update_many(Account, [{"id": id_, "name": f"Crowd {id_}"} for id_ in fresh[:1200]])
        session.delete_many(Account, fresh[2000:])
        session.execute(update(Account).where(Account.id == ids["beta"]).values(name="Gamma"))
        session.execute(delete(Part))
        with pytest.raises(RuntimeError), session.begin_nested():
            session.add(Account(name="Never"))
            session.get(Account, ids["acme"]).name = "Never, too"
            raise RuntimeError
        with session.begin_nested():
            session.add(Account(name="Always"))
    verify(store)
    assert found(store, "never") == []
    assert len(found(store, "always")) == 1
    assert found(store, "gamma") == [ids["beta"]]
    with store.session(principal="test", read_only=True) as session:
        assert len(session.search("mass", limit=1000)) == 800


def test_streams_with_savepoints(store):
    """Journalled in parts, with a part that is taken back."""
    with store.session(principal="import", streaming=True) as session:
        first = session.add_many(Account, ({"name": f"One {number}"} for number in range(1500)))
        savepoint = session.begin_nested()
        session.add_many(Account, ({"name": f"Two {number}"} for number in range(1500)))
        session.update_many(Account, [{"id": id_, "name": "Gone"} for id_ in first[:10]])
        savepoint.rollback()
        session.update_many(Account, [{"id": id_, "name": f"Three {id_}"} for id_ in first[:700]])
        session.delete_many(Account, first[600:650])
    verify(store)
    assert found(store, "two") == found(store, "gone") == []
    with store.session(principal="test", read_only=True) as session:
        assert len(session.search("three", limit=1000)) == 650


def test_a_rolled_back_session_leaves_nothing(store):
    build(store)
    before = documents(store)
    with store.session(principal="test") as session:
        session.add(Account(name="Zeta"))
        session.check()
        session.writer.flush_journal()
        session.rollback()
    assert documents(store) == before
    verify(store)


def test_undo_and_its_undo(store):
    ids = build(store)
    before = documents(store)
    with store.session(principal="test") as session:
        session.get(Account, ids["acme"]).name = "Zeta"
        session.delete(session.get(Device, ids["device"]))
        session.get(Site, ids["site"]).account_id = ids["beta"]
        session.add(Account(name="New"))
    change_set = session.last_change_set
    after = documents(store)
    with store.session(principal="test") as session:
        session.undo(change_set)
    assert documents(store) == before
    verify(store)
    with store.session(principal="test") as again:
        again.undo(session.last_change_set)
    assert documents(store) == after
    verify(store)


def test_an_undo_that_only_tries_changes_nothing(store):
    ids = build(store)
    with store.session(principal="test") as session:
        session.get(Account, ids["acme"]).name = "Zeta"
    before = documents(store)
    with store.session(principal="test") as again:
        again.undo(session.last_change_set, dry_run=True)
    assert documents(store) == before


def test_an_erased_person_is_nowhere_in_the_index(store, request):
    ids = build(store)
    with store.session(principal="test") as session:
        # What they were called before is in the index's dead entries.
        session.get(Contact, ids["person"]).name = "欧阳修鹨"
    with store.session(principal="test") as session:
        session.get(Contact, ids["person"]).name = "獭獭犼"
    with store.session(principal="test") as session:
        contacts.erase(session, session.get(Contact, ids["person"]), reason="asked for it")
    for query in ("单雄信", "獭獭犼", "欧阳修鹨", "shan", "sxx", "88938888", "erased"):
        assert found(store, query) == []
    assert found(store, "buyer acme") == [ids["person"]]
    verify(store)
    for word in ("獭獭犼", "阳修鹨", "单雄信"):
        assert word.encode() not in content(store)
    assert "海尔".encode() in content(store)  # it would be found if it were there


def content(store: Store) -> bytes:
    """All bytes of the database; on PostgreSQL, which leaves freed rows where they were, of the index of words."""
    from pathlib import Path

    if store.dialect == "sqlite":
        path = Path(str(store.engine.url.database))
        return b"".join(part.read_bytes() for part in path.parent.glob(path.name + "*"))
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")
        path = "pg_relation_filepath('ix_crm_search_document_tokens')"
        return bytes(connection.exec_driver_sql(f"SELECT pg_read_binary_file({path})").scalar_one())


def test_records_older_than_the_index(store):
    """A database from before the index, or where a plugin joins whose records were there already."""
    ids = build(store)
    wanted = documents(store)
    lose(store)
    store.migrated()
    assert store.unindexed() == ["account", "activity", "affiliation", "contact", "contact_point",
                                 "search_probe.device", "search_probe.nickname", "search_probe.part"]  # fmt: skip
    with store.session(principal="test", read_only=True) as session:
        with pytest.raises(StoreError, match=r"The search index does not hold all records of type account, activity"):
            session.search("acme")
        # What had no records is whole.
        assert session.search("acme", types=["search_probe.memo"]) == []
    with store.session(principal="test") as session:
        # Meanwhile others work.
        session.get(Account, ids["acme"]).name = "Acme again 海尔"
        session.delete(session.get(Activity, ids["visit"]))
    told = []
    done = reindex(store, lambda *each: told.append(each))
    assert done.records["account"] == 2
    assert ("account", 2, 2) in told
    assert store.unindexed() == []
    assert documents(store).keys() == {key for key in wanted if key[0] != "activity"}
    verify(store)


def lose(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(delete(SEARCH_DOCUMENT))
        connection.execute(delete(SEARCH_STATE))
        store.search.driver.clear(connection)


def test_the_check_names_what_differs(store):
    ids = build(store)
    assert check(store).right
    with store.engine.begin() as connection:
        table = SEARCH_DOCUMENT
        connection.execute(delete(table).where(table.c.id == ids["part"]))
        connection.execute(update(table).where(table.c.id == ids["acme"]).values(shown_id=ids["beta"]))
        connection.execute(
            table.insert().values(id=10**6, type="account", shown_id=10**6, size=1, body="\x02 ghost \x03\x1f\x1f\x1f")
        )
    told = check(store)
    assert not told.right
    assert (told.missing, told.stale, told.superfluous) == (
        {"search_probe.part": 1}, {"account": 1}, {"account": 1},
    )  # fmt: skip
    assert set(told.examples) == {
        "account 1000000: superfluous", f"account {ids['acme']}: stale", f"search_probe.part {ids['part']}: missing",
    }  # fmt: skip
    assert not told.tokens
    reindex(store)
    verify(store)


def test_lost_words_are_noticed_and_come_back_with_a_whole_index(store):
    ids = build(store)
    with store.engine.begin() as connection:
        store.search.driver.clear(connection)
        connection.execute(update(SEARCH_DOCUMENT).values(tokens=None))
    assert found(store, "valve") == []
    told = check(store)
    assert (told.tokens, told.right, told.missing) == (False, False, {})
    reindex(store, whole=True)
    assert found(store, "valve") == [ids["part"]]
    verify(store)


def test_while_a_whole_index_is_built_nobody_gets_a_part_of_the_answer(store):
    build(store)

    def interrupt(name, done, total):
        if name == "affiliation":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reindex(store, interrupt, whole=True)
    with store.session(principal="test", read_only=True) as session:
        with pytest.raises(StoreError, match="of type affiliation"):
            session.search("buyer")
        # Accounts are also found by what is not indexed yet; of activities everything is there.
        with pytest.raises(StoreError, match="of type contact_point, search_probe"):
            session.search("acme", types=["account"])
        assert [hit.title for hit in session.search("offer", types=["activity"])] == ["Offer"]
    reindex(store)
    verify(store)


def test_records_of_a_plugin_that_is_switched_off(store, database_url):
    ids = build(store)
    without = Store(database_url, WITHOUT, POLICY)
    try:
        with without.session(principal="test", read_only=True) as session:
            assert session.search("valve") == []
        told = check(without)
        assert told.superfluous == {"search_probe.device": 2, "search_probe.nickname": 1, "search_probe.part": 1}
        with without.session(principal="test") as session:
            session.delete(session.get(Account, ids["acme"]))  # takes the rows of the plugin with it
        assert check(without).right
    finally:
        without.close()
    verify(store)


def test_records_that_were_changed_while_their_plugin_was_off_are_reindexed_when_it_returns(store, database_url):
    ids = build(store)
    with store.session(principal="test") as session:
        lead = session.add_one(Lead(name="Zinc roof", account_id=ids["beta"])).id
    assert found(store, "zinc beta") == [lead]
    without = Store(database_url, WITHOUT, POLICY)
    try:
        with without.session(principal="test") as session:
            session.delete(session.get(Account, ids["beta"]))  # empties a reference of the plugin
    finally:
        without.close()
    assert store.unindexed() == ["search_probe.lead"]
    with store.session(principal="test", read_only=True) as session, pytest.raises(StoreError):
        session.search("zinc")
    reindex(store)
    assert found(store, "zinc") == [lead]
    verify(store)


def test_reindexing_without_a_plugin_takes_its_documents_away_until_it_is_back(store, database_url):
    build(store)
    before = documents(store)
    without = Store(database_url, WITHOUT, POLICY)
    try:
        assert reindex(without).removed == 4
        assert check(without).right
    finally:
        without.close()
    store.migrated()
    assert store.unindexed() == ["search_probe.device", "search_probe.nickname", "search_probe.part"]
    reindex(store)
    assert documents(store) == before


TEXTS = st.sampled_from(["Acme", "海尔", "单 雄信", "ＡＢＣ", "+86 138 0000 1234", "", "Ünïcode ß", "x" * 60])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["account", "person", "place", "point", "site", "device", "part", "nickname", "rename", "move",
                         "remove", "undo", "savepoint", "commit", "bulk"]),
        st.integers(0, 5), st.integers(0, 5), TEXTS,
    ),
    max_size=25,
)  # fmt: skip


class Machine:
    """Does random things to records, in random change sets."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.made: dict[type, list[int]] = {}
        self.change_sets: list[int] = []
        self.session = store.session(principal="test")

    def commit(self) -> None:
        self.session.commit()
        if self.session.last_change_set is not None:
            self.change_sets.append(self.session.last_change_set)
        self.session.close()
        self.session = self.store.session(principal="test")

    def one(self, cls, number):
        """A living record of a type, if there is one."""
        ids = [id_ for id_ in self.made.get(cls, ()) if self.session.get(cls, id_) is not None]
        return self.session.get(cls, ids[number % len(ids)]) if ids else None

    def add(self, record):
        self.session.add(record)
        self.session.flush()
        self.made.setdefault(type(record), []).append(record.id)

    def step(self, what, one, two, text):
        account, person = self.one(Account, one), self.one(Contact, two)
        site, device = self.one(Site, one), self.one(Device, two)
        match what:
            case "account":
                self.add(Account(name=text, phone=None if one % 2 else "0532 8893"))
            case "person":
                self.add(Contact(name=text[:200], local_name="曾" if one % 2 else None))
            case "place" if account and person:
                self.add(Affiliation(account_id=account.id, contact_id=person.id, role=text[:80] or None))
            case "point" if person or account:
                owner = {"contact_id": person.id} if person else {"account_id": account.id}
                self.add(ContactPoint(kind=PointKind.OTHER, value=text[:254], **owner))
            case "site" if account:
                self.add(Site(account_id=account.id))
            case "device" if site:
                self.add(Device(site_id=site.id, name=text[:80], flaw=text if two % 2 else None))
            case "part" if device:
                self.add(Part(device_id=device.id, label=text[:80]))
            case "nickname" if account and self.session.get(Nickname, account.id) is None:
                nickname = Nickname(nickname=text[:80])
                nickname.id = account.id
                self.add(nickname)
            case "rename":
                cls = (Account, Contact, Device)[one % 3]
                if record := self.one(cls, two):
                    record.name = text[:80]
            case "move" if site and account:
                site.account_id = account.id
            case "remove":
                cls = (Account, Contact, Site, Device, Part, Affiliation)[one]
                if record := self.one(cls, two):
                    self.session.delete_many(cls, [record.id])
            case "undo":
                self.commit()
                if self.change_sets:
                    from crm_core.errors import UndoConflict

                    try:
                        self.session.undo(self.change_sets[-1 - one % len(self.change_sets)])
                    except UndoConflict:
                        self.session.rollback()
            case "savepoint":
                savepoint = self.session.begin_nested()
                self.session.add(Account(name=text))
                if record := self.one(Device, one):
                    record.flaw = text
                self.session.flush()
                savepoint.rollback() if two % 2 else savepoint.commit()
            case "bulk":
                self.made.setdefault(Account, []).extend(
                    self.session.add_many(Account, [{"name": f"{text}{number}"[:200]} for number in range(3)])
                )
            case "commit":
                self.commit()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(steps=STEPS)
def test_the_index_is_always_what_a_new_one_would_be(store, steps):
    machine = Machine(store)
    try:
        for step in steps:
            machine.step(*step)
        machine.commit()
    finally:
        machine.session.close()
    verify(store)


def test_a_driver_must_fit_the_database(database_url):
    from crm_core.store.search.fts5 import Fts5
    from crm_core.store.search.trigram import Trigram

    other = Trigram if database_url.startswith("sqlite") else Fts5
    with pytest.raises(StoreError, match=r"The search driver \w+ does not work on (sqlite|postgresql)\."):
        Store(database_url, TYPES, POLICY, search=other)


def test_an_index_of_another_driver_is_built_anew(store, database_url):
    build(store)

    class Other(type(store.search.driver)):
        name = "other"

    other = Store(database_url, TYPES, POLICY, search=Other)
    try:
        assert "account" in other.unindexed()
        reindex(other)
        assert check(other).right
    finally:
        other.close()


def test_nothing_is_written_for_fields_that_nobody_searches(store):
    ids = build(store)
    statements = []
    event.listen(store.engine, "before_cursor_execute", lambda _c, _x, text, *_: statements.append(text))
    with store.session(principal="test") as session:
        session.get(Account, ids["acme"]).grade = "A"
    assert [text for text in statements if "crm_search" in text] == []
