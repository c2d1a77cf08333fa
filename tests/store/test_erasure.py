from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import inspect, select, text

from crm_core.domain import contacts, quality
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.quality import QualityIssue
from crm_core.errors import Conflict, NotFound, PermissionDenied, UndoConflict, ValidationError
from crm_core.store.erasure import ERASED
from crm_core.store.history import history
from crm_core.store.policy import Role, Scope
from crm_core.store.tables import CHANGE, FEED_POSITION, JOB
from tests.store import journal_support as support

SECRETS = (
    "Eusebia", "Quillfeather", "欧阳倩倩", "ouyangqianqian", "ou yang", "quill@example.com", "old@example.org",
    "+8613800138000", "5550001234", "likes tulips", "hates mondays", "Honourable", "1971-03-04", "eq-key-77",
)  # fmt: skip


@pytest.fixture
def store(database_url, fill_database):
    fill_database(support.make_tables)
    with support.reopened(database_url) as store:
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


def people(store, *names: str) -> list[int]:
    with store.session(principal="test") as session:
        return [session.add_one(Contact(name=name)).id for name in names]


def point(store, contact: int, value: str, **values) -> int:
    with store.session(principal="test") as session:
        made = ContactPoint(contact_id=contact, kind=PointKind.EMAIL, value=value, **values)
        return session.add_one(made).id


def change(store, entity, id_: int, reason: str | None = None, **values) -> None:
    with store.session(principal="test", reason=reason) as session:
        record = session.get(entity, id_)
        for name, value in values.items():
            setattr(record, name, value)


def journal(store) -> str:
    with store.session(principal="test", read_only=True) as session:
        return "\n".join(map(str, session.core(select(CHANGE)).all()))


def reasons(store) -> list[str | None]:
    return [head.reason for head in support.heads(store)]


def test_what_a_row_held_while_it_was_theirs_goes_and_what_it_held_for_others_stays(store):
    gone, other = people(store, "Gone", "Other")
    moved = point(store, gone, "theirs@x.example", label="their desk")
    change(store, ContactPoint, moved, contact_id=other, value="others@x.example", label="other desk")
    later = point(store, gone, "both@x.example")
    change(store, ContactPoint, later, contact_id=other)
    change(store, ContactPoint, later, value="after@x.example")
    lent = point(store, other, "lent@x.example")
    for contact in (gone, other):
        change(store, ContactPoint, lent, contact_id=contact)
    change(store, ContactPoint, lent, value="lent-later@x.example")
    back = point(store, gone, "back@x.example")
    change(store, ContactPoint, back, contact_id=other)
    with store.session(principal="test") as session:
        session.delete_many(ContactPoint, [back])
    erase(store, gone)
    found = journal(store)
    for value in ("theirs@x", "their desk", "both@x", "back@x"):
        assert value not in found, value
    for value in ("others@x", "other desk", "after@x", "lent@x", "lent-later@x"):
        assert value in found, value
    state = support.state(store)
    assert [state["contact_point", id_]["value"] for id_ in (moved, later, lent)] == [
        "others@x.example", "after@x.example", "lent-later@x.example",
    ]  # fmt: skip


def test_a_key_that_was_theirs_once_goes_too(store):
    gone, other = people(store, "Gone", "Other")
    with store.session(principal="test") as session:
        refs = [
            session.add_one(ExternalRef(system="erp", record_type="contact", key=key, record_id=gone)).id
            for key in ("deleted@x.example", "moved@x.example", "kept@x.example")
        ]
    change(store, ExternalRef, refs[1], record_id=other, key="other@x.example")
    with store.session(principal="test") as session:
        session.delete_many(ExternalRef, refs[:1])
    erase(store, gone)
    found = journal(store)
    assert [key for key in ("deleted@x", "moved@x", "kept@x", "other@x") if key in found] == ["other@x"]
    state = support.state(store)
    assert state["external_ref", refs[1]]["key"] == "other@x.example"
    assert state["external_ref", refs[2]]["key"].startswith(ERASED)


def test_it_is_said_when(store):
    gone, other = people(store, "Gone", "Other")
    erase(store, gone)
    with store.session(principal="test") as session:
        at = session.get(Contact, gone).erased_at
        assert at is not None and abs(at - session.clock()) < dt.timedelta(minutes=5)
        assert session.get(Contact, other).erased_at is None
        assert history(session, Contact.crm_type, gone)[-1].change.after["erased_at"] == at


def test_notes_and_labels_go(store):
    (gone,) = people(store, "Gone")
    point(store, gone, "x@x.example", label="Quillfeather's desk")
    with store.session(principal="test") as session:
        issue = session.add_one(
            QualityIssue(contact_id=gone, record_type="contact", record_id=gone, field="name", found="Quillfeather",
                         proposed="Quillfether", reason="says Quillfeather")
        )  # fmt: skip
        quality.refuse(session, issue, note="Quillfeather is right")
    erase(store, gone)
    assert "Quill" not in journal(store) + str(support.state(store))


def test_reasons_that_were_about_them_alone_or_name_them_go(store):
    gone, other = people(store, "Eusebia Quillfeather", "Other")
    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Acme")).id
    with store.session(principal="test", reason="she moved there") as session:
        session.add(Affiliation(account_id=account, contact_id=gone, role="buyer"))
        session.get(Contact, gone).language = "en"
    change(store, Contact, other, "eusebia quillfeather says so", language="fr")  # not theirs: it cannot be found
    with store.session(principal="test", reason="both of EUSEBIA QUILLFEATHER's firm") as session:
        for id_ in (gone, other):
            session.get(Contact, id_).salutation = "Dr"
    with store.session(principal="test", reason="titles") as session:
        for id_ in (gone, other):
            session.get(Contact, id_).salutation = "Prof"
    erase(store, gone)
    erase(store, gone)
    assert reasons(store)[2:] == [
        ERASED, "eusebia quillfeather says so", ERASED, "titles", "asked for it", "asked for it",
    ]  # fmt: skip


def test_errors_that_name_them_go(store):
    gone, _ = people(store, "Eusebia Quillfeather", "Li")
    point(store, gone, "quill@example.com")
    change(store, Contact, gone, local_name="欧阳倩倩")
    errors = [
        "ValueError: eusebia quillfeather",
        "no mail to quill@example.com",
        "找不到欧阳倩倩的订单",
        "quill@example.community",
        None,
    ]
    now = dt.datetime.now(dt.UTC)
    with store.engine.begin() as connection:
        for number, error in enumerate(errors):
            connection.execute(
                JOB.insert().values(
                    id=number, name=f"j{number}", arguments="{}", state="dead", run_at=now, attempts=1,
                    last_error=error, note=error, created_at=now, touched_at=now,
                )
            )  # fmt: skip
        connection.execute(
            FEED_POSITION.insert().values(
                consumer="x", place=0, change_set_id=0, failures=1, put_aside=0, last_error="Quillfeather, Eusebia "
                "Quillfeather",
            )
        )  # fmt: skip
    erase(store, gone)
    with store.engine.connect() as connection:
        kept = connection.execute(select(JOB.c.last_error, JOB.c.note).order_by(JOB.c.id)).all()
        assert kept == [(ERASED, ERASED)] * 3 + [("quill@example.community",) * 2, (None, None)]
        assert connection.execute(select(FEED_POSITION.c.last_error)).scalar() == ERASED


def test_a_text_that_names_them_is_erased_by_hand(store):
    with store.session(principal="test") as session:
        account = session.add_one(Account(name="Quillfeather & Co", note="ask Quillfeather", grade="A"))
        activity = session.add_one(
            Activity(kind="call", subject="Quillfeather", outcome="likes it", account_id=account.id)
        )
        acme = account.id
    change(store, Activity, activity.id, outcome="Quillfeather likes it")
    with store.session(principal="officer") as session:
        found = session.get(Activity, activity.id)
        assert contacts.erase_texts(session, found, "subject", "outcome", reason="asked for it") == 2
        found.subject = "A call"
        session.commit()
        contacts.erase_texts(session, session.get(Account, acme), "name", "note", reason="asked for it")
    assert "Quill" not in journal(store) + str(support.state(store))
    with store.session(principal="test") as session:
        found = session.get(Activity, activity.id)
        assert (found.subject, found.outcome, session.get(Account, acme).grade) == ("A call", None, "A")
        with pytest.raises(ValidationError, match="status is no text"):
            contacts.erase_texts(session, found, "status", reason="x")
        with pytest.raises(NotFound, match="subjet"):
            contacts.erase_texts(session, found, "subjet", reason="x")


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
