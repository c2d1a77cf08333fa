"""The overview, the timeline and the question whether a customer may be contacted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from crm_core import (
    Account,
    Contact,
    ContactPoint,
    Crm,
    Finding,
    Manifest,
    News,
    NextAction,
    Objection,
    OpenItem,
    Panel,
    PointKind,
    Stage,
    TimelineEntry,
    Touch,
    Unit,
    User,
    accounts,
    activities,
    contacts,
    hookimpl,
    organisation,
    ownership,
)
from crm_core.assembly import given
from crm_core.views import Point, check_contact, looked, overview, timeline, today, whats_new

DAY = dt.datetime(2026, 2, 3, 9, tzinfo=dt.UTC)

manifest = Manifest(name="looker", version="1", crm_core=">=0.1,<1", module=__name__)


@hookimpl
def crm_gather_overview(session: Any, accounts: Any) -> list[Panel]:
    """A panel for every account, or a failure when the session says so."""
    if session.info.get("fail"):
        raise RuntimeError("no panel today")
    return [Panel(account_id=id_, name="hello", title="Hello", lines=(("Number", str(id_)),)) for id_ in accounts]


@hookimpl
def crm_gather_timeline(session: Any, accounts: Any, since: Any, until: Any, limit: int) -> list[TimelineEntry]:
    """One entry for every account."""
    return [
        TimelineEntry(at=DAY, account_id=id_, kind="hello", title="Hello", record_type="account", record_id=id_)
        for id_ in accounts
    ]


@hookimpl
def crm_gather_news(session: Any, accounts: Any, since: Any) -> list[News]:
    """News of every account, or a failure when the session says so."""
    if session.info.get("fail"):
        raise RuntimeError("no news today")
    return [News(account_id=id_, at=since, kind="hello", text="Hello", record_type="account", record_id=id_)
            for id_ in accounts]  # fmt: skip


@hookimpl
def crm_gather_actions(session: Any, user_id: int, accounts: Any) -> list[NextAction]:
    """Something to do at every account, or a failure when the session says so."""
    if session.info.get("fail"):
        raise RuntimeError("nothing to do today")
    return [NextAction(account_id=id_, kind="hello", title="Say hello", reason="It is polite.", urgency=100)
            for id_ in accounts]  # fmt: skip


@hookimpl
def crm_gather_handover(session: Any, accounts: Any, user_id: int | None) -> list[OpenItem]:
    """Nothing, or a failure when the session says so."""
    if session.info.get("fail"):
        raise RuntimeError("nothing is open today")
    return []


@hookimpl
def crm_check_contact(touch: Touch) -> list[Finding]:
    """Campaigns are vetoed, quotes warned of."""
    if touch.purpose == "explode":
        raise Objection("Not today.")
    levels = {"campaign": "veto", "quote": "warning"}
    return [Finding(levels[touch.purpose], "Overdue.")] if touch.purpose in levels else []


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    build = {"crm": {"name": "views", "database": database_url, "plugins": ["looker"]}}
    with Crm.open(build, check=False, discovery=given(manifest)) as opened:
        opened.migrate()
        with opened.system_session("init") as session:
            unit = session.add_one(Unit(name="Sales"))
            session.add(User(login="li.wei", name="李伟"))
            session.flush()
            organisation.join(session, "li.wei", unit, role="sales", since_always=True)
        yield opened


def customer(session: Any, name: str) -> Account:
    acme = session.add_one(Account(name=name, industry="machinery", tags=frozenset({"vip"})))
    ownership.assign(session, acme, to="li.wei", from_=dt.date(2025, 1, 1))
    person = session.add_one(Contact(name=f"Ann of {name}"))
    contacts.affiliate(session, person, acme, role="buyer", from_=dt.date(2025, 2, 1))
    session.add(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="ann@example.com"))
    accounts.promote(session, acme, Stage.CUSTOMER, at=dt.date(2025, 3, 1))
    activities.plan(session, "visit", "Visit", start=DAY, account=acme, user="li.wei")
    session.flush()
    return acme


def test_the_overview_gathers_everything(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme, group = customer(session, "Acme"), session.add_one(Account(name="Group"))
        accounts.relate(session, acme, "subsidiary", group)
    with crm.system_session("test") as session:
        view = overview(session, session.require(Account, acme.id))
        assert view.name == "Acme"
        assert ("Industry", "machinery") in [(fact.label, fact.value) for fact in view.facts]
        assert ("tags", frozenset({"vip"})) in [(fact.name, fact.value) for fact in view.facts]
        assert [(each.name, each.role) for each in view.responsible] == [("李伟", "owner")]
        assert [(each.name, each.role) for each in view.people] == [("Ann of Acme", "buyer")]
        assert view.people[0].points == (Point(kind="email", value="ann@example.com"),)
        assert [(each.business_line, each.stage) for each in view.stages] == [("general", "customer")]
        assert [(each.name, each.kind, each.depth) for each in view.group.above] == [("Group", "subsidiary", 1)]
        assert [each.title for each in view.open] == ["Visit"]
        assert [(panel.plugin, panel.lines) for panel in view.panels] == [("looker", (("Number", str(acme.id)),))]
        assert {entry.kind for entry in view.timeline} >= {"hello", "visit", "ownership", "affiliation", "lifecycle"}
        assert view.failed == ()
        back = overview(session, session.require(Account, group.id))
        assert [(each.name, each.depth) for each in back.group.below] == [("Acme", 1)]
        assert back.group.rollup.accounts == 2


def test_a_failing_panel_says_so_and_the_rest_stands(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = customer(session, "Acme")
        session.info["fail"] = True
        view = overview(session, acme)
        assert {(part.plugin, part.hook) for part in view.failed} == {
            ("looker", "crm_gather_overview"), ("looker", "crm_gather_handover"),
        }  # fmt: skip
        assert view.people
        assert view.open, "the kernel's own part stands"


def test_failing_news_and_actions_say_so_and_the_rest_stands(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = customer(session, "Acme")
    with crm.session("li.wei", read_only=True) as session:
        view = today(session)
        assert "hello" in {each.kind for account in view.news for each in account.learned}
        assert next(iter(view.actions)).title == "Say hello"
        assert view.news.failed == view.actions.failed == ()
    with crm.session("li.wei", read_only=True) as session:
        session.info["fail"] = True
        view = today(session)
        assert [(part.plugin, part.hook) for part in view.news.failed] == [("looker", "crm_gather_news")]
        assert [(part.plugin, part.hook) for part in view.actions.failed] == [("looker", "crm_gather_actions")]
        assert {each.account_id for each in view.news} == {acme.id}
        assert "visit" in {each.kind for each in view.actions}


def test_news_of_a_plugin_about_what_the_reader_wrote_are_left_out(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = customer(session, "Acme")
    with crm.session("li.wei") as session:
        looked(session, whats_new(session))
    with crm.session("li.wei") as session:
        session.require(Account, acme.id).grade = "A"
        session.commit()
        assert whats_new(session).accounts == ()
    with crm.system_session("test") as session:
        session.require(Account, acme.id).note = "by somebody else"
    with crm.session("li.wei", read_only=True) as session:
        (account,) = whats_new(session).accounts
        assert [each.kind for each in account.learned] == ["hello"]


def test_the_overview_shows_only_what_the_actor_sees(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme, hidden = customer(session, "Acme"), session.add_one(Account(name="Hidden"))
        accounts.relate(session, acme, "subsidiary", hidden)
    with crm.session("li.wei") as session:
        assert overview(session, session.require(Account, acme.id)).group.alone


def test_statements_do_not_grow_with_what_is_shown(crm: Crm) -> None:
    counts = []
    for number in range(2):
        with crm.system_session("test") as session:
            shown = [customer(session, f"Customer {number} {each}") for each in range(1 + 5 * number)]
            for each in range(10 * number):
                activities.plan(session, "call", f"Call {each}", start=DAY, account=shown[0], user="li.wei")
        with crm.session("li.wei", read_only=True) as session:
            account = session.require(Account, shown[0].id)
            statements: list[str] = []

            def note(*args: Any, seen: list[str] = statements) -> None:
                seen.append(args[2])

            event.listen(crm.store.engine, "before_cursor_execute", note)
            overview(session, account)
            timeline(session, [session.require(Account, each.id) for each in shown[:1]])
            event.remove(crm.store.engine, "before_cursor_execute", note)
            counts.append(len(statements))
    assert counts[0] == counts[1]


def test_the_timeline_is_latest_first_and_within_its_bounds(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = customer(session, "Acme")
        whole = timeline(session, acme)
        moments = [entry.at for entry in whole]
        assert moments == sorted(moments, reverse=True)
        part = timeline(session, acme, since=dt.datetime(2025, 2, 15, tzinfo=dt.UTC), until=DAY)
        assert {entry.kind for entry in part} == {"lifecycle"}
        assert len(timeline(session, acme, limit=2).entries) == 2
        assert timeline(session, []).entries == ()


def test_plugins_warn_and_veto_and_vetoes_come_first(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme = customer(session, "Acme")
        assert check_contact(session, acme, purpose="visit") == ()
        assert [finding.level for finding in check_contact(session, acme, purpose="campaign")] == ["veto"]
        assert [finding.level for finding in check_contact(session, acme, purpose="quote")] == ["warning"]
        (refused,) = check_contact(session, acme, purpose="explode")
        assert refused.vetoes


def test_withdrawn_consent_is_a_veto(crm: Crm) -> None:
    from crm_core import Consent

    with crm.system_session("test") as session:
        acme, person = session.add_one(Account(name="Acme")), session.add_one(Contact(name="Ann"))
        point = session.add_one(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value="ann@example.com"))
        session.flush()
        assert check_contact(session, acme, purpose="call", contact=person, channel="email") == ()
        point.consent = Consent.WITHDRAWN
        session.flush()
        (finding,) = check_contact(session, acme, purpose="call", contact=person, channel="email")
        assert finding.vetoes
        assert check_contact(session, acme, purpose="call", contact=person, channel="phone") == ()
        session.add(ContactPoint(contact_id=person.id, kind=PointKind.PHONE, value="+861065529988"))
        session.flush()
        (warned,) = check_contact(session, acme, purpose="call", contact=person)
        assert not warned.vetoes
