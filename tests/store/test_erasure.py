from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import inspect, select, text

from crm_core.domain import contacts
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.errors import Conflict, PermissionDenied, UndoConflict
from crm_core.store.erasure import ERASED
from crm_core.store.history import history
from crm_core.store.policy import Role, Scope
from tests.store import journal_support as support

SECRETS = (
    "Eusebia", "Quillfeather", "欧阳倩倩", "ouyangqianqian", "ou yang", "quill@example.com", "old@example.org",
    "+8613800138000", "5550001234", "likes tulips", "hates mondays", "Honourable", "1971-03-04", "eq-key-77",
)  # fmt: skip


@pytest.fixture
def store(database_url):
    with support.opened(database_url) as store:
        yield store


def person(store) -> int:
    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Acme"))
        contact = session.add_one(
            Contact(
                name="Eusebia Quillfeather", family_name="Quillfeather", given_name="Eusebia", local_name="欧阳倩倩",
                salutation="Honourable", birthday=dt.date(1971, 3, 4), note="likes tulips", language="en",
            )
        )  # fmt: skip
        session.add(Affiliation(account_id=account.id, contact_id=contact.id, role="buyer"))
        point = session.add_one(ContactPoint(contact_id=contact.id, kind=PointKind.EMAIL, value="old@example.org"))
        session.add(ContactPoint(contact_id=contact.id, kind=PointKind.MOBILE, value="+8613800138000"))
        lost = session.add_one(ContactPoint(contact_id=contact.id, kind=PointKind.FAX, value="5550001234"))
        session.add(ExternalRef(system="erp", record_type="contact", key="eq-key-77", record_id=contact.id))
        session.add(Activity(kind="call", subject="Offer", account_id=account.id, contact_id=contact.id))
        session.add(Contact(name="Somebody Else"))
    with store.session(principal="test") as session:
        session.get(Contact, contact.id).note = "hates mondays"
        session.get(ContactPoint, point.id).value = "quill@example.com"
        session.get(Contact, contact.id).name = "欧阳倩倩"
    with store.session(principal="test") as session:
        session.delete_many(ContactPoint, [lost.id])
    return contact.id


def everything(store, tmp_path) -> str:
    """All that the database holds, as text: the files themselves, or every row of every table."""
    if store.dialect == "sqlite":
        store.close()
        found = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("crm.db*")))
        return found.decode("utf-8", "replace") + found.decode("utf-16-le", "replace")
    with store.engine.connect() as connection:
        return "\n".join(
            str(row)
            for table in inspect(connection).get_table_names()
            for row in connection.execute(text(f'SELECT to_json(t)::text FROM "{table}" t'))
        )


def erase(store, id_: int) -> int:
    with store.session(principal="officer") as session:
        return contacts.erase(session, session.get(Contact, id_), reason="asked for it")


def test_no_trace_of_the_person_remains(store, tmp_path):
    id_ = person(store)
    before = everything(store, tmp_path)
    assert [secret for secret in SECRETS if secret not in before and secret not in ("ouyangqianqian", "ou yang")] == []
    assert erase(store, id_) > 0
    after = everything(store, tmp_path)
    assert [secret for secret in SECRETS if secret in after] == []
    assert "Somebody Else" in after


def test_no_trace_remains_in_the_files_while_others_are_connected(store, tmp_path):
    if store.dialect != "sqlite":
        pytest.skip("the files of a server are its own")
    id_ = person(store)
    with store.session(principal="somebody", read_only=True) as session:
        session.scalars(select(Contact)).all()
    erase(store, id_)
    found = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("crm.db*")))
    assert [secret for secret in SECRETS if secret.encode() in found] == []


def test_the_person_stays_as_a_tombstone_that_holds_the_rest_together(store):
    id_ = person(store)
    erase(store, id_)
    state = support.state(store)
    contact = state["contact", id_]
    assert contact["name"] == ERASED
    assert {name: contact.get(name) for name in ("note", "birthday", "family_name", "language")} == {
        "note": None, "birthday": None, "family_name": None, "language": "en",
    }  # fmt: skip
    assert [values["role"] for (name, _), values in state.items() if name == "affiliation"] == ["buyer"]
    assert {values["value"] for (name, _), values in state.items() if name == "contact_point"} == {ERASED}


def test_it_is_itself_journalled(store):
    id_ = person(store)
    erase(store, id_)
    head = support.heads(store)[-1]
    assert (head.source, head.principal, head.reason) == ("erasure", "officer", "asked for it")
    with store.session(principal="test") as session:
        events = history(session, Contact.crm_type, id_)
    assert [event.change.operation for event in events] == ["create", "update", "update"]
    assert events[0].change.after["name"] == ERASED
    assert events[0].change.after["language"] == "en"


def test_it_is_final(store):
    id_ = person(store)
    created, changed, removed = (head.id for head in support.heads(store))
    erase(store, id_)
    erasure = support.heads(store)[-1].id
    with store.session(principal="test") as session:
        with pytest.raises(UndoConflict, match="final"):
            session.undo(erasure)
        for change_set, message in ((changed, "erased"), (removed, "erased")):
            with pytest.raises(UndoConflict, match=message):
                session.undo(change_set)
        with pytest.raises(UndoConflict):
            session.undo(created)
    assert support.state(store)["contact", id_]["name"] == ERASED


def test_the_past_shows_the_tombstone_too(store):
    id_ = person(store)
    moment = support.heads(store)[0].at
    erase(store, id_)
    with store.session(principal="test", as_of=moment) as session:
        contact = session.get(Contact, id_)
        assert contact.name == ERASED
        assert contact.note in (None, ERASED)


def test_it_needs_its_permission_and_stands_alone(database_url):
    roles = {"boss": Role("boss", (("contact.read", Scope.ALL), ("contact.update", Scope.ALL)))}
    with support.opened(database_url, roles=roles) as store:
        id_ = person(store)
        with store.session(principal="init") as session:
            unit, user = session.add_one(Unit(name="Root")), session.add_one(User(login="li", name="Li"))
            session.add(Membership(user_id=user.id, unit_id=unit.id, role="boss"))
        with store.session("li") as session, pytest.raises(PermissionDenied):
            contacts.erase(session, session.get(Contact, id_), reason="x")
        with store.session(principal="officer") as session:
            session.add(Account(name="something else"))
            contact = session.get(Contact, id_)
            with pytest.raises(Conflict, match="stands alone"):
                contacts.erase(session, contact, reason="x")
            session.rollback()
