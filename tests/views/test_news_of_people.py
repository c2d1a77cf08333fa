"""News of people: who was deleted, how somebody is called now, and no word to whoever may not see it."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from sqlalchemy import event, func, insert, select

from crm_core import (
    Account,
    Affiliation,
    Contact,
    ContactPoint,
    Ownership,
    OwnershipRole,
    PointKind,
    contacts,
    merging,
    ownership,
)
from crm_core.store.parts import AT_ONCE
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.views import looked, whats_new


def account(session, name, *owners):
    found = session.add_one(Account(name=name))
    for number, login in enumerate(owners):
        role = OwnershipRole.OWNER if number == 0 else OwnershipRole.COLLABORATOR
        ownership.assign(session, found, to=login, role=role, since_always=True)
    return found


def told(crm, login="li.wei", *, keep=False):
    """What somebody is told, all of it; they have read it unless they keep it."""
    with crm.session(login) as session:
        news = whats_new(session)
        if not keep:
            looked(session, news)
        return {
            (each.name, learned.kind, learned.count, learned.text.format(**learned.values))
            for each in news
            for learned in each.learned
        }


@pytest.fixture
def acme(crm):
    """An account of li.wei and wang.fang with Ann, the buyer, and ways to reach her and it, of which both know."""
    with crm.system_session("test") as session:
        found = account(session, "Acme", "li.wei", "wang.fang")
        ann = session.add_one(Contact(name="Ann"))
        contacts.affiliate(session, ann, found, role="buyer", from_=dt.date(2024, 1, 1))
        session.add(ContactPoint(contact_id=ann.id, kind=PointKind.EMAIL, value="ann@example.com"))
        session.add(ContactPoint(account_id=found.id, kind=PointKind.EMAIL, value="info@example.com"))
    for login in ("li.wei", "wang.fang", "chen.yi"):
        told(crm, login)
    return found


def ann(session):
    return session.list(Contact, 'name == "Ann"')[0]


def point(session, value):
    return session.list(ContactPoint, f'value == "{value}"')[0]


def test_a_place_and_points_that_others_deleted_are_told_once(crm, acme):
    with crm.session("wang.fang") as session:
        session.delete(point(session, "ann@example.com"))
    with crm.session("wang.fang") as session:
        session.delete(point(session, "info@example.com"))
    news = told(crm, keep=True)
    assert {each[:3] for each in news} == {("Acme", "contact_point", 2)}
    assert {each[3] for each in news} <= {"Ann: ann@example.com was deleted", "info@example.com was deleted"}
    with crm.session("wang.fang") as session:
        session.delete(session.list(Affiliation)[0])
    assert ("Acme", "people", 1, "Ann is no longer listed there: buyer") in told(crm)
    assert told(crm) == set()
    assert told(crm, "wang.fang") == set()


def test_of_each_point_it_is_told_whose_it_was(crm, acme):
    for value, said in (("ann@example.com", "Ann: ann@example.com was deleted"),
                        ("info@example.com", "info@example.com was deleted")):  # fmt: skip
        with crm.session("wang.fang") as session:
            session.delete(point(session, value))
        assert told(crm) == {("Acme", "contact_point", 1, said)}


def test_a_deleted_person_is_told_by_the_name_that_they_had(crm, acme):
    with crm.system_session("clean-up") as session:
        session.delete(ann(session))
    # How to reach somebody who is not there any more is no news beside it.
    assert told(crm) == {("Acme", "people", 1, "Ann is no longer listed there: buyer")}


def test_what_came_and_went_between_two_looks_tells_nothing(crm, acme):
    with crm.session("wang.fang") as session:
        bob = session.add_one(Contact(name="Bob"))
        contacts.affiliate(session, bob, session.require(Account, acme.id), role="clerk", since_always=True)
        session.add(ContactPoint(contact_id=bob.id, kind=PointKind.EMAIL, value="bob@example.com"))
        session.add(ContactPoint(account_id=acme.id, kind=PointKind.EMAIL, value="new@example.com"))
    with crm.session("wang.fang") as session:
        session.delete(point(session, "new@example.com"))
        session.delete(point(session, "bob@example.com"))
        session.delete(session.list(Affiliation, 'role == "clerk"')[0])
    assert told(crm) == set()


def test_what_was_brought_back_is_no_news(crm, acme):
    with crm.session("wang.fang") as session:
        session.delete(session.list(Affiliation)[0])
        session.delete(point(session, "info@example.com"))
    with crm.system_session("mend") as undoing:
        undoing.undo(session.last_change_set)
    assert told(crm) == set()


def test_what_was_told_as_deleted_is_told_as_there_again(crm, acme):
    with crm.session("wang.fang") as session:
        session.delete(session.list(Affiliation)[0])
    assert told(crm) == {("Acme", "people", 1, "Ann is no longer listed there: buyer")}
    with crm.system_session("mend") as undoing:
        undoing.undo(session.last_change_set)
    assert told(crm) == {("Acme", "people", 1, "Ann is there: buyer")}


def test_a_place_that_had_ended_before_is_deleted_without_a_word(crm, acme):
    with crm.session("wang.fang") as session:
        contacts.move(session, ann(session), to=session.require(Account, acme.id), role="director")
    told(crm)
    with crm.session("wang.fang") as session:
        session.delete(session.list(Affiliation, 'role == "buyer"', all_dates=True)[0])
    assert told(crm) == set()


def test_whoever_merges_two_of_one_person_deletes_nobody(crm, acme):
    with crm.system_session("test") as session:
        twin = session.add_one(Contact(name="Ann B."))
        contacts.affiliate(session, twin, session.require(Account, acme.id), role="buyer", from_=dt.date(2024, 1, 1))
    told(crm)
    with crm.system_session("test") as session:
        merging.merge(session, ann(session), session.require(Contact, twin.id))
    assert not any("no longer" in each[3] for each in told(crm))


def test_a_new_name_is_told(crm, acme):
    with crm.session("wang.fang") as session:
        ann(session).name = "Anna"
    assert told(crm, keep=True) == {("Acme", "people", 1, "Ann is called Anna now")}
    with crm.session("wang.fang") as session:
        session.list(Contact)[0].local_name = "安娜"
    assert told(crm) == {("Acme", "people", 1, "Ann is called Anna now")}
    with crm.session("wang.fang") as session:
        session.list(Contact)[0].local_name = "安"
        session.list(Contact)[0].birthday = dt.date(1990, 1, 1)
    assert told(crm) == {("Acme", "people", 1, "Anna is written 安 now")}
    with crm.session("wang.fang") as session:
        session.list(Contact)[0].local_name = None
    assert told(crm) == {("Acme", "people", 1, "Anna has no local name any more")}
    with crm.session("li.wei") as session:
        session.list(Contact)[0].name = "Ann"
    assert told(crm) == set()
    assert told(crm, "wang.fang") == {("Acme", "people", 1, "Anna is called Ann now")}


def test_an_erased_person_is_told_by_no_name(crm, acme):
    with crm.session("wang.fang") as session:
        ann(session).name = "Anna"
    with crm.session("wang.fang") as session:
        session.delete(point(session, "ann@example.com"))
    with crm.system_session("test") as session:
        contacts.erase(session, session.list(Contact)[0], reason="asked for it")
    assert "Ann" not in repr(told(crm))
    assert "ann@" not in repr(told(crm))


def test_how_somebody_is_called_since_they_are_out_of_sight_is_not_told(crm, acme):
    with crm.session("wang.fang") as session:
        session.delete(session.list(Affiliation)[0])
    with crm.system_session("test") as session:
        session.list(Contact)[0].name = "Secret"
    assert told(crm) == {("Acme", "people", 1, "Ann is no longer listed there: buyer")}


def test_nobody_is_told_of_people_elsewhere(crm, acme):
    """Of whoever works at two places the owner of one is told, and learns nothing of the other."""
    with crm.system_session("test") as session:
        other = account(session, "Other", "zhao.min")
        contacts.affiliate(session, ann(session), other, role="adviser", since_always=True)
        past = account(session, "Past", "wang.fang")
        bob = session.add_one(Contact(name="Bob"))
        contacts.affiliate(session, bob, past, role="clerk", since_always=True)
    told(crm)
    told(crm, "zhao.min")
    with crm.system_session("test") as session:
        session.delete(session.list(Affiliation, 'role == "clerk"')[0])
        session.delete(session.list(Affiliation, 'role == "adviser"')[0])
        session.delete(point(session, "info@example.com"))
    assert told(crm) == {("Acme", "contact_point", 1, "info@example.com was deleted")}
    assert told(crm, "zhao.min") == {("Other", "people", 1, "Ann is no longer listed there: adviser")}


def test_a_reader_sees_no_more_of_others_than_they_may(crm, acme):
    """Whoever looks for a colleague is told what they themselves may see, also of what is gone."""
    with crm.system_session("test") as session:
        session.delete(ann(session))
    with crm.session("zhao.min", read_only=True) as session:
        assert "Ann" not in repr(whats_new(session, "li.wei"))
    with crm.session("chen.yi", read_only=True) as session:
        assert "Ann" in repr(whats_new(session, "li.wei"))


def test_without_the_right_to_read_people_nobody_is_told_of_them(open_crm):
    build = {"roles": {"blind": {"permissions": {"account.read": "all", "ownership.read": "all",
                                                 "contact_point.read": "all"}}}}  # fmt: skip
    crm = open_crm(**build)
    with crm.system_session("test") as session:
        from crm_core import Unit, User, organisation

        blind = session.add_one(User(login="blind", name="Blind"))
        organisation.join(session, blind, session.list(Unit)[0], role="blind", since_always=True)
        acme = account(session, "Acme", "li.wei", "blind")
        person = session.add_one(Contact(name="Ann"))
        contacts.affiliate(session, person, acme, role="buyer", since_always=True)
        session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="ann@example.com"))
        session.add(ContactPoint(account_id=acme.id, kind=PointKind.EMAIL, value="info@example.com"))
    for login in ("li.wei", "blind"):
        told(crm, login)
    with crm.system_session("test") as session:
        session.list(Contact)[0].name = "Anna"
        for each in session.list(ContactPoint):
            session.delete(each)
    assert told(crm, "blind") == {("Acme", "contact_point", 1, "info@example.com was deleted")}
    with crm.system_session("test") as session:
        session.delete(session.list(Affiliation)[0])
    assert told(crm, "blind") == set()
    assert ("Acme", "people", 1, "Anna is no longer listed there: buyer") in told(crm)


def test_statements_do_not_grow_with_what_was_deleted(crm, acme, statements):
    counts = []
    for size in (0, 1, 20):
        with crm.system_session("test") as session:
            made = [session.add_one(Contact(name=f"P{size} {number}")) for number in range(2 * size)]
            for person in made:
                contacts.affiliate(session, person, session.require(Account, acme.id), since_always=True)
                session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="x@example.com"))
        told(crm)
        with crm.system_session("test") as session:
            for person in made[:size]:
                session.delete(session.require(Contact, person.id))
            for person in made[size:]:
                session.require(Contact, person.id).name += "!"
                session.delete(session.list(ContactPoint, f"contact_id == {person.id}")[0])
        with crm.session("li.wei", read_only=True) as session:
            session.list(Ownership, limit=1)  # what a session does once
            with statements(crm) as seen:
                news = whats_new(session)
            assert sum(each.count for one in news for each in one.learned) == 3 * size
            counts.append(len(seen))
    assert len(set(counts)) == 1, counts


@pytest.fixture
def secret(crm):
    """An account of zhao.min, which li.wei does not see, with Zoe; and Acme of li.wei, who has looked."""
    with crm.system_session("test") as session:
        elsewhere, acme = account(session, "Secretco", "zhao.min"), account(session, "Acme", "li.wei")
        zoe = session.add_one(Contact(name="Zoe"))
        contacts.affiliate(session, zoe, elsewhere, role="spy", since_always=True)
        session.add(ContactPoint(contact_id=zoe.id, kind=PointKind.EMAIL, value="zoe@secretco.example"))
    told(crm)
    told(crm, "zhao.min")
    return acme.id


def zoe(session):
    return session.list(Contact)[0]


def moved(session, how, acme):
    """Zoe comes to Acme: by a new place, by one that was known to begin before, or by the old one edited."""
    if how == "moved":
        contacts.move(session, zoe(session), to=session.require(Account, acme), role="buyer")
    elif how == "backdated":
        contacts.affiliate(
            session, zoe(session), session.require(Account, acme), role="buyer", from_=dt.date(2020, 1, 1)
        )
    else:
        session.list(Affiliation)[0].account_id = acme


@pytest.mark.parametrize("how", ["moved", "backdated", "edited"])
@pytest.mark.parametrize("at_once", [False, True])
def test_what_was_deleted_before_somebody_came_is_not_told(crm, secret, how, at_once):
    with crm.system_session("test") as session:
        session.delete(session.list(ContactPoint)[0])
        if at_once:
            moved(session, how, secret)
    if not at_once:
        with crm.system_session("test") as session:
            moved(session, how, secret)
    assert "secretco" not in repr(told(crm))


def test_a_place_that_begins_after_the_deletion_is_none_yet(crm, secret):
    with crm.system_session("test") as session:
        later = session.now + dt.timedelta(seconds=0.2)
        contacts.affiliate(session, zoe(session), session.require(Account, secret), role="buyer", from_=later)
    with crm.system_session("test") as session:
        session.delete(session.list(ContactPoint)[0])
    time.sleep(0.3)
    assert "secretco" not in repr(told(crm))


def test_what_is_deleted_of_somebody_who_came_is_told(crm, secret):
    with crm.system_session("test") as session:
        moved(session, "moved", secret)
    with crm.system_session("test") as session:
        session.delete(session.list(ContactPoint)[0])
    assert ("Acme", "contact_point", 1, "Zoe: zoe@secretco.example was deleted") in told(crm)


@pytest.mark.parametrize("how", ["moved", "backdated", "edited"])
def test_how_somebody_was_called_before_they_came_is_not_told(crm, secret, how):
    with crm.system_session("test") as session:
        zoe(session).name = "Zoe Two"
    with crm.system_session("test") as session:
        moved(session, how, secret)
    with crm.system_session("test") as session:
        zoe(session).local_name = "佐伊"
    assert [each for each in told(crm) if "Zoe is called" in each[3] or each[2] != 1] == []
    # Whoever has seen them is told of the next name.
    with crm.system_session("test") as session:
        zoe(session).name = "Zoe Three"
    assert told(crm) == {("Acme", "people", 1, "Zoe Two is called Zoe Three now")}


@pytest.mark.parametrize("steps", [("account_id",), ("role", "account_id")])
def test_which_role_somebody_had_elsewhere_is_not_told_when_their_place_is_deleted(crm, secret, steps):
    for step in steps:
        with crm.system_session("test") as session:
            place = session.list(Affiliation)[0]
            place.role = "buyer"
            if step == "account_id":
                place.account_id = secret
    with crm.system_session("test") as session:
        session.delete(session.list(Affiliation)[0])
    assert told(crm) == set()


def test_a_place_that_a_merge_brought_is_told_when_it_is_deleted(crm, acme):
    with crm.system_session("test") as session:
        twin = session.add_one(Contact(name="Ann B."))
        contacts.affiliate(session, twin, session.require(Account, acme.id), role="director", since_always=True)
    told(crm)
    with crm.system_session("test") as session:
        merging.merge(session, ann(session), session.require(Contact, twin.id))
    with crm.system_session("test") as session:
        session.delete(session.list(Affiliation, 'role == "director"')[0])
    assert any("is no longer listed there: director" in each[3] for each in told(crm))


def test_what_a_plugin_adds_to_a_place_does_not_make_it_new(crm, acme):
    """An extension has the id of its record; one that was made since the look is not the record."""
    with crm.session("wang.fang") as session:
        place = session.list(Affiliation)[0]
        session.delete(place)
    with crm.store.engine.begin() as connection:
        last = connection.scalar(select(func.max(CHANGE_SET.c.id)))
        connection.execute(
            insert(CHANGE).values(
                change_set_id=last, position=99, type="probe.badge", record_id=place.id, version=1, operation="create",
                after="{}",
            )
        )  # fmt: skip
    assert told(crm) == {("Acme", "people", 1, "Ann is no longer listed there: buyer")}


def test_no_statement_names_more_than_a_database_takes(crm, acme):
    """Others delete far more points than one statement may name, most of them elsewhere."""
    many = 2 * AT_ONCE + 300
    with crm.system_session("test") as session:
        other = account(session, "Other", "zhao.min")
        people = list(session.add_many(Contact, [{"name": f"P {number}"} for number in range(many)]))
        session.add_many(
            Affiliation,
            [{"contact_id": id_, "account_id": (acme, other)[number % 2].id, "role": "x"}
             for number, id_ in enumerate(people)],
        )  # fmt: skip
        made = session.add_many(
            ContactPoint, [{"contact_id": id_, "kind": "email", "value": "x@example.com"} for id_ in people]
        )
        points = list(made)
    told(crm)
    with crm.system_session("test") as session:
        session.delete_many(ContactPoint, points)
        session.update_many(Contact, [{"id": id_, "name": f"N {id_}"} for id_ in people])
    sizes = []

    def watch(connection, cursor, statement, parameters, context, executemany):
        sizes.append(len(parameters))

    event.listen(crm.store.engine, "before_cursor_execute", watch)
    try:
        counts = {each[1]: each[2] for each in told(crm)}
    finally:
        event.remove(crm.store.engine, "before_cursor_execute", watch)
    assert counts == {"contact_point": many // 2, "people": many // 2}
    assert max(sizes) < AT_ONCE + 100
