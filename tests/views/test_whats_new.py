"""News: what others learned about my accounts since I last looked, and no word more."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from crm_core import (
    Account,
    Activity,
    Affiliation,
    Consent,
    Contact,
    ContactPoint,
    Feeling,
    Ownership,
    OwnershipRole,
    PermissionDenied,
    PointKind,
    Stage,
    Status,
    User,
    accounts,
    activities,
    contacts,
    handovers,
    merging,
    ownership,
)
from crm_core.domain.pools import PoolEvent, PoolEventKind
from crm_core.store.looks import last_look
from crm_core.store.tables import JOURNAL_PART
from crm_core.views import looked, whats_new

NOW = dt.datetime.now(dt.UTC)
NUMBERS = itertools.count(1)


def account(session, name, *owners, **values):
    found = session.add_one(Account(name=name, **values))
    for number, login in enumerate(owners):
        role = OwnershipRole.OWNER if number == 0 else OwnershipRole.COLLABORATOR
        ownership.assign(session, found, to=login, role=role, since_always=True)
    return found


def read(crm, login="li.wei", *, keep=False, since=None):
    """What somebody is told, and that they have read it unless they keep it."""
    with crm.session(login) as session:
        news = whats_new(session, since=since)
        if not keep:
            looked(session, news)
        return news


def told(news):
    return {
        (each.name, learned.kind): (learned.count, learned.text.format(**learned.values))
        for each in news
        for learned in each.learned
    }


@pytest.fixture
def acme(crm):
    """An account of li.wei and wang.fang that li.wei knows all about."""
    with crm.system_session("test") as session:
        found = account(session, "Acme", "li.wei", "wang.fang", grade="B")
        ann = session.add_one(Contact(name="Ann"))
        contacts.affiliate(session, ann, found, role="buyer", from_=dt.date(2024, 1, 1))
    read(crm)
    read(crm, "wang.fang")
    return found


def hold(session, account_, subject="Visit", outcome="They buy", **values):
    return session.add_one(
        Activity(
            kind="visit", subject=subject, account_id=account_.id, status=Status.HELD, outcome=outcome,
            started_at=NOW - dt.timedelta(days=400), user_id=session.actor.user_id, **values,
        )
    )  # fmt: skip


def test_what_others_did_is_told_once(crm, acme):
    with crm.session("wang.fang") as session:
        for number in range(3):
            hold(session, acme, f"Visit {number}")
        activities.plan(session, "call", "Next call", start=NOW, account=acme)
    news = read(crm)
    assert told(news) == {("Acme", "visit"): (3, "Visit 2: They buy"), ("Acme", "planned"): (1, "Next call")}
    (one,) = news.accounts
    assert [news.names[who] for who in one.learned[0].who] == ["Wang.Fang"]
    assert one.latest == max(each.at for each in one.learned)
    assert not news.first
    assert told(read(crm)) == {}


def test_what_is_kept_is_told_again(crm, acme):
    with crm.session("wang.fang") as session:
        hold(session, acme)
    assert told(read(crm, keep=True)) == told(read(crm, keep=True)) != {}
    assert told(read(crm)) != {}
    assert told(read(crm)) == {}


def test_nobody_is_told_what_they_did_themselves(crm, acme):
    with crm.session("li.wei") as session:
        hold(session, acme)
        ann = session.list(Contact, 'name == "Ann"')[0]
        contacts.move(session, ann, to=session.require(Account, acme.id), role="director")
        session.require(Account, acme.id).grade = "A"
    with crm.system_session("import") as session:
        session.add(Activity(kind="visit", subject="My own, imported", account_id=acme.id, status=Status.HELD,
                             user_id=session.list(User, 'login == "li.wei"')[0].id))  # fmt: skip
    assert told(read(crm)) == {}
    assert {kind for _, kind in told(read(crm, "wang.fang"))} == {"visit", "people", "account"}


def test_people_points_stages_fields_and_owners(crm, acme):
    with crm.session("wang.fang") as session:
        found = session.require(Account, acme.id)
        ann = session.list(Contact, 'name == "Ann"')[0]
        session.add(ContactPoint(contact_id=ann.id, kind=PointKind.MOBILE, value="+8613800138000"))
        found.grade, found.industry, found.note = "A", "machinery", "not worth telling"
    with crm.session("chen.yi") as session:
        found = session.require(Account, acme.id)
        accounts.promote(session, found, Stage.CUSTOMER, business_line="pumps")
        ownership.assign(session, found, to="zhao.min", role=OwnershipRole.BACKUP)
    news = told(read(crm))
    assert news["Acme", "contact_point"] == (1, "Ann: +8613800138000")
    assert news["Acme", "stage"] == (1, "pumps: customer")
    assert news["Acme", "ownership"] == (1, "Zhao.Min is backup now")
    assert news["Acme", "account"] == (1, "Changed: ('Grade', 'Industry')")
    with crm.session("wang.fang") as session:
        ann = session.list(Contact, 'name == "Ann"')[0]
        contacts.move(session, ann, to=session.require(Account, acme.id), role="director")
        session.list(ContactPoint)[0].consent = Consent.WITHDRAWN
    news = told(read(crm))
    assert news["Acme", "people"][0] == 2
    assert news["Acme", "people"][1] in ("Ann is there: director", "Ann leaves or left: buyer")
    assert news["Acme", "contact_point"] == (1, "+8613800138000: consent withdrawn")


def test_what_was_taken_back_is_no_news(crm, acme):
    with crm.session("wang.fang") as session:
        session.require(Account, acme.id).grade = "A"
    with crm.session("wang.fang") as session:
        session.require(Account, acme.id).grade = "B"
    with crm.session("wang.fang") as session:
        activity = hold(session, acme)
        session.flush()
        session.delete(activity)
    assert told(read(crm)) == {}


def test_since_a_day_and_the_first_look(open_crm):
    crm = open_crm(views={"first_look_days": 3})
    with crm.system_session("test") as session:
        acme = account(session, "Acme", "li.wei")
        session.flush()
        hold(session, acme)
    first = read(crm, keep=True)
    assert first.first
    assert NOW - first.since > dt.timedelta(days=2)
    assert told(first) != {}
    assert told(read(crm, since=NOW + dt.timedelta(days=1), keep=True)) == {}
    assert told(read(crm, since=dt.date(2020, 1, 1), keep=True)) == told(first)


def test_it_says_what_it_cannot_know_because_the_journal_is_detached(crm, acme):
    if crm.store.dialect != "postgresql":
        pytest.skip("only PostgreSQL has parts of the journal")
    cut = crm.store.clock() - dt.timedelta(days=3)
    with crm.store.engine.begin() as connection:
        moments = dict.fromkeys(("first_at", "last_at", "cut", "detached_at"), cut)
        connection.execute(insert(JOURNAL_PART).values(number=7, place=1, change_sets=1, changes=1, **moments))
    assert read(crm, keep=True, since=cut - dt.timedelta(days=1)).begins == cut
    assert read(crm, keep=True, since=cut).begins is None


def test_a_look_in_between_of_another_session_misses_nothing(crm, acme):
    """A change set gets its time before it is visible: whoever looks between must be told the next time."""
    with crm.session("wang.fang") as session:
        hold(session, acme)
        session.flush()
        early = session.clock()
        if crm.store.engine.dialect.name == "postgresql":
            read(crm)
    with crm.system_session("test", read_only=True) as session:
        reader = session.list(User, 'login == "li.wei"')[0].id
        assert last_look(session, reader, "news") is not None
    assert early is not None
    assert told(read(crm)) == {("Acme", "visit"): (1, "Visit: They buy")}
    assert told(read(crm)) == {}


def test_a_head_with_an_early_time_is_not_missed(crm, acme):
    """As if its transaction had begun its commit before the look and ended it after."""
    from sqlalchemy import update

    from crm_core.store.tables import CHANGE_SET

    with crm.session("wang.fang") as session:
        hold(session, acme)
    id_ = session.last_change_set
    with crm.store.engine.begin() as connection:
        early = CHANGE_SET.c.at
        connection.execute(update(CHANGE_SET).where(CHANGE_SET.c.id == id_).values(at=NOW - dt.timedelta(hours=1)))
        assert early is not None
    assert told(read(crm)) == {("Acme", "visit"): (1, "Visit: They buy")}
    assert told(read(crm)) == {}


def test_only_the_reader_has_read(crm, acme):
    with crm.session("wang.fang", read_only=True) as session:
        news = whats_new(session, "li.wei")
    with crm.session("wang.fang") as session, pytest.raises(PermissionDenied, match="can say that they have looked"):
        looked(session, news)
    with crm.system_session("test") as session:
        looked(session, news)
        late = session.core
        assert late is not None
    with crm.session("li.wei") as session:
        before = last_look(session, session.user_id, "news")
        from crm_core.store.looks import Look, note_look

        note_look(session, session.user_id, "news", Look(before.at - dt.timedelta(days=1), "0"))
        assert last_look(session, session.user_id, "news") == before


def test_a_former_owner_is_told_the_name_and_the_reason_only(crm, acme):
    with crm.system_session("test") as session:
        other, pooled = (account(session, name, "li.wei") for name in ("Other", "Pooled"))
        mine = account(session, "Mine", "chen.yi")
    read(crm)
    read(crm, "chen.yi")
    with crm.session("chen.yi", reason="territories") as session:
        ownership.transfer(session, session.require(Account, other.id), to="zhao.min")
    with crm.session("chen.yi") as session:
        ownership.release(session, session.require(Account, mine.id))
    assert read(crm, "chen.yi").gone == ()
    with crm.system_session("pool") as session:
        found = session.require(Account, pooled.id)
        ownership.release(session, found)
        owner = session.list(User, 'login == "li.wei"')[0].id
        session.add(PoolEvent(account_id=pooled.id, pool="east", kind=PoolEventKind.RECYCLED, at=session.clock(),
                              user_id=owner, reason="no visit in 90 days"))  # fmt: skip
    with crm.session("zhao.min") as session:
        found = session.require(Account, other.id)
        found.name = "Secretly renamed"
        hold(session, other, "Secret visit")
    news = read(crm)
    assert {(each.name, each.how, each.reason) for each in news.gone} == {
        ("Other", "ended", "territories"), ("Pooled", "recycled", "no visit in 90 days"),
    }  # fmt: skip
    assert "Secret" not in repr(news)
    assert "Zhao" not in repr(news)
    assert read(crm).gone == ()
    with crm.session("wang.fang", read_only=True) as session:
        assert whats_new(session, "li.wei", since=dt.date(2020, 1, 1)).gone == ()


def test_a_merge_of_what_was_theirs_once_is_not_theirs_to_know(crm, acme):
    """A merge moves the rows of former owners; that it did, and how the account is called now, is no news to them."""
    with crm.system_session("test") as session:
        once, into = account(session, "Once", "li.wei"), account(session, "Into", "zhao.min")
    with crm.system_session("test", reason="territories") as session:
        ownership.transfer(session, session.require(Account, once.id), to="chen.yi")
        kept = session.list(Ownership, f"account_id == {once.id}", all_dates=True)
        (mine,) = [row.id for row in kept if row.valid_to is not None]
    assert [(each.name, each.reason) for each in read(crm).gone] == [("Once", "territories")]
    with crm.system_session("test", reason="Secret: fraud") as session:
        merging.merge(session, session.require(Account, into.id), session.require(Account, once.id))
    with crm.system_session("test", reason="Secret: corrected") as session:
        row = session.require(Ownership, mine)
        assert row.account_id == into.id
        row.reason = "Secret reason"
    assert read(crm).gone == ()
    assert "Secret" not in repr(read(crm, since=dt.date(2020, 1, 1), keep=True))


def test_what_was_lost_before_a_merge_is_told_as_it_was(crm, acme):
    with crm.system_session("test") as session:
        once, into = account(session, "Once", "li.wei"), account(session, "Into", "zhao.min")
    read(crm)
    with crm.system_session("test", reason="territories") as session:
        ownership.transfer(session, session.require(Account, once.id), to="chen.yi")
    with crm.system_session("test", reason="Secret: fraud") as session:
        session.require(Account, once.id).name = "Secretly renamed"
    for step in range(3):
        if step < 2:
            with crm.system_session("test", reason="Secret: fraud") as session:
                last = session.add_one(Account(name="Secret"))
                session.commit()
                merging.merge(session, last, session.require(Account, merging.resolve(session, Account, once.id)))
        news = read(crm, keep=step < 2)
        assert [(each.account_id, each.name, each.reason) for each in news.gone] == [(once.id, "Once", "territories")]
    assert into.id != once.id
    assert read(crm).gone == ()


def test_a_merge_that_cuts_a_responsibility_of_the_time_before_is_no_news(crm, acme):
    """Whoever owned one of the two before the other's owner came is cut in two; nothing ended by that."""
    days = [NOW - dt.timedelta(days=number) for number in (400, 300, 200)]
    with crm.system_session("test") as session:
        once, into = account(session, "Once"), account(session, "Into")
        reader = session.list(User, 'login == "li.wei"')[0].id
        other = session.list(User, 'login == "zhao.min"')[0].id
        session.add(Ownership(account_id=once.id, user_id=reader, valid_from=days[0], valid_to=days[2], reason="mine"))
        session.add(Ownership(account_id=into.id, user_id=other, valid_from=days[1]))
    read(crm)
    with crm.system_session("test", reason="Secret: fraud") as session:
        merging.merge(session, session.require(Account, into.id), session.require(Account, once.id))
    assert read(crm).gone == ()
    with crm.system_session("test", reason="Secret: two after all") as session:
        merging.split(session, once.id)
    assert read(crm).gone == ()


def test_a_handover_says_why(crm, acme):
    with crm.session("chen.yi") as session:
        handover = handovers.draft(session, "li.wei", to="zhao.min", message="new region", reason="they quarrel")
        handovers.offer(session, handover)
    with crm.session("zhao.min") as session:
        handovers.accept(session, handovers.waiting_for(session, session.user_id))
    with crm.session("chen.yi") as session:
        handovers.do(session, session.require(handovers.Handover, handover.id))
    assert [(each.name, each.how, each.reason) for each in read(crm).gone] == [("Acme", "handed over", "new region")]
    assert told(read(crm, "zhao.min"))["Acme", "ownership"][1] == "You are owner now"


def test_ends_in_the_future_are_told_when_they_come(crm, acme):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1.5)
    with crm.session("chen.yi", reason="later") as session:
        ownership.transfer(session, session.require(Account, acme.id), to="zhao.min", from_=soon)
    assert read(crm).gone == ()
    import time

    time.sleep(max((soon - dt.datetime.now(dt.UTC)).total_seconds(), 0) + 0.1)
    assert [each.name for each in read(crm).gone] == ["Acme"]
    assert read(crm).gone == ()


def test_statements_do_not_grow(crm, acme, statements):
    counts = []
    for size in (0, 1, 20):
        with crm.system_session("test") as session:
            for number in range(size):
                more = account(session, f"More {size} {number}", "li.wei", "wang.fang")
                lost = account(session, f"Lost {size} {number}", "li.wei")
                session.flush()
                ownership.transfer(session, lost, to="zhao.min")
                hold(session, more)
                person = session.add_one(Contact(name=f"P {number}"))
                contacts.affiliate(session, person, more)
                session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="x@example.com"))
                accounts.promote(session, more, Stage.CUSTOMER)
                more.grade = "A"
        with crm.session("li.wei", read_only=True) as session:
            session.list(Account, limit=1)  # what a session does once
            with statements(crm) as seen:
                news = whats_new(session)
            assert len(news.accounts) == size
            assert len(news.gone) == size
            counts.append(len(seen))
        read(crm)
    assert len(set(counts)) == 1, counts


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_nobody_is_told_of_what_they_may_not_see(crm, data):
    logins = ["li.wei", "wang.fang", "zhao.min"]
    mark = next(NUMBERS)
    count = data.draw(st.integers(1, 5))
    with crm.system_session("test") as session:
        made = []
        for number in range(count):
            team = data.draw(st.lists(st.sampled_from(logins), unique=True, max_size=3))
            made.append((account(session, f"Name-{mark}-{number}-", *team), set(team)))
    for login in logins:
        read(crm, login)
    expected = set()
    for number, (found, _) in enumerate(made):
        for _ in range(data.draw(st.integers(0, 2))):
            login = data.draw(st.sampled_from(["chen.yi", *logins]))
            with crm.system_session("test") as session:
                author = session.list(User, f'login == "{login}"')[0].id
                session.add(Activity(kind="visit", subject=f"Visit-{mark}-{number}-", account_id=found.id,
                                     status=Status.HELD, user_id=author, note=f"Secret-{mark}-"))  # fmt: skip
                person = session.add_one(Contact(name=f"Person-{mark}-{number}-"))
                session.add(Affiliation(account_id=found.id, contact_id=person.id))
            expected.add((number, author))
    for login in logins:
        news = read(crm, login)
        text = repr(news)
        assert f"Secret-{mark}-" not in text
        for number, (_, team) in enumerate(made):
            if login not in team:
                assert f"-{mark}-{number}-" not in text
            with crm.system_session("test", read_only=True) as session:
                mine = session.list(User, f'login == "{login}"')[0].id
            others = any(where == number and who != mine for where, who in expected)
            if login in team:
                assert (f"Visit-{mark}-{number}-" in text) == others


def test_restricted_fields_are_no_news(crm, acme):
    with crm.session("wang.fang") as session:
        activity = hold(session, acme, feeling=Feeling.ANGRY)
    read(crm)
    with crm.session("wang.fang") as session:
        session.require(Activity, activity.id).note = "secret"
    assert told(read(crm)) == {}
    with crm.session("wang.fang", read_only=True) as session:
        assert session.count(Ownership) >= 2
