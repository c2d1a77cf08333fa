from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Contact
from crm_core.domain.handovers import Handover
from crm_core.domain.organisation import Unit, User
from crm_core.store.differences import filled
from crm_core.testing.strategies import records
from tests.store import journal_support as support
from tests.store.journal_support import Machine, Note

TYPES = sorted(support.all_types())
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
TARGETS = {"account": Account, "contact": Contact, "unit": Unit, "user": User, "activity": Activity}


@pytest.fixture
def store(database_url, fill_database):
    fill_database(support.make_tables)
    with support.reopened(database_url) as store:
        yield store


@pytest.fixture
def targets(store) -> dict[str, int]:
    """One record of each type that others refer to."""
    with store.session(principal="test") as session:
        made = {
            "account": session.add_one(Account(name="target")),
            "contact": session.add_one(Contact(name="target")),
            "unit": session.add_one(Unit(name="target")),
            "user": session.add_one(User(login="target", name="target")),
            "activity": session.add_one(Activity(kind="call", subject="target")),
        }
        made["handover"] = session.add_one(Handover(leaver_id=made["user"].id))
        made["journal_test.machine"] = session.add_one(Machine(account_id=made["account"].id, name="target"))
        return {name: record.id for name, record in made.items()}


@pytest.mark.parametrize("name", TYPES)
@settings(
    max_examples=8, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_what_is_written_is_read(store, targets, name, data):
    record_type = store.types[name]
    given_refs = {
        field.name: st.sampled_from([targets[field.target], *([None] if field.optional else [])])
        for field in record_type.refs
    }
    if name == "account":
        given_refs |= {"registration_country": st.none(), "registration_number": st.none()}
    if name == "quality_issue":
        given_refs["field"] = st.none()  # a proposal is about the record that it is shown for
    if name == "external_ref":
        given_refs["key"] = st.uuids().map(str)
    strategy = records(record_type.cls, **given_refs)
    rows = data.draw(st.lists(strategy, min_size=1, max_size=3))
    if record_type.exclusive or record_type.extends:
        rows = rows[:1]
    expected = [
        {field.name: field.check(row.get(field.name, field.initial() if not field.required else None), name)
         for field in record_type.fields}
        for row in rows
    ]  # fmt: skip
    if record_type.extends:
        rows = [{**row, "id": targets[record_type.extends]} for row in rows]
    with store.session(principal="test") as session:
        ids = session.add_many(record_type.cls, rows)
    assert read(store, record_type, ids) == expected
    _last_change_says(store, ids, expected)
    with store.session(principal="test") as session:
        session.delete_many(record_type.cls, ids)
    with store.session(principal="test") as session:
        made = [record_type.cls(**{key: value for key, value in row.items() if key != "id"}) for row in rows]
        for record, id_ in zip(made, ids, strict=True):
            record.id = id_ if record_type.extends else None
        session.add_all(made)
    ids = [record.id for record in made]
    assert read(store, record_type, ids) == expected
    _last_change_says(store, ids, expected)
    with store.session(principal="test") as session:
        session.delete_many(record_type.cls, ids)


def read(store, record_type, ids):
    """By the ORM, in a session that has not seen them."""
    with store.session(principal="test", read_only=True) as session:
        query = select(record_type.cls).where(record_type.cls.id.in_(ids))
        found = {record.id: record for record in session.scalars(query, execution_options={"all_dates": True})}
        return [{field.name: getattr(found[id_], field.name) for field in record_type.fields} for id_ in ids]


def _last_change_says(store, ids, expected):
    """The journal's JSON gives back the same values."""
    rows = {row.record_id: row for row in support.changes(store, support.heads(store)[-1].id)}
    assert [support.decoded(store, rows[id_])[1] for id_ in ids] == [filled(values) for values in expected]


SAMPLES = [
    "a", "B", "Z", "z", "é", "ß", "ｚ", "中", "单", "𠀀", "\ue000", "\uffff", "a b", "a-b", "ab", "A", "_", "~", "",
]  # fmt: skip


def test_text_is_ordered_by_code_point_and_the_absent_come_last(store):
    with store.session(principal="test") as session:
        session.add_many(Note, [{"name": "x", "body": body} for body in [*SAMPLES, None]])
    with store.session(principal="test") as session:
        for order, expected in (("body", sorted(SAMPLES)), ("body desc", sorted(SAMPLES, reverse=True))):
            assert [each.body for each in session.list(Note, order=order)] == [*expected, None]
        found = session.scalars(select(Note.body).where(Note.body > "Z").order_by(Note.body)).all()
        assert found == sorted(sample for sample in SAMPLES if sample > "Z")


def test_names_are_ordered_as_people_read_them(store):
    names = ["曾子墨", "单田芳", "仇英", "Ábel", "abel", "Zoe", "Ｂｏｂ", "解晓东", "欧阳修"]
    with store.session(principal="test") as session:
        session.add_many(Contact, [{"name": name} for name in names])
    with store.session(principal="test") as session:
        found = [each.name for each in session.list(Contact, order="name")]
    assert found == ["abel", "Ｂｏｂ", "欧阳修", "仇英", "单田芳", "解晓东", "曾子墨", "Zoe", "Ábel"]


@pytest.mark.parametrize("order", ["note", "note desc", "employees, name", "grade desc, name desc"])
def test_pages_meet_without_gap_or_overlap(store, order):
    rows = [
        {"name": f"{number % 3}", "note": SAMPLES[number % len(SAMPLES)] if number % 4 else None,
         "employees": number % 5 or None, "grade": "ABC"[number % 3] if number % 2 else None}
        for number in range(23)
    ]  # fmt: skip
    with store.session(principal="test") as session:
        session.add_many(Account, rows)
    with store.session(principal="test") as session:
        whole = [each.id for each in session.list(Account, order=order, limit=None)]
        pages: list[int] = []
        after = None
        while page := session.list(Account, order=order, limit=4, after=after):
            pages += [each.id for each in page]
            after = session.cursor(page[-1], order)
    assert pages == whole
    assert len(set(whole)) == 23
