"""The decision map: coverage, support, and what of them people see."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from crm_core import Account, Activity, Contact, Crm, contacts
from crm_core.views import overview, timeline
from crm_stakeholders import Stakeholder, assign, change, decision_map, decision_maps, end
from crm_stakeholders.maps import coverage, support

MARCH, MAY = dt.date(2026, 3, 1), dt.date(2026, 5, 1)
SCOPES = ("commercial", "technical", "financial", "final")


def person(influence=3, stance=None, scopes=(), name="Ann"):
    return Stakeholder(
        role_id=1, contact_id=1, name=name, role="user", scopes=tuple(scopes), influence=influence, stance=stance,
        strength=None, since=None,
    )  # fmt: skip


people = st.lists(
    st.builds(
        person,
        influence=st.integers(1, 5),
        stance=st.none() | st.integers(-2, 2),
        scopes=st.sets(st.sampled_from([*SCOPES, "other"])),
        name=st.sampled_from(["Ann", "Bob", "Eve"]),
    ),
    max_size=8,
)


@given(people)
def test_support_lies_within_the_stances(everyone):
    found = support(everyone)
    stances = [each.stance for each in everyone if each.stance is not None]
    assert 0 <= found.known <= 1
    if stances:
        assert Decimal(-2) <= min(stances) <= found.value <= max(stances) <= Decimal(2)
    else:
        assert found.value is None


@given(people, st.integers(1, 5))
def test_a_friend_more_never_lowers_support(everyone, influence):
    before, after = support(everyone), support([*everyone, person(influence, 2)])
    assert before.value is None or after.value >= before.value


@given(people, st.integers(0, 7))
def test_whoever_turns_to_us_raises_support(everyone, index):
    judged = [each for each in everyone if each.stance is not None and each.stance < 2]
    if judged:
        one = judged[index % len(judged)]
        turned = [person(each.influence, each.stance + 1) if each is one else each for each in everyone]
        assert support(turned).value >= support(everyone).value


@given(people, people)
def test_coverage_grows_with_people_and_is_a_share(some, more):
    fewer, all_of_them = coverage(some, SCOPES), coverage([*some, *more], SCOPES)
    assert 0 <= fewer.share <= all_of_them.share <= 1
    assert set(all_of_them.missing) <= set(fewer.missing)
    assert tuple(fewer.known) == SCOPES


def test_influence_weighs():
    assert support([person(5, -2), person(1, 2)]).value == Decimal("-1.33")
    assert support([person(4, 1), person(4)]) == support([person(1, 1), person(1)])
    assert support([person(4, 1), person(4)]).known == Decimal("0.50")


def test_a_person_in_two_roles_is_named_once():
    found = coverage([person(scopes=["final"]), person(scopes=["final", "technical"])], SCOPES)
    assert found.known == {"commercial": (), "technical": ("Ann",), "financial": (), "final": ("Ann",)}
    assert found.missing == ("commercial", "financial")
    assert found.share == Decimal("0.5")


@pytest.fixture
def judged(company):
    """Ann decides and was against us until May; Bob uses it and is for us."""
    with company.session("li") as session:
        acme = company.acme_of(session)
        ann = assign(
            session, company.person(session, "ann"), acme, "decider", scopes=["final"], influence=5, stance=-2,
            from_=MARCH,
        )  # fmt: skip
        assign(session, company.person(session, "bob"), acme, "user", scopes=["technical"], influence=1, stance=2,
               from_=MARCH)  # fmt: skip
        session.flush()
        change(session, ann, stance=1, from_=MAY)
    return company


def map_of(company, login, at=None, **options):
    with company.session(login, **options) as session:
        return decision_map(session, company.acme_of(session), at=at)


def test_a_map_is_that_of_its_day(judged):
    assert map_of(judged, "li", dt.date(2026, 4, 1)).support.value == Decimal("-1.33")
    assert map_of(judged, "li", dt.date(2026, 6, 1)).support.value == Decimal("1.17")
    assert map_of(judged, "li", dt.date(2026, 2, 1)).support.value is None
    moment = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    assert map_of(judged, "li", **{"at": None}).support.value == Decimal("1.17")
    with judged.session("li", at=moment) as session:
        assert decision_map(session, judged.acme_of(session)).support.value == Decimal("-1.33")


def test_without_the_permission_there_is_coverage_but_no_support(judged):
    found = map_of(judged, "pei")
    assert found.support is None
    assert found.coverage.missing == ("commercial", "financial")
    assert [(each.name, each.stance) for each in found.stakeholders] == [("Ann", None), ("Bob", None)]


def test_nothing_is_known_where_nobody_is(company):
    found = map_of(company, "li")
    assert (found.stakeholders, found.coverage.share, found.support.value) == ((), 0, None)


def test_each_subject_has_a_map(judged):
    with judged.session("li") as session:
        acme = judged.acme_of(session)
        visit = session.add_one(Activity(kind="visit", subject="Plant tour", account_id=acme.id))
        assign(session, judged.person(session, "bob"), acme, "buyer", subject=visit, scopes=["commercial"])
    with judged.session("li") as session:
        acme = judged.acme_of(session)
        assert [each.name for each in decision_map(session, acme, visit).stakeholders] == ["Bob"]
        assert len(decision_map(session, acme).stakeholders) == 2
        assert len(decision_maps(session, [acme.id])) == 2
        assert decision_maps(session, [judged.beta]) == {}


def test_the_needed_scopes_are_the_builds(judged, database_url):
    config = {"crm": {"plugins": ["stakeholders"]}, "plugins": {"stakeholders": {"needed_scopes": ["final"]}}}
    with Crm.open(config, database=database_url) as crm, crm.session("li") as session:
        assert decision_map(session, judged.acme_of(session)).coverage.known == {"final": ("Ann",)}


def panels(company, login):
    with company.session(login) as session:
        shown = overview(session, company.acme_of(session))
    assert shown.failed == ()
    return [panel for panel in shown.panels if panel.plugin == "stakeholders"]


def test_the_panel_tells_who_decides(judged):
    (panel,) = panels(judged, "li")
    assert panel.title == "Decision map"
    assert ("Final decision", "Ann") in panel.lines
    assert ("Commercial", "nobody known") in panel.lines
    assert ("Support (-2 to +2)", "+1.17") in panel.lines
    assert panel.rows == (
        ("Person", "Role", "Influence", "Stance"),
        ("Ann", "Decider", "5", "+1"),
        ("Bob", "User", "1", "+2"),
    )
    assert panel.severity == "warning"


def test_the_panel_hides_stances_from_those_who_may_not_know(judged):
    (panel,) = panels(judged, "pei")
    assert panel.rows[0] == ("Person", "Role", "Influence")
    assert not any("Support" in label for label, _ in panel.lines)


def test_a_subject_is_named_in_its_panel(judged):
    with judged.session("li") as session:
        acme = judged.acme_of(session)
        visit = session.add_one(Activity(kind="visit", subject="Plant tour", account_id=acme.id))
        assign(session, judged.person(session, "bob"), acme, "blocker", subject=visit, stance=-1, scopes=SCOPES)
    whole, about = panels(judged, "li")
    assert whole.name == "decision_map"
    assert about.name == f"decision_map:activity:{visit.id}"
    assert about.lines[0] == ("About", "Plant tour")
    assert about.severity == "bad"


def story(company, login, **options):
    with company.session(login) as session:
        found = timeline(session, company.acme_of(session), **options)
    assert found.failed == ()
    return [(entry.at.date(), entry.title, entry.text) for entry in found if entry.kind == "stakeholder"]


def test_the_timeline_tells_who_came_was_judged_and_left(judged):
    with judged.session("li") as session:
        ann = next(iter(decision_maps(session, [judged.acme]).values())).stakeholders[0]
        from crm_stakeholders import StakeholderRole

        end(session, session.require(StakeholderRole, ann.role_id), at=dt.date(2026, 7, 1))
    july, may, march = dt.date(2026, 7, 1), MAY, MARCH
    assert story(judged, "li") == [
        (july, "No longer in a decision", "Ann: Decider"),
        (may, "Judged otherwise in a decision", "Ann: Decider"),
        (march, "New in a decision", "Bob: User"),
        (march, "New in a decision", "Ann: Decider"),
    ]
    june = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    assert [day for day, _, _ in story(judged, "li", since=june)] == [july]
    assert [day for day, _, _ in story(judged, "li", until=june)] == [may, march, march]


def test_looking_takes_as_many_statements_for_many_accounts_as_for_one(judged):
    with judged.crm.system_session("test") as session:
        more = [session.add_one(Account(name=f"Account {number}")) for number in range(30)]
        for account in more:
            someone = session.add_one(Contact(name="Someone"))
            contacts.affiliate(session, someone, account, since_always=True)
            visit = session.add_one(Activity(kind="visit", subject="Tour", account_id=account.id))
            session.flush()
            assign(session, someone, account, "user", since_always=True)
            assign(session, someone, account, "buyer", subject=visit, from_=MARCH)
    ids = [account.id for account in more]
    counts = {}
    for wanted in (ids[:1], ids):
        with judged.crm.system_session("look", read_only=True) as session:
            seen: list[str] = []
            engine = judged.crm.store.engine
            listen = lambda *args, seen=seen: seen.append(args[2])  # noqa: E731
            session.core_connection()
            event.listen(engine, "before_cursor_execute", listen)
            try:
                shown = judged.crm.build.dispatcher.gather_overview(session, wanted)
                told = judged.crm.build.dispatcher.gather_timeline(session, wanted, None, None, 1000)
            finally:
                event.remove(engine, "before_cursor_execute", listen)
            assert not shown.failed
            assert not told.failed
            assert len(shown) == 2 * len(wanted)
            assert len(told) == len(wanted)
            # The kernel's savepoints around plugins on PostgreSQL are counted where they are made.
            counts[len(wanted)] = len([each for each in seen if "SAVEPOINT" not in each])
    assert counts[1] == counts[30] <= 4
