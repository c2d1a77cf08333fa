"""Rows that say the same become one: what only one of them says is kept, and what they say differently is told."""

from __future__ import annotations

import attrs
import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    Affiliation,
    Contact,
    ContactPoint,
    MergeReport,
    Ownership,
    OwnershipRole,
    PointKind,
    Share,
    merging,
)
from crm_core.domain.contacts import Consent
from crm_core.domain.handovers.records import Handover, HandoverItem, ItemState
from crm_core.fields.field import Field
from crm_core.fields.kinds import TextKind

from .conftest import Company
from .records import POLICY, Term, dump

HOUR = Field(TextKind(20), name="best_hour", optional=True, default=None)
DOOR = Field(TextKind(20), name="door", optional=True, default=None)
CUSTOM = {
    "contact_point": {"best_hour": HOUR, "door": DOOR},
    "affiliation": {"best_hour": HOUR},
    "ownership": {"best_hour": HOUR, "door": DOOR},
}


@pytest.fixture
def company(company: Company) -> Company:
    """The company, with custom fields on what hangs on accounts and people."""
    return company.with_policy(attrs.evolve(POLICY, custom=CUSTOM))


def people(company: Company, one: int, other: int, login: str | None = None, **options: bool) -> MergeReport:
    with company.session(login) as session:
        return merging.merge(session, session.require(Contact, one), session.require(Contact, other), **options)


def accounts(company: Company, one: int, other: int, login: str | None = None, **options: bool) -> MergeReport:
    with company.session(login) as session:
        return merging.merge(session, session.require(Account, one), session.require(Account, other), **options)


def point(company: Company, contact: int, label: str | None, custom: dict[str, str], **values: object) -> int:
    with company.session() as session:
        made = ContactPoint(contact_id=contact, kind=PointKind.EMAIL, value="a@b.example", label=label, **values)
        made.custom = custom
        return session.add_one(made).id


def told(report: MergeReport) -> list[str]:
    return sorted(str(each) for each in report.resolved)


def test_what_only_the_row_that_goes_says_is_taken_over(company: Company) -> None:
    one, other = company.person(None), company.person(None)
    stays = point(company, one, None, {"best_hour": "9"})
    goes = point(company, other, "home", {"door": "left"})
    before = dump(company.store)
    report = people(company, one, other)
    assert told(report) == [f"contact_point {goes}: {stays} says the same; this one goes into it."]
    with company.session() as session:
        (kept,) = session.list(ContactPoint)
        assert (kept.id, kept.label, kept.custom) == (stays, "home", {"best_hour": "9", "door": "left"})
    with company.session() as session:
        merging.split(session, other)
    assert dump(company.store) == before


def test_what_they_say_differently_is_told_with_both_values(company: Company) -> None:
    one, other = company.person(None), company.person(None)
    stays = point(company, one, "office", {"best_hour": "9"}, consent=Consent.GIVEN)
    goes = point(company, other, "home", {"best_hour": "21"}, consent=Consent.WITHDRAWN)
    wanted = sorted(
        [
            f"contact_point {goes}: {stays} says the same; this one goes into it.",
            f"contact_point {goes}: of label, 'office' stays in {stays}, and 'home' is lost.",
            f"contact_point {goes}: of custom.best_hour, '9' stays in {stays}, and '21' is lost.",
            f"contact_point {goes}: of consent, 'withdrawn' stays in {stays}, and 'given' is lost.",
        ]
    )
    assert told(people(company, one, other, dry_run=True)) == wanted
    assert told(people(company, one, other)) == wanted
    with company.session() as session:
        (kept,) = session.list(ContactPoint)
        assert (kept.label, kept.custom) == ("office", {"best_hour": "9"})


def test_of_three_that_are_one_each_is_asked_for_what_it_says(company: Company) -> None:
    one, other = company.person(None), company.person(None)
    stays = point(company, one, None, {})
    points = [point(company, other, None, {"best_hour": "9"}), point(company, other, "home", {"door": "left"})]
    report = people(company, one, other)
    assert [each.values["other"] for each in report.resolved] == [stays, stays]
    with company.session() as session:
        (kept,) = session.list(ContactPoint)
        assert (kept.label, kept.custom) == ("home", {"best_hour": "9", "door": "left"})
    assert len(points) == 2


def test_places_of_work_too(company: Company) -> None:
    acme = company.account("li")
    one, other = company.person(acme), company.person(acme)
    with company.session() as session:
        mine, theirs = session.scalars(select(Affiliation).order_by(Affiliation.id))
        mine.custom, theirs.custom, theirs.role = {"best_hour": "9"}, {"best_hour": "21"}, "buyer"
    report = people(company, one, other, "li")
    with company.session() as session:
        (kept,) = session.list(Affiliation)
        assert (kept.id, kept.role, kept.custom) == (mine.id, "buyer", {"best_hour": "9"})
    assert f"affiliation {theirs.id}: of custom.best_hour, '9' stays in {mine.id}, and '21' is lost." in told(report)


@pytest.mark.parametrize("role", list(OwnershipRole))
def test_responsibilities_too(company: Company, role: OwnershipRole) -> None:
    one, other = company.account(None), company.account(None)
    with company.session() as session:
        rows = []
        for id_, reason, custom in ((one, "first", {"door": "x"}), (other, "second", {"door": "y", "best_hour": "9"})):
            row = Ownership(account_id=id_, user_id=company.users["li"], role=role, reason=reason)
            row.custom = custom
            rows.append(session.add_one(row).id)
    assert {
        f"ownership {rows[1]}: of custom.door, 'x' stays in {rows[0]}, and 'y' is lost.",
        f"ownership {rows[1]}: of reason, 'first' stays in {rows[0]}, and 'second' is lost.",
    } <= set(told(accounts(company, one, other)))
    with company.session() as session:
        (kept,) = session.list(Ownership)
        assert (kept.reason, kept.custom) == ("first", {"door": "x", "best_hour": "9"})


def test_a_row_that_gives_way_says_what_is_lost_but_not_what_one_may_not_read(company: Company) -> None:
    one, other = company.account("wu"), company.account("wu")
    with company.session() as session:
        stays, goes = (
            session.add_one(Term(account_id=id_, line="x", value=value, secret=f"s{value}")).id
            for id_, value in ((one, 1), (other, 2))
        )
    shown, hidden = (
        f"merge_probe.term {goes}: of value, '1' stays in {stays}, and '2' is lost.",
        f"merge_probe.term {goes}: of secret, 's1' stays in {stays}, and 's2' is lost.",
    )
    planned = told(accounts(company, one, other, "wu", dry_run=True))
    assert shown in planned and hidden not in planned
    assert {shown, hidden} <= set(told(accounts(company, one, other)))


# -- two items of one handover ---------------------------------------------------------------------------------


def items(
    company: Company, accounts: list[int], states: list[ItemState], *, apart: bool = False, leaver: str = "li"
) -> list[int]:
    """Items of a handover of somebody's accounts to Wang, Zhao and so on; each in one of its own where ``apart``."""
    with company.session() as session:
        handover = session.add_one(Handover(leaver_id=company.users[leaver]))
        made = []
        for account, state, successor in zip(accounts, states, ("wang", "zhao", "sun"), strict=False):
            if apart:
                handover = session.add_one(Handover(leaver_id=company.users[leaver]))
            made.append(
                session.add_one(
                    HandoverItem(handover_id=handover.id, account_id=account, successor_id=company.users[successor],
                                 state=state)
                ).id
            )  # fmt: skip
        return made


@pytest.mark.parametrize("apart", [False, True])
def test_one_responsibility_is_handed_over_once(company: Company, apart: bool) -> None:
    one, other = company.account("li"), company.account("li")
    goes, stays = items(company, [other, one], [ItemState.ACCEPTED, ItemState.OFFERED], apart=apart)
    with company.session() as session:
        session.add(
            Share(account_id=other, user_id=company.users["wang"], reason="r", because_type="handover_item",
                  because_id=goes)
        )  # fmt: skip
    before = dump(company.store)
    report = told(accounts(company, one, other))
    wang, zhao = company.users["wang"], company.users["zhao"]
    assert f"handover_item {goes}: {stays} hands over the same, and stays; this one goes into it." in report
    assert f"handover_item {goes}: of successor_id, '{zhao}' stays in {stays}, and '{wang}' is lost." in report
    assert f"handover_item {goes}: of state, 'offered' stays in {stays}, and 'accepted' is lost." in report
    with company.session() as session:
        (kept,) = session.list(HandoverItem)
        assert (kept.id, kept.account_id, kept.successor_id, kept.state) == (stays, one, zhao, ItemState.OFFERED)
        assert [share.because_id for share in session.list(Share)] == [stays]
    with company.session() as session:
        merging.split(session, other)
    assert dump(company.store) == before


def test_a_handover_that_lost_its_last_item_is_over(company: Company) -> None:
    one, other = company.account("li"), company.account("li")
    items(company, [one], [ItemState.OFFERED])
    items(company, [other], [ItemState.OFFERED])
    accounts(company, one, other)
    with company.session() as session:
        assert sorted(each.state.value for each in session.list(Handover)) == ["cancelled", "drafted"]
    with company.session() as session:
        merging.split(session, other)
    with company.session() as session:
        assert [each.state.value for each in session.list(Handover)] == ["drafted", "drafted"]


def test_what_was_handed_over_stays_beside_what_is_still_to_be(company: Company) -> None:
    one, other = company.account("li"), company.account("li")
    ids = items(company, [other, one], [ItemState.DONE, ItemState.ACCEPTED])
    accounts(company, one, other)
    with company.session() as session:
        assert {(item.id, item.account_id) for item in session.list(HandoverItem)} == {(id_, one) for id_ in ids}


def test_whoever_is_no_longer_the_owner_hands_over_what_they_are(company: Company) -> None:
    one, other = company.account("li"), company.account("sun")
    items(company, [one], [ItemState.OFFERED])
    (theirs,) = items(company, [other], [ItemState.OFFERED], leaver="sun")
    with company.session() as session:
        first = session.scalars(select(HandoverItem).order_by(HandoverItem.id)).first()
        assert first is not None
        session.add(HandoverItem(handover_id=first.handover_id, account_id=other, role=OwnershipRole.BACKUP))
    report = told(accounts(company, one, other))
    assert f"handover_item {theirs}: the owner stays; this one hands over a collaborator's part." in report
    with company.session() as session:
        found = session.list(HandoverItem)
        assert [item.account_id for item in found] == [one, one, one]
        assert {item.role for item in found} == set(OwnershipRole) - {OwnershipRole.MENTOR}
    with company.session() as session:
        merging.split(session, other)
    with company.session() as session:
        assert session.require(HandoverItem, theirs).role is OwnershipRole.OWNER
