"""Roles: how they are written, what they refuse, what they remember."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Activity,
    Conflict,
    Contact,
    NotFound,
    Objection,
    PermissionDenied,
    ValidationError,
    contacts,
)
from crm_stakeholders import StakeholderRole, assign, change, decision_map, end

MARCH = dt.date(2026, 3, 1)
MAY = dt.date(2026, 5, 1)
NOON_IN_APRIL = dt.datetime(2026, 4, 10, 12, tzinfo=dt.UTC)
NOON_IN_JUNE = dt.datetime(2026, 6, 10, 12, tzinfo=dt.UTC)


def given(company, login="li", role="decider", **values):
    """A role of Ann at Acme, committed."""
    with company.session(login) as session:
        row = assign(session, company.person(session, "ann"), company.acme_of(session), role, **values)
    return row.id


def roles(session):
    return session.list(StakeholderRole, limit=None)


def test_a_role_holds_from_its_day_on(company):
    given(company, from_=MARCH)

    with company.session("li", at=dt.datetime(2026, 2, 1, tzinfo=dt.UTC)) as session:
        assert roles(session) == []
    with company.session("li", at=NOON_IN_APRIL) as session:
        assert [row.role for row in roles(session)] == ["decider"]


def test_a_change_leaves_what_held_before(company):
    row_id = given(company, influence=2, stance=-2, from_=MARCH)
    with company.session("li") as session:
        change(session, session.require(StakeholderRole, row_id), influence=5, scopes=["final"], from_=MAY)

    with company.session("li", at=NOON_IN_APRIL) as session:
        assert [(row.influence, row.stance, row.scopes) for row in roles(session)] == [(2, -2, frozenset())]
    with company.session("li", at=NOON_IN_JUNE) as session:
        assert [(row.influence, row.stance, row.scopes) for row in roles(session)] == [(5, -2, {"final"})]


def test_a_change_carries_on_the_stance_for_one_who_may_not_read_it(company):
    row_id = given(company, stance=-2, note="met in Hanover", from_=MARCH)
    with company.session("pei") as session:
        later = change(session, session.require(StakeholderRole, row_id), influence=1, from_=MAY)
        assert "stance" not in vars(later)

    with company.session("li", at=NOON_IN_JUNE) as session:
        assert [(row.influence, row.stance, row.note) for row in roles(session)] == [(1, -2, "met in Hanover")]


def test_only_what_changes_with_time_is_changed(company):
    row_id = given(company)
    with company.session("li") as session, pytest.raises(ValidationError, match=r"account_id.*end this role"):
        change(session, session.require(StakeholderRole, row_id), account_id=company.beta)


def test_an_ended_role_is_over_and_answerable(company):
    row_id = given(company, from_=MARCH)
    with company.session("li") as session:
        end(session, session.require(StakeholderRole, row_id), at=MAY)

    with company.session("li") as session:
        assert roles(session) == []
    with company.session("li", at=NOON_IN_APRIL) as session:
        assert len(roles(session)) == 1


def test_a_person_has_a_role_around_a_subject_once(company):
    given(company, from_=MARCH)
    given(company, role="user", from_=MARCH)
    with pytest.raises(Conflict, match="same time"):
        given(company, from_=MAY)


def test_the_same_role_around_another_subject_is_another(company):
    with company.session("li") as session:
        acme, ann = company.acme_of(session), company.person(session, "ann")
        visit = session.add_one(Activity(kind="visit", subject="Plant tour", account_id=acme.id))
        assign(session, ann, acme, "decider")
        assign(session, ann, acme, "decider", subject=visit)
        assign(session, ann, acme, "user", subject=acme)
    with company.session("li") as session:
        found = {(row.role, row.subject_type, row.subject_id) for row in roles(session)}
    assert found == {("decider", None, None), ("decider", "activity", visit.id), ("user", None, None)}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"influence": 0}, "influence: 0 is not between 1 and 5"),
        ({"influence": 6}, "influence: 6 is not between 1 and 5"),
        ({"stance": 3}, "stance: 3 is not between -2 and 2"),
        ({"strength": -1}, "strength: -1 is not between 0 and 5"),
        ({"scopes": ["cosmic"]}, "scopes: cosmic is no side of a decision"),
    ],
)
def test_what_cannot_be_judged_so_is_refused(company, values, complaint):
    with pytest.raises(Objection, match=complaint):
        given(company, **values)
    row_id = given(company)
    with pytest.raises(Objection, match=complaint), company.session("li") as session:
        row = session.require(StakeholderRole, row_id)
        for name, value in values.items():
            setattr(row, name, frozenset(value) if name == "scopes" else value)


def test_a_role_outside_the_vocabulary_is_refused(company):
    with pytest.raises(ValidationError, match="vocabulary"):
        given(company, role="king")


def test_bulk_is_checked_like_single_rows(company):
    rows = [{"account_id": company.acme, "contact_id": company.ann, "role": "user", "influence": 9}]
    with pytest.raises(Objection, match="9 is not between"), company.session("li") as session:
        session.add_many(StakeholderRole, rows)


def test_a_subject_lies_under_the_account(company):
    with company.crm.system_session("test") as session:
        elsewhere = session.add_one(Activity(kind="visit", subject="At Beta", account_id=company.beta))
    with pytest.raises(Objection, match="no activity"):
        given(company, subject=elsewhere)
    with (
        pytest.raises(Objection, match="no type of records under an account"),
        company.crm.system_session("test") as session,
    ):
        other = session.require(Account, company.beta)
        assign(session, company.person(session, "ann"), company.acme_of(session), "user", subject=other)
    with pytest.raises(Objection, match="stand together"), company.session("li") as session:
        assign(session, company.person(session, "ann"), company.acme_of(session), "user").subject_id = 7


def test_a_role_is_not_moved_to_a_subject_of_another_account(company):
    row_id = given(company)
    with company.crm.system_session("test") as session:
        elsewhere = session.add_one(Activity(kind="visit", subject="At Beta", account_id=company.beta))
    with pytest.raises(Objection, match="no activity"), company.session("zhou") as session:
        row = session.require(StakeholderRole, row_id)
        row.subject_type, row.subject_id = "activity", elsewhere.id


def test_a_sound_role_around_the_same_subject_does_not_excuse_another(company):
    with company.crm.system_session("test") as session:
        elsewhere = session.add_one(Activity(kind="visit", subject="At Beta", account_id=company.beta))
    wrong, sound = (
        {
            "account_id": account_id, "contact_id": company.ann, "role": "user",
            "subject_type": "activity", "subject_id": elsewhere.id,
        }
        for account_id in (company.acme, company.beta)
    )  # fmt: skip
    for rows in ([wrong, sound], [sound, wrong]):
        with pytest.raises(Objection, match="no activity"), company.crm.system_session("test") as session:
            session.add_many(StakeholderRole, rows)


def test_roles_go_with_their_subject_and_come_back_with_it(company):
    with company.session("li") as session:
        acme = company.acme_of(session)
        visit = session.add_one(Activity(kind="visit", subject="Plant tour", account_id=acme.id))
        assign(session, company.person(session, "ann"), acme, "decider", subject=visit)
        assign(session, company.person(session, "bob"), acme, "user")
    with company.session("li") as session:
        session.delete(session.require(Activity, visit.id))
    with company.session("li") as session:
        assert [row.role for row in roles(session)] == ["user"]
        assert "failed_hooks" not in session.info
    deleted = _last_change_set(company)
    with company.session("li") as session:
        session.undo(deleted)
    with company.session("li") as session:
        assert [p.name for p in decision_map(session, company.acme_of(session), visit).stakeholders] == ["Ann"]


def _last_change_set(company):
    from crm_core.store.history import change_sets

    with company.crm.system_session("test", read_only=True) as session:
        return change_sets(session, 1)[0]


def test_an_assignment_can_be_undone(company):
    given(company)
    with company.session("li") as session:
        session.undo(_last_change_set(company))
    with company.session("li") as session:
        assert roles(session) == []


def test_a_role_needs_sight_of_account_and_person(company):
    with company.crm.system_session("test") as session:
        assign(session, company.person(session, "eve"), company.acme_of(session), "coach")
        assign(session, company.person(session, "ann"), company.acme_of(session), "decider")
    with company.session("li") as session:
        assert [row.contact_id for row in roles(session)] == [company.ann]
        assert session.count(StakeholderRole) == 1
    with company.session("wang") as session:
        assert roles(session) == []
        assert session.count(StakeholderRole) == 0
    with company.session("zhou") as session:
        assert {row.contact_id for row in roles(session)} == {company.ann, company.eve}


def test_nobody_writes_about_accounts_they_do_not_see(company):
    with pytest.raises(NotFound), company.session("wang") as session:
        session.add(StakeholderRole(account_id=company.acme, contact_id=company.ann, role="user"))
    row_id = given(company)
    with company.session("wang") as session:
        assert session.get(StakeholderRole, row_id) is None


def test_the_stance_is_for_those_who_may_know_it(company):
    row_id = given(company, stance=-2)
    with company.session("pei") as session:
        row = session.require(StakeholderRole, row_id)
        with pytest.raises(Exception, match="stance"):
            row.stance
    for query in (select(StakeholderRole.stance), select(StakeholderRole).order_by(StakeholderRole.stance)):
        with pytest.raises(PermissionDenied, match="read_stance"), company.session("pei") as session:
            session.execute(query)
    with pytest.raises(Exception, match="stance"), company.session("pei") as session:
        session.list(StakeholderRole, "stance < 0")
    with company.session("li") as session:
        assert [row.id for row in session.list(StakeholderRole, "stance < 0")] == [row_id]


def test_filters_reach_roles_from_accounts_and_people(company):
    given(company, scopes=["final", "financial"], influence=4)
    with company.session("zhou") as session:
        found = session.list(Account, 'any(stakeholders.roles, role == "decider" and influence >= 4)')
        assert [account.id for account in found] == [company.acme]
        assert session.count(Account, 'any(stakeholders.roles, account.name == "Beta")') == 0
        people = session.list(Contact, 'any(stakeholders.roles, role == "decider")')
        assert [person.id for person in people] == [company.ann]
        assert session.count(StakeholderRole, 'contact.name == "Ann" and account.name == "Acme"') == 1


def test_the_note_is_erased_with_the_person(company):
    row_id = given(company, note="likes jazz")
    with company.crm.system_session("officer") as session:
        contacts.erase(session, company.person(session, "ann"), reason="asked for it")
    with company.crm.system_session("test", read_only=True) as session:
        note = session.require(StakeholderRole, row_id).note
    assert note is None
