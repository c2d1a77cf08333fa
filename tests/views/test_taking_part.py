"""Whoever takes part in an activity was there: colleagues of ours, and people of theirs."""

from __future__ import annotations

import datetime as dt

import pytest

from crm_core import (
    Account,
    Activity,
    Contact,
    OwnershipRole,
    Participant,
    Status,
    User,
    activities,
    contacts,
    ownership,
)
from crm_core.views import looked, next_actions, overview, whats_new

NOW = dt.datetime.now(dt.UTC)


def day(days):
    return NOW + dt.timedelta(days=days)


def account(session, name, owner="li.wei"):
    found = session.add_one(Account(name=name))
    ownership.assign(session, found, to=owner, since_always=True)
    return found


def user(session, login):
    return session.list(User, f'login == "{login}"')[0]


def to_do(crm, login, kind="visit"):
    with crm.session(login, read_only=True) as session:
        return [
            (each.title.format(**each.values), each.urgency, each.reason)
            for each in next_actions(session)
            if each.kind == kind
        ]


def test_a_colleague_is_told_of_what_is_to_come_and_not_of_what_another_was_to_hold(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme")
        fang = user(session, "wang.fang")
        ownership.assign(session, acme, to="wang.fang", role=OwnershipRole.COLLABORATOR, since_always=True)
        for name, when in (("late", -3), ("today", 0), ("soon", 3), ("far", 60)):
            activities.plan(session, "visit", name, start=day(when), account=acme, user="li.wei", colleagues=[fang])
        (gone,) = activities.plan(session, "visit", "off", start=day(1), account=acme, user="li.wei", colleagues=[fang])
        activities.cancel(session, gone)
        activities.plan(session, "visit", "own", start=day(2), account=acme, user="wang.fang", colleagues=[fang])
    assert to_do(crm, "wang.fang") == [
        ("today", 70, "You take part today."), ("own", 40, "Due on {day}."), ("soon", 40, "You take part on {day}."),
    ]  # fmt: skip
    assert to_do(crm, "li.wei") == [
        ("late", 80, "Overdue since {day}."), ("today", 70, "Due today."), ("soon", 40, "Due on {day}."),
    ]  # fmt: skip


def test_nobody_is_told_of_a_meeting_at_an_account_that_they_do_not_see(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme")
        west = user(session, "zhao.min")
        activities.plan(session, "visit", "secret", start=day(1), account=acme, user="li.wei", colleagues=[west])
    assert to_do(crm, "zhao.min") == []


def test_what_came_of_a_visit_is_no_news_to_those_who_were_there(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme", "wang.fang")
    with crm.session("wang.fang") as session:
        looked(session, whats_new(session))
    with crm.session("chen.yi") as session:
        acme = session.require(Account, acme.id)
        for name, there in (("with her", ["wang.fang"]), ("with others", ["li.wei"]), ("alone", [])):
            (visit,) = activities.plan(
                session, "visit", name, start=NOW, account=acme, colleagues=[user(session, each) for each in there]
            )
            activities.hold(session, visit, outcome=f"said {name}")
        activities.plan(session, "call", "to come", start=day(1), account=acme, colleagues=[user(session, "wang.fang")])
    with crm.session("wang.fang", read_only=True) as session:
        told = {
            each.kind: (each.count, each.values["subject"]) for one in whats_new(session) for each in one.learned
        }  # fmt: skip
    assert told.pop("visit") in ((2, "alone"), (2, "with others"))
    assert told == {"planned": (1, "to come")}


def test_whoever_was_told_of_a_meeting_is_told_that_it_does_not_take_place(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme")
        both = [user(session, login) for login in ("li.wei", "wang.fang")]
        ownership.assign(session, acme, to="wang.fang", role=OwnershipRole.COLLABORATOR, since_always=True)
        ids = [
            activities.plan(session, "visit", name, start=day(1), account=acme, user="chen.yi", colleagues=there)[0].id
            for name, there in (("with both", both), ("alone", []), ("held", both))
        ]
        activities.hold(session, session.require(Activity, ids[2]))
    with crm.session("wang.fang") as session:
        looked(session, whats_new(session))
    with crm.session("li.wei") as session:
        looked(session, whats_new(session))
        activities.cancel(session, session.require(Activity, ids[0]))
    with crm.session("chen.yi") as session:
        activities.cancel(session, session.require(Activity, ids[1]))
        # What was put down by mistake is not called off.
        session.require(Activity, ids[2]).status = Status.CANCELLED
        (brief,) = activities.plan(session, "visit", "brief", start=day(1), account=session.require(Account, acme.id))
        activities.cancel(session, brief)
    told = {}
    for login in ("li.wei", "wang.fang"):
        with crm.session(login, read_only=True) as session:
            told[login] = [
                (each.kind, each.count, each.values["subject"], session.require(User, each.who[0]).login)
                for one in whats_new(session) for each in one.learned
            ]  # fmt: skip
    assert told["wang.fang"] == [("cancelled", 2, "alone", "chen.yi")]
    assert told["li.wei"] == [("cancelled", 1, "alone", "chen.yi")]


@pytest.fixture
def met(open_crm):
    """A build in which Ann is the one whom a visit was about, Bob took part in it, and nobody ever met Cho."""
    crm = open_crm(views={"confirm_days": 100})
    with crm.system_session("test") as session:
        acme = account(session, "Acme")
        people = {name: session.add_one(Contact(name=name)) for name in ("Ann", "Bob", "Cho")}
        for person in people.values():
            contacts.affiliate(session, person, acme, role="buyer", from_=day(-900))
        for days, status in ((-40, Status.HELD), (-300, Status.HELD), (-2, Status.CANCELLED)):
            visit = session.add_one(
                Activity(kind="visit", subject="Talk", account_id=acme.id, contact_id=people["Ann"].id, status=status,
                         started_at=day(days))
            )  # fmt: skip
            session.add(Participant(activity_id=visit.id, contact_id=people["Bob"].id))
    return crm, acme.id


def test_people_who_took_part_were_met(met):
    crm, acme = met
    with crm.session("li.wei", read_only=True) as session:
        found = overview(session, session.require(Account, acme))
        last = {person.name: person.last_contact for person in found.people}
        assert last == {"Ann": day(-40), "Bob": day(-40), "Cho": None}
        assert [each.name for each in found.quality.unconfirmed] == ["Cho"]
        # Each visit counts once among those of its month, however many took part.
        assert sum(number for _, number in found.months) == 2
        (asked,) = [each for each in next_actions(session) if each.kind == "confirm"]
        assert asked.title.format(**asked.values) == "Confirm who still works there: Cho"


def test_of_people_who_took_part_long_ago_it_is_told_how_long(met):
    crm, _ = met
    with crm.system_session("test") as session:
        (late,) = [each for each in session.list(Activity) if each.started_at == day(-40)]
        session.delete(late)
    with crm.session("li.wei", read_only=True) as session:
        (asked,) = [each for each in next_actions(session) if each.kind == "confirm"]
        assert asked.title.format(**asked.values) == "Confirm who still works there: Ann, Bob, Cho"
        assert asked.values["days"] == 300
