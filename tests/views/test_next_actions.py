"""Next actions: what is due, why, and in which order."""

from __future__ import annotations

import datetime as dt
import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_core import (
    Account,
    Activity,
    Contact,
    Ownership,
    OwnershipRole,
    Share,
    Status,
    Unit,
    User,
    activities,
    contacts,
    handovers,
    organisation,
    ownership,
)
from crm_core.domain import quality
from crm_core.domain.quality import QualityIssue
from crm_core.views import next_actions, today

NOW = dt.datetime.now(dt.UTC)
NUMBERS = itertools.count(1)


def account(session, name, owner="li.wei", role=OwnershipRole.OWNER, **values):
    found = session.add_one(Account(name=name, **values))
    if owner is not None:
        ownership.assign(session, found, to=owner, role=role, since_always=True)
    return found


def look(crm, login="li.wei"):
    with crm.session(login, read_only=True) as session:
        return next_actions(session)


def lines(found):
    return [
        (action.kind, action.title.format(**action.values), found.accounts.get(action.account_id, ""), action.urgency)
        for action in found
    ]


def day(days):
    return NOW + dt.timedelta(days=days)


def test_activities_by_when_they_are_due(crm):
    with crm.system_session("test") as session:
        acme, other = account(session, "Acme"), account(session, "Other", "zhao.min")
        for name, when in (("late", -3), ("later", -9), ("soon", 3), ("far", 30)):
            activities.plan(session, "visit", name, start=day(when), account=acme, user="li.wei")
        activities.plan(session, "call", "of another", start=day(-1), account=acme, user="wang.fang")
        activities.plan(session, "call", "not to be seen", start=day(-1), account=other, user="li.wei")
        session.add(Activity(kind="task", subject="nobody's", account_id=acme.id, planned_start=day(-1)))
        session.add(Activity(kind="task", subject="some day", user_id=session.list(User, 'login == "li.wei"')[0].id))
    found = look(crm)
    assert lines(found) == [
        ("visit", "later", "Acme", 80), ("visit", "late", "Acme", 80), ("task", "nobody's", "Acme", 80),
        ("visit", "soon", "Acme", 40), ("task", "some day", "", 30),
    ]  # fmt: skip
    assert [action.reason for action in found][-2:] == ["Due on {day}.", "No day is set."]
    assert found.actions[0].reason == "Overdue since {day}."


def test_due_today_is_told_by_the_clock_of_the_organisation(open_crm):
    crm = open_crm(views={"look_ahead_days": 0})
    tz = crm.build.policy.tz
    today_ = NOW.astimezone(tz).date()
    with crm.system_session("test") as session:
        acme = account(session, "Acme")
        for name, shift in (("today", 0), ("tomorrow", 1), ("yesterday", -1)):
            moment = dt.datetime.combine(today_ + dt.timedelta(shift), dt.time(23, 59), tz)
            activities.plan(session, "visit", name, start=moment, account=acme, user="li.wei")
    assert [(title, urgency) for _, title, _, urgency in lines(look(crm))] == [("yesterday", 80), ("today", 70)]


def test_promises_until_they_are_kept(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme")
        li_wei = session.list(User, 'login == "li.wei"')[0].id
        held = {"kind": "visit", "account_id": acme.id, "user_id": li_wei, "status": Status.HELD}
        session.add(Activity(subject="Visit", started_at=day(-20), next_step="send the offer", next_step_due=day(-10),
                             **held))  # fmt: skip
        session.add(Activity(subject="Talk", started_at=day(-5), next_step="far away", next_step_due=day(60), **held))
    assert lines(look(crm)) == []  # the talk of five days ago came after the day of the offer
    with crm.system_session("test") as session:
        session.add(Activity(subject="Call", started_at=day(-4), next_step="bring a sample", next_step_due=day(-1),
                             **held))  # fmt: skip
    found = look(crm)
    assert lines(found) == [("promise", "bring a sample", "Acme", 90)]
    assert look(crm, "wang.fang").actions == ()


def test_a_promise_at_an_account_without_an_owner_stays_with_whoever_made_it(crm):
    with crm.system_session("test") as session:
        pooled, owned, hidden = (account(session, name, None) for name in ("Pooled", "Owned", "Hidden"))
        ownership.assign(session, owned, to="wang.fang", since_always=True)
        li_wei = session.list(User, 'login == "li.wei"')[0]
        for lent in (pooled, owned):
            session.add(Share(account_id=lent.id, user_id=li_wei.id, role="sales", reason="looks after it"))
        for where in (pooled, owned, hidden):
            session.add(Activity(kind="visit", subject="Visit", account_id=where.id, user_id=li_wei.id,
                                 status=Status.HELD, started_at=day(-9), next_step=f"write to {where.name}",
                                 next_step_due=day(-1)))  # fmt: skip
    assert lines(look(crm)) == [("promise", "write to Pooled", "Pooled", 90)]
    assert lines(look(crm, "wang.fang")) == [("promise", "write to Owned", "Owned", 90)]
    with crm.system_session("test") as session:
        session.add(Activity(kind="call", subject="Done", account_id=pooled.id, status=Status.HELD, started_at=NOW))
    assert lines(look(crm)) == []


def test_whoever_may_not_read_who_owns_an_account_is_not_told_what_its_owner_is_to_keep(open_crm):
    crm = open_crm(roles={"blind": {"permissions": {"account.read": "all", "activity.read": "all"}}})
    with crm.system_session("test") as session:
        blind = session.add_one(User(login="blind", name="Blind"))
        organisation.join(session, blind, session.list(Unit)[0], role="blind", since_always=True)
        pooled, owned, past = (account(session, name, None) for name in ("Pooled", "Owned", "Past"))
        ownership.assign(session, owned, to="wang.fang", since_always=True)
        session.add(Ownership(account_id=past.id, user_id=blind.id, role=OwnershipRole.OWNER, valid_to=day(-3)))
        for where in (pooled, owned, past):
            session.add(Activity(kind="visit", subject="Visit", account_id=where.id, user_id=blind.id,
                                 status=Status.HELD, started_at=day(-9), next_step=f"write to {where.name}",
                                 next_step_due=day(-1)))  # fmt: skip
    assert {each[1] for each in lines(look(crm, "blind"))} == {"write to Pooled", "write to Past"}
    assert lines(look(crm, "wang.fang")) == [("promise", "write to Owned", "Owned", 90)]


def test_people_to_confirm_once_for_each_account(open_crm):
    crm = open_crm(views={"confirm_days": 100})
    with crm.system_session("test") as session:
        acme, other = account(session, "Acme"), account(session, "Other")
        shared = account(session, "Shared", "li.wei", OwnershipRole.COLLABORATOR)
        for name, role, where in (
            ("Ann", "buyer", acme), ("Bob", "director", acme), ("Cho", "clerk", acme), ("Dee", "clerk", acme),
            ("Eve", "clerk", other), ("Far", "clerk", shared),
        ):  # fmt: skip
            contacts.affiliate(session, session.add_one(Contact(name=name)), where, role=role, from_=day(-300))
        fresh = session.add_one(Contact(name="Fresh"))
        contacts.affiliate(session, fresh, acme, from_=day(-5))
        met = session.add_one(Contact(name="Met"))
        contacts.affiliate(session, met, acme, from_=day(-500))
        session.add(Activity(kind="visit", subject="x", account_id=acme.id, contact_id=met.id, status=Status.HELD,
                             started_at=day(-3)))  # fmt: skip
    assert lines(look(crm)) == [
        ("confirm", "Confirm who still works there: Bob, Ann, Cho and 1 more", "Acme", 25),
        ("confirm", "Confirm who still works there: Eve", "Other", 20),
    ]


def test_of_people_to_confirm_it_is_told_how_long_nothing_was_heard(open_crm):
    crm = open_crm(views={"confirm_days": 100})
    with crm.system_session("test") as session:
        acme, other = account(session, "Acme"), account(session, "Other")
        for name, where, days in (("Ann", acme, 300), ("Bob", acme, 211), ("Cho", other, None)):
            person = session.add_one(Contact(name=name))
            if days is None:
                contacts.affiliate(session, person, where, since_always=True)
            else:
                contacts.affiliate(session, person, where, from_=day(-days))
    assert [each.reason.format(**each.values) for each in look(crm)] == [
        "Nothing was known of them for 211 days.", "Nobody ever said since when they are there.",
    ]  # fmt: skip


def test_handovers_duties_and_proposals(open_crm):
    crm = open_crm(
        duties={"fresh": {"label": "Keep it fresh", "record": "account", "every_days": 5}},
        steward={"key_fields": {"account": ["name"]}},
        roles={"steward": {"permissions": {"*.read": "all", "quality.*": "all", "*.update": "all"}}},
    )
    with crm.system_session("test") as session:
        acme = account(session, "Acme", "wang.fang")
    with crm.session("wang.fang") as session:
        quality.propose(session, session.require(Account, acme.id), {"name": "Acme Ltd"}, reason="letterhead")
    with crm.session("chen.yi") as session:
        handovers.offer(session, handovers.draft(session, "wang.fang", to="li.wei", reason="leaves"))
    found = look(crm)
    assert lines(found) == [("handover", "Answer the handover from Wang.Fang", "", 85)]
    assert found.actions[0].reason.format(**found.actions[0].values) == (
        "Accounts that are offered and wait for your answer: 1."
    )
    mine = lines(look(crm, "wang.fang"))
    assert ("duty", "Keep it fresh", "Acme", 35) in mine
    assert not any(kind == "proposal" for kind, *_ in mine)
    with crm.system_session("test") as session:
        from crm_core import Unit, organisation

        user = session.add_one(User(login="steward", name="Steward"))
        organisation.join(session, user, session.list(Unit)[0], role="steward", since_always=True)
    assert ("proposal", "Decide on proposals: 1", "", 50) in lines(look(crm, "steward"))


def test_of_very_many_proposals_and_matters_no_more_is_read_than_is_told(open_crm, statements):
    crm = open_crm(steward={"key_fields": {"account": ["name"]}})
    with crm.system_session("test") as session:
        from crm_core import Unit, organisation

        steward = session.add_one(User(login="steward", name="Steward"))
        organisation.join(session, steward, session.list(Unit)[0], role="steward", since_always=True)
        accounts = [account(session, f"Acme {number}", "wang.fang") for number in range(3)]

    def told():
        return [line for line in lines(look(crm, "steward")) if line[0] in ("proposal", "mend")]

    with crm.session("wang.fang") as session:
        for each in accounts:
            quality.propose(session, session.require(Account, each.id), {"name": "Acme"})
    assert told() == [("proposal", "Decide on proposals: 3", "", 50)]
    with crm.system_session("test") as session:
        (first, *_) = session.list(QualityIssue)
        acme = accounts[0].id
        row = {"kind": "change", "record_type": "account", "field": "name", "proposed": "B", "account_id": acme,
               "record_id": acme, "state": "open", "proposer_id": first.proposer_id}  # fmt: skip
        matter = {**row, "kind": "moved", "subject": "Mend it", "field": None, "proposed": None, "proposer_id": None}
        session.add_many(QualityIssue, [row] * 150 + [{**matter, "assignee_id": steward.id}] * 250)
        session.add_many(QualityIssue, [matter] * 20)
    found = told()
    assert ("proposal", "Decide on proposals: more than 100", "", 50) in found
    assert len(found) == 201
    with crm.session("steward", read_only=True) as session, statements(crm) as seen:
        next_actions(session)
    assert [each.count("LIMIT") for each in seen if "FROM crm_quality_issue" in each] == [1, 1]


def test_the_order_is_the_same_for_the_same_data(crm):
    with crm.system_session("test") as session:
        acme = account(session, "Acme")
        for number in range(5):
            activities.plan(session, "visit", f"V{number}", start=day(-1), account=acme, user="li.wei")
    first = lines(look(crm))
    assert [title for _, title, _, _ in first] == [f"V{number}" for number in range(5)]
    assert lines(look(crm)) == first


def test_statements_do_not_grow(crm, statements):
    counts = []
    for size in (1, 4, 25):
        with crm.system_session("test") as session:
            for number in range(size):
                acme = account(session, f"A{size} {number}")
                activities.plan(session, "visit", "V", start=NOW, account=acme, user="li.wei")
                contacts.affiliate(session, session.add_one(Contact(name="P")), acme, since_always=True)
                session.add(Activity(kind="call", subject="C", account_id=acme.id, status=Status.HELD,
                                     started_at=day(-9), next_step="x", next_step_due=day(-3)))  # fmt: skip
        with crm.session("li.wei", read_only=True) as session:
            session.list(Account, limit=1)  # what a session does once
            with statements(crm) as seen:
                found = next_actions(session)
            assert len(found) >= size
            counts.append(len(seen))
    assert len(set(counts)) == 1, counts


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_nobody_is_told_of_accounts_that_they_do_not_see(crm, data):
    logins = ["li.wei", "wang.fang", "zhao.min"]
    mark = next(NUMBERS)
    count = data.draw(st.integers(1, 5))
    teams = [data.draw(st.lists(st.sampled_from(logins), unique=True, max_size=2)) for _ in range(count)]
    with crm.system_session("test") as session:
        ids = {login: session.list(User, f'login == "{login}"')[0].id for login in logins}
        for number, team in enumerate(teams):
            found = account(session, f"Name-{mark}-{number}-", None)
            for login in team:
                ownership.assign(session, found, to=login, role=OwnershipRole.COLLABORATOR, since_always=True)
            person = session.add_one(Contact(name=f"Person-{mark}-{number}-"))
            contacts.affiliate(session, person, found, since_always=True)
            for login in data.draw(st.lists(st.sampled_from(logins), max_size=3)):
                session.add(Activity(kind="visit", subject=f"Visit-{mark}-{number}-", account_id=found.id,
                                     user_id=ids[login], planned_start=NOW))  # fmt: skip
                session.add(Activity(kind="visit", subject=f"Held-{mark}-{number}-", account_id=found.id,
                                     user_id=ids[login], status=Status.HELD, started_at=day(-3),
                                     next_step=f"Step-{mark}-{number}-", next_step_due=day(-1)))  # fmt: skip
    for login in logins:
        with crm.session(login, read_only=True) as session:
            told = repr(today(session))
        for number, team in enumerate(teams):
            if login not in team:
                assert f"-{mark}-{number}-" not in told


def test_accounts_about_to_be_recycled(open_crm):
    rules = {"without": "held_activity", "days": 30, "warn_days": 0}
    crm = open_crm(pools={"east": {"label": "East", "recycle": [rules]}})
    with crm.system_session("test") as session:
        acme, safe = account(session, "Acme", None), account(session, "Safe", None)
        for found in (acme, safe):
            ownership.assign(session, found, to="li.wei", from_=day(-200))
        for found, days in ((acme, -27), (safe, -3)):
            session.add(Activity(kind="visit", subject="x", account_id=found.id, status=Status.HELD,
                                 started_at=day(days)))  # fmt: skip
    (found,) = [each for each in look(crm) if each.kind == "pool"]
    assert found.account_id == acme.id
    assert found.urgency >= 72
    assert "goes to the pool East on" in found.reason.format(**found.values)
    assert [each for each in look(crm, "wang.fang") if each.kind == "pool"] == []
