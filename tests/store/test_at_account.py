"""An activity with a person alone is filed at the account where they work, so that it is part of its story."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from crm_core import (
    Account,
    Activity,
    Affiliation,
    Contact,
    Crm,
    Status,
    Unit,
    User,
    activities,
    contacts,
    merging,
    organisation,
    ownership,
)
from crm_core.exchange import read_mapping, run_import
from crm_core.views import looked, next_actions, overview, timeline, whats_new

NOW = dt.datetime.now(dt.UTC)


def day(days):
    return NOW + dt.timedelta(days=days)


@pytest.fixture
def crm(database_url, fill_database):
    build = {"crm": {"time_zone": "Asia/Shanghai"}}
    fill_database(_found, json.dumps(build))
    with Crm.open(build, database=database_url, check=False) as crm:
        yield crm


def _found(url, build):
    with Crm.open(json.loads(build), database=url, check=False) as crm:
        crm.migrate()
        with crm.system_session("init") as session:
            top = session.add_one(Unit(name="All"))
            for login, role in (("li", "sales"), ("fang", "sales"), ("zhao", "sales"), ("chen", "manager")):
                user = session.add_one(User(login=login, name=login.title()))
                organisation.join(session, user, top, role=role, since_always=True)
            for name, owner in (("Acme", "li"), ("Beta", "fang"), ("Gamma", "li")):
                ownership.assign(session, session.add_one(Account(name=name)), to=owner, since_always=True)


def account(session, name):
    return session.list(Account, f'name == "{name}"')[0]


def person(session, name, *places):
    """Somebody who works at accounts; one with a star is their main place."""
    found = session.add_one(Contact(name=name))
    for each in places:
        where = account(session, each.removesuffix("*"))
        contacts.affiliate(session, found, where, since_always=True, primary=each.endswith("*"))
    return found


def filed(session, activity):
    """At which account an activity stands now."""
    id_ = session.require(Activity, activity.id).account_id
    return None if id_ is None else session.require(Account, id_).name


@pytest.mark.parametrize(("places", "expected"), [
    ((), None), (("Acme",), "Acme"), (("Acme", "Beta"), None), (("Acme", "Beta*"), "Beta"), (("Acme*", "Beta*"), None),
])  # fmt: skip
def test_it_is_the_only_place_or_the_only_main_one(crm, places, expected):
    with crm.system_session("test") as session:
        ann = person(session, "Ann", *places)
        (call,) = activities.plan(session, "call", "Ring", start=NOW, contact=ann, user="li")
        (named,) = activities.plan(session, "call", "Ring", start=NOW, contact=ann, account=account(session, "Gamma"))
    with crm.system_session("test", read_only=True) as session:
        assert (filed(session, call), filed(session, named)) == (expected, "Gamma")
        # It is one thing that was written, and stands in the journal as one.
        (event,) = session.history(Activity, call.id)
        assert event.change.after.get("account_id") == session.require(Activity, call.id).account_id


def test_it_is_where_they_worked_at_that_time(crm):
    with crm.system_session("test") as session:
        ann = person(session, "Ann", "Acme")
        contacts.move(session, ann, to=account(session, "Beta"), at=day(-10))
        calls = [
            session.add_one(Activity(kind="call", subject="Ring", contact_id=ann.id, status=Status.HELD, started_at=at))
            for at in (day(-20), day(-5))
        ]
        some_day = session.add_one(Activity(kind="task", subject="Some day", contact_id=ann.id))
    with crm.system_session("test", read_only=True) as session:
        assert [filed(session, each) for each in (*calls, some_day)] == ["Acme", "Beta", "Beta"]


def test_many_rows_and_imports_are_filed_and_taken_in_again_without_a_change(crm, tmp_path):
    with crm.system_session("test") as session:
        ann = person(session, "Ann", "Acme")
        rows = [{"kind": "call", "subject": f"Ring {number}", "contact_id": ann.id} for number in range(30)]
        ids = session.add_many(Activity, rows)
    with crm.system_session("test", read_only=True) as session:
        acme = account(session, "Acme").id
        assert {session.require(Activity, id_).account_id for id_ in ids} == {acme}
    mapping = _calls(tmp_path, "C1,Ring,P1,")
    versions = set()
    for number in range(3):
        report = run_import(crm, mapping, tmp_path)
        assert (report.sections[-1].created, report.updated) == (not number, 0)
        with crm.system_session("test", read_only=True) as session:
            (call,) = session.list(Activity, 'subject == "Ring"')
            assert call.account_id == acme
            versions.add(call.version)
            assert (len(versions), len(session.history(Activity, call.id))) == (1, 1)


def _calls(folder, *lines):
    """Files of people, of the places where they work, and of calls with them; and the mapping for these."""
    (folder / "people.csv").write_text("no,name\nP1,Bob\nP2,Cid\n", encoding="utf-8")
    (folder / "places.csv").write_text("no,person,account\nA1,P1,Acme\nA2,P2,Beta\n", encoding="utf-8")
    (folder / "calls.csv").write_text("\n".join(["no,what,person,account", *lines]), encoding="utf-8")
    lookup, where = ({"column": "person", "lookup": "contact"},
                     {"column": "account", "lookup": {"record": "account", "by": "name"}})  # fmt: skip
    sections = [
        {"record": "contact", "file": "people.csv", "key": "no", "fields": {"name": "name"}},
        {"record": "affiliation", "file": "places.csv", "key": "no", "on_update": "skip",
         "fields": {"contact_id": lookup, "account_id": where}},
        {"record": "activity", "file": "calls.csv", "key": "no",
         "fields": {"contact_id": lookup, "subject": "what", "kind": {"value": "call"},
                    "account_id": where}},
    ]  # fmt: skip
    return read_mapping({"source": {"system": "erp"}, "section": sections})


def test_a_file_taken_in_again_leaves_a_call_where_the_person_worked_then(crm, tmp_path):
    mapping = _calls(tmp_path, "C1,Ring,P1,")
    run_import(crm, mapping, tmp_path)
    with crm.system_session("test") as session:
        (call,) = session.list(Activity)
        contacts.move(session, session.list(Contact, 'name == "Bob"')[0], to=account(session, "Beta"))
    for line, what, updated in (("C1,Ring,P1,", "Ring", 0), ("C1,Ring again,P1,", "Ring again", 1)):
        mapping = _calls(tmp_path, line)
        assert run_import(crm, mapping, tmp_path).updated == updated
        with crm.system_session("test", read_only=True) as session:
            assert (filed(session, call), session.require(Activity, call.id).subject) == ("Acme", what)
            assert len(session.history(Activity, call.id)) == 1 + updated
            assert session.require(Activity, call.id).version == call.version + updated
    with crm.session("fang", read_only=True) as session:
        assert session.list(Activity) == []


def test_a_file_that_names_somebody_else_files_the_call_with_them(crm, tmp_path):
    run_import(crm, _calls(tmp_path, "C1,Ring,P1,", "C2,Named,P1,Gamma"), tmp_path)
    report = run_import(crm, _calls(tmp_path, "C1,Ring,P2,", "C2,Named,P1,"), tmp_path)
    assert report.updated == 1
    with crm.system_session("test", read_only=True) as session:
        found = {each.subject: filed(session, each) for each in session.list(Activity)}
        assert found == {"Ring": "Beta", "Named": "Gamma"}


@pytest.mark.parametrize(("places", "expected"), [(("Acme", "Beta"), "Acme"), (("Beta",), "Beta"), ((), None)])
def test_whoever_takes_the_account_away_finds_that_which_was_there_if_it_can_be(crm, places, expected):
    with crm.system_session("test") as session:
        ann = person(session, "Ann", *places)
        call = session.add_one(
            Activity(kind="call", subject="Ring", contact_id=ann.id, account_id=account(session, "Acme").id)
        )
    with crm.system_session("test") as session:
        session.require(Activity, call.id).account_id = None
    with crm.system_session("test", read_only=True) as session:
        assert filed(session, call) == expected


def test_one_without_a_date_is_of_the_day_on_which_it_was_written(crm):
    with crm.system_session("test") as session:
        ann = person(session, "Ann", "Acme")
        call = session.add_one(Activity(kind="call", subject="Ring"))
        call_at_gamma = session.add_one(Activity(kind="call", subject="Ring", contact_id=ann.id,
                                                 account_id=account(session, "Gamma").id))  # fmt: skip
    with crm.system_session("test") as session:
        contacts.move(session, session.require(Contact, ann.id), to=account(session, "Beta"))
    with crm.system_session("test") as session:
        session.require(Activity, call.id).contact_id = ann.id
        session.require(Activity, call_at_gamma.id).account_id = None
    with crm.system_session("test", read_only=True) as session:
        assert [filed(session, each) for each in (call, call_at_gamma)] == ["Acme", "Acme"]


def test_only_among_the_places_that_the_writer_sees(crm):
    with crm.system_session("test") as session:
        person(session, "Ann", "Acme", "Beta*")
        person(session, "Bob", "Beta")
    with crm.session("li") as session:
        ann = session.list(Contact, 'name == "Ann"')[0]
        (call,) = activities.plan(session, "call", "Ring", start=NOW, contact=ann)
    with crm.session("li", read_only=True) as session:
        assert filed(session, call) == "Acme"
    with crm.session("fang", read_only=True) as session:
        assert session.list(Activity) == []


def test_a_role_that_writes_nothing_at_an_account_files_nothing_there(database_url):
    roles = {
        "guest": {"permissions": {"account.read": "all", "affiliation.read": "all", "contact.read": "all",
                                  "activity.read": "all", "activity.create": "own"}},
    }  # fmt: skip
    with Crm.open({"roles": roles}, database=database_url, check=False) as crm:
        crm.migrate()
        _organise(crm)
        with crm.session("guest") as session:
            ann = session.list(Contact)[0]
            (call,) = activities.plan(session, "call", "Ring", start=NOW, contact=ann)
        with crm.system_session("test", read_only=True) as session:
            assert filed(session, call) == "Own"


def _organise(crm):
    """Somebody works at an account of the guest's, and mainly at one that the guest only reads."""
    with crm.system_session("init") as session:
        unit = session.add_one(Unit(name="All"))
        guest = session.add_one(User(login="guest", name="Guest"))
        organisation.join(session, guest, unit, role="guest", since_always=True)
        session.add_all([Account(name="Own"), Account(name="Read")])
        session.flush()
        ownership.assign(session, account(session, "Own"), to="guest", since_always=True)
        person(session, "Ann", "Own", "Read*")


def test_an_update_files_it_and_whoever_takes_the_account_away_finds_it_there_again(crm):
    with crm.system_session("test") as session:
        ann = person(session, "Ann", "Acme")
        call = session.add_one(Activity(kind="call", subject="Ring"))
    with crm.system_session("test") as session:
        session.require(Activity, call.id).contact_id = ann.id
    with crm.system_session("test") as session:
        assert filed(session, call) == "Acme"
        session.require(Activity, call.id).account_id = None
    with crm.system_session("test", read_only=True) as session:
        assert filed(session, call) == "Acme"
        assert len(session.history(Activity, call.id)) == 2


def test_an_undo_restores_what_was_empty(crm):
    with crm.system_session("test") as session:
        ann = person(session, "Ann", "Acme", "Beta")
        (call,) = activities.plan(session, "call", "Ring", start=NOW, contact=ann)
    with crm.system_session("test") as session:
        session.delete(session.list(Affiliation, f"account_id == {account(session, 'Beta').id}")[0])
    with crm.system_session("test") as session:
        session.delete(session.require(Activity, call.id))
    with crm.system_session("test") as undoing:
        undoing.undo(session.last_change_set)
    with crm.system_session("test") as session:
        assert filed(session, call) is None
        session.require(Activity, call.id).account_id = account(session, "Gamma").id
    with crm.system_session("test") as undoing:
        undoing.undo(session.last_change_set)
    with crm.system_session("test", read_only=True) as session:
        assert filed(session, call) is None


def test_a_merge_files_nothing_and_a_split_finds_all_as_it_was(crm):
    with crm.system_session("test") as session:
        ann, twin = person(session, "Ann", "Acme", "Beta"), person(session, "Ann B.", "Acme")
        (call,) = activities.plan(session, "call", "Ring", start=NOW, contact=ann)
    with crm.system_session("test") as session:
        merging.merge(session, session.require(Contact, twin.id), session.require(Contact, ann.id))
    with crm.system_session("test") as session:
        assert (filed(session, call), session.require(Activity, call.id).contact_id) == (None, twin.id)
        merging.split(session, ann.id)
    with crm.system_session("test", read_only=True) as session:
        assert (filed(session, call), session.require(Activity, call.id).contact_id) == (None, ann.id)


def test_it_is_news_part_of_the_story_a_contact_and_a_promise(crm):
    with crm.system_session("test") as session:
        ann = person(session, "Ann", "Acme")
    with crm.session("li") as session:
        looked(session, whats_new(session))
    with crm.session("chen") as session:
        (visit,) = activities.plan(session, "visit", "Tea", start=day(-3), contact=session.require(Contact, ann.id))
        activities.hold(session, visit, outcome="They buy", next_step="send it", next_step_due=day(-1))
    with crm.session("li", read_only=True) as session:
        acme = account(session, "Acme")
        told = {each.kind: each.values["subject"] for one in whats_new(session) for each in one.learned}
        assert told == {"visit": "Tea"}
        assert [each.title for each in timeline(session, acme) if each.record_type == "activity"] == ["Tea"]
        found = overview(session, acme)
        assert (found.people[0].last_contact, found.months[-1][1] + found.months[-2][1]) == (day(-3), 1)
        (promise,) = [each for each in next_actions(session) if each.kind == "promise"]
        assert (promise.title.format(**promise.values), promise.account_id) == ("send it", acme.id)
