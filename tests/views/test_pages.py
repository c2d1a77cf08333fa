"""The pages of an account and of a day: well-formed and harmless whatever is in the data."""

from __future__ import annotations

import datetime as dt

import pytest

from crm_core import (
    Account,
    Activity,
    Consent,
    Contact,
    ContactPoint,
    OwnershipRole,
    PointKind,
    Status,
    User,
    accounts,
    activities,
    contacts,
    ownership,
)
from crm_core.translation import Translator
from crm_core.views import overview, today
from crm_core.views.html import overview_page, today_page

pytestmark = pytest.mark.any_database  # what is asked is how a page is laid out

NOW = dt.datetime.now(dt.UTC)
BAD = "<script>alert('x')</script>\"'&{{7*7}}{x}"


@pytest.fixture
def hostile(open_crm):
    """A customer whose every text would like to be more than text."""
    crm = open_crm(custom_fields={"account": {"club": {"kind": "text", "label": BAD.replace("{x}", "")}}})
    with crm.system_session("test", reason=BAD) as session:
        session.list(User, 'login == "wang.fang"')[0].name = BAD
        acme = session.add_one(Account(name=BAD, industry=BAD, note=BAD, tags=frozenset({BAD}), grade="<b>"))
        acme.custom = {"club": BAD}
        below, above, rival = (session.add_one(Account(name=f"{BAD} {number}")) for number in range(3))
        for each in (acme, below, above, rival):
            ownership.assign(session, each, to="li.wei", since_always=True)
        ownership.assign(session, acme, to="wang.fang", role=OwnershipRole.BACKUP, reason=BAD, scope="<i>")
        ownership.assign(session, acme, to="chen.yi", role=OwnershipRole.MENTOR, from_=dt.date(2024, 1, 1))
        ownership.release(session, acme, user="chen.yi", at=dt.date(2025, 1, 1))
        accounts.relate(session, below, "subsidiary", acme, from_=dt.date(2024, 1, 1))
        accounts.relate(session, acme, "branch", above, from_=dt.date(2024, 1, 1))
        accounts.relate(session, acme, "competitor", rival, from_=dt.date(2024, 1, 1))
        accounts.promote(session, acme, "customer", business_line=BAD[:40], reason=BAD)
        for consent in (Consent.GIVEN, Consent.WITHDRAWN, Consent.UNKNOWN):
            person = session.add_one(Contact(name=f"{BAD} {consent.value}"))
            contacts.affiliate(session, person, acme, role=BAD, title="Director " + BAD, department=BAD,
                               from_=dt.date(2020, 1, 1))  # fmt: skip
            session.add(ContactPoint(contact_id=person.id, kind=PointKind.WECHAT, value=BAD, consent=consent))
            session.add(
                ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="a@example.com", consent=consent)
            )
        contacts.move(session, person, to=below, role=BAD)
        session.add(ContactPoint(account_id=acme.id, kind=PointKind.OTHER, value=BAD))
        for each in (acme, below):
            activities.plan(session, "visit", BAD, start=NOW - dt.timedelta(days=3), account=each, user="li.wei")
        session.add(Activity(kind="call", subject=BAD, outcome=BAD, account_id=acme.id, status=Status.HELD,
                             started_at=NOW - dt.timedelta(days=9), next_step=BAD, next_step_due=NOW))  # fmt: skip
    return crm, acme.id


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_page_of_an_account_is_only_text(hostile, read_html, language):
    crm, id_ = hostile
    with crm.session("li.wei", read_only=True) as session:
        view = overview(session, session.require(Account, id_))
        html = overview_page(session, view, Translator(language))
    reader = read_html(html)
    assert "<script" not in html
    shown = "".join(reader.text)
    assert shown.count(BAD) > 15
    assert {value for name, value in reader.attributes if name == "href"} == {"mailto:a@example.com"}
    assert ("Group" if language == "en" else "集团") in shown
    assert "svg" in reader.tags


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_page_of_a_day_is_only_text(hostile, read_html, language):
    crm, _ = hostile
    with crm.session("li.wei", read_only=True) as session:
        html = today_page(session, today(session), Translator(language))
    reader = read_html(html)
    assert "<script" not in html
    assert "".join(reader.text).count(BAD) > 5


def test_an_empty_account_and_an_empty_day_have_pages(crm, read_html):
    with crm.system_session("test") as session:
        acme = session.add_one(Account(name="Acme"))
    with crm.system_session("test", read_only=True) as session:
        shown = "".join(read_html(overview_page(
            session, overview(session, session.require(Account, acme.id)), Translator()
        )).text)  # fmt: skip
    assert "Nobody is responsible" in shown
    assert "Whom can we talk to?" in shown
    with crm.session("li.wei", read_only=True) as session:
        shown = "".join(read_html(today_page(session, today(session), Translator())).text)
    assert "Nothing is due." in shown
    assert "Nothing new since" in shown


def test_merges_are_part_of_the_story(crm):
    from crm_core.store.merging import merge
    from crm_core.views import timeline

    with crm.system_session("test") as session:
        kept, gone = session.add_one(Account(name="Acme")), session.add_one(Account(name="Acme Ltd"))
        ownership.assign(session, kept, to="li.wei", since_always=True)
    with crm.system_session("test") as session:
        merge(session, session.require(Account, kept.id), session.require(Account, gone.id))
    with crm.session("li.wei", read_only=True) as session:
        story = timeline(session, session.require(Account, kept.id))
        assert [entry.title for entry in story if entry.kind == "merge"] == ["Another account was merged into it."]
        early = timeline(session, session.require(Account, kept.id), until=NOW - dt.timedelta(days=1))
        assert [entry for entry in early if entry.kind == "merge"] == []
