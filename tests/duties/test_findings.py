"""What is stale, contradicts itself or is missing: each check finds its own kind, for those who may know of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import event, update

from crm_core import (
    Account,
    Address,
    Affiliation,
    Contact,
    ContactPoint,
    PointKind,
    User,
    activities,
    contacts,
    ownership,
    quality,
)
from crm_core.errors import NotFound
from crm_core.store.policy import Role, Scope
from crm_core.views.stewardship import QualityFinding

from .conftest import START, World


def found(world: World, login: str | None = None, **options: Any) -> list[QualityFinding]:
    with world.session(login, read_only=True) as session:
        return quality.findings(session, **options)


def names(world: World, login: str | None = None, **options: Any) -> set[tuple[str, str]]:
    return {(each.check, each.account) for each in found(world, login, **options)}


@pytest.fixture
def troubled(world: World) -> World:
    """Each check has its case at Acme and its like at Delta: an import may bring owners who have left."""
    with world.session(source="import") as session:
        for name, owner in (("Acme", "li"), ("Delta", "gao")):
            account = session.require(Account, world.accounts[name])
            other = session.add_one(
                Account(name=f"{name} Two", phone=f"+496990{len(name)}00", address=Address(country="CN"))
            )
            person = session.require(Contact, world.people[name])
            session.flush()
            ownership.assign(session, other, to=owner, since_always=True)
            session.add_one(Affiliation(account_id=other.id, contact_id=person.id, primary=True))
            twin = session.add_one(Contact(name=f"{name} Twin"))
            session.add_one(Affiliation(account_id=account.id, contact_id=twin.id, valid_from=START))
            number = session.require(ContactPoint, world.points[name]).value
            session.add_one(
                ContactPoint(contact_id=twin.id, kind=PointKind.MOBILE, value=f"0086 {number[3:6]}-{number[6:]}")
            )
            account.website = "https://www.acme.example"
            for value in ("acme.example", "mail.acme.example", "qq.com", "rival.example"):
                session.add_one(ContactPoint(contact_id=person.id, kind=PointKind.EMAIL, value=f"{name}@{value}"))
            gone = session.add_one(Contact(name=f"{name} Gone"))
            session.add_one(Affiliation(account_id=account.id, contact_id=gone.id, valid_to=START))
            activities.plan(session, "visit", "See you", start=START, account=account, contact=gone)
            mute = session.add_one(Contact(name=f"{name} Mute"))
            session.add_one(Affiliation(account_id=account.id, contact_id=mute.id, valid_from=START))
            old = session.add_one(Account(name=f"{name} Old", active=False))
            retired = session.add_one(User(login=f"{name}-retired", name="Retired", active=False))
            empty = session.add_one(Account(name=f"{name} Empty"))
            session.flush()
            activities.plan(session, "visit", "Never", start=START, account=old)
            for each in (old, empty):
                ownership.assign(session, each, to=owner, since_always=True)
            ownership.assign(session, empty, to=retired, since_always=True, scope="spare parts")
            session.flush()
            table = Account.crm_type.table
            session.core(  # as it was before the rule
                update(table).where(table.c.id == account.id).values(registration_country="CN")
            )
    world.clock.forward(50)
    return world


EXPECTED = {
    ("two_main_places", "Acme"), ("shared_point", "Acme"), ("email_domain", "Acme"), ("left_with_plans", "Acme"),
    ("no_contact_point", "Acme"), ("inactive_with_plans", "Acme Old"), ("owner_inactive", "Acme Empty"),
    ("no_person", "Acme Empty"), ("registration_number", "Acme"), ("phone_country", "Acme Two"),
}  # fmt: skip


def test_each_check_finds_its_case_and_nothing_else(troubled: World) -> None:
    assert names(troubled, "li") == EXPECTED
    everything = {(check, account.replace("Acme", name)) for check, account in EXPECTED for name in ("Acme", "Delta")}
    assert names(troubled) == everything
    assert {each.check for each in found(troubled) if each.hint} == {"email_domain"}


def test_each_finding_says_what_and_what_to_do(troubled: World) -> None:
    texts = {each.check: str(each.problem) for each in found(troubled, "li")}
    assert texts["shared_point"] == (
        "0086 138-00138000 is both Acme Twin's and Acme Buyer's. Find out whose it is; perhaps they are one person."
    ) or texts["shared_point"].startswith("+86")
    assert texts["phone_country"] == (
        "Acme Two is in CN, but its telephone +496990400 is in DE. Correct the one that is wrong."
    )
    assert texts["email_domain"].startswith("Acme Buyer writes from rival.example, but Acme is at acme.example.")
    assert texts["left_with_plans"].startswith("'See you' is planned with Acme Gone, who does not work at Acme.")
    assert all(each.problem.mend for each in found(troubled))


KINDS = (PointKind.MOBILE, PointKind.PHONE, PointKind.FAX)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_that_are_contact_points_are_judged_like_the_telephone_of_the_account(
    world: World, kind: PointKind
) -> None:
    with world.session() as session:
        for name in ("Acme", "Delta"):
            session.require(Account, world.accounts[name]).address = Address(country="DE")
            session.add_one(ContactPoint(account_id=world.accounts[name], kind=kind, value="+44 20 7946 0018"))
            session.add_one(ContactPoint(account_id=world.accounts[name], kind=kind, value="+49 69 90 4000"))
            session.add_one(ContactPoint(account_id=world.accounts[name], kind=kind, value="069 904000"))
            session.add_one(ContactPoint(contact_id=world.people[name], kind=kind, value="+33 1 42 68 53 00"))
            session.add_one(ContactPoint(contact_id=world.people[name], kind=PointKind.OTHER, value="+44 is dialled"))
        session.require(ContactPoint, world.points["Acme"]).value = "+49 171 555 2222"
    told = found(world, "li", kinds=["point_country"])
    assert [(str(each.problem), each.hint, each.contact_id) for each in told] == [
        ("Acme is in DE, but its telephone +44 20 7946 0018 is in GB. Correct the one that is wrong.", False, None),
        ("Acme is in DE, but +33 1 42 68 53 00, at which Acme Buyer is reached, is in FR. "
         "Correct the one that is wrong.", True, world.people["Acme"]),
    ]  # fmt: skip
    assert [each.record_type for each in told] == ["contact_point"] * 2
    # Delta's buyer has a number in China besides, and Gao sees nobody of Acme.
    assert [each.account for each in found(world, "gao", kinds=["point_country"])] == ["Delta"] * 3
    assert len(found(world, kinds=["point_country"], accounts=[world.accounts["Acme"]])) == 2


def test_nobody_hears_of_what_they_do_not_see(troubled: World) -> None:
    for login in ("li", "wang", "zhou", "mei"):
        for each in found(troubled, login):
            with troubled.session(login, read_only=True) as session:
                assert each.account_id is not None and session.get(Account, each.account_id) is not None
                assert "Delta" not in str(each.problem)
                record_type = session.types[each.record_type]
                assert session.get(record_type.cls, each.record_id) is not None


def test_somebody_elsewhere_is_not_told_by_a_shared_number(troubled: World) -> None:
    """Li sees one of two people with the same number: nothing tells that there is another one."""
    with troubled.session() as session:
        session.require(ContactPoint, troubled.points["Delta"]).value = "+8613800138999"
        session.require(ContactPoint, troubled.points["Cave"]).value = "+8613800138999"
        session.add_one(ContactPoint(contact_id=troubled.people["Beta"], kind=PointKind.MOBILE, value="13800138999"))
    assert not [each for each in found(troubled, "li") if "138999" in str(each.problem)]
    assert len([each for each in found(troubled, "zhou") if "138999" in str(each.problem)]) == 1
    assert len([each for each in found(troubled) if "138999" in str(each.problem)]) == 2


def test_what_one_may_not_read_is_not_told_to_be_missing(troubled: World) -> None:
    roles = troubled.crm.build.policy.roles
    roles["clerk"] = Role("clerk", (("account.read", Scope.ALL),))  # type: ignore[index]
    assert {check for check, _ in names(troubled, "mei")} == {"registration_number", "phone_country"}
    # Who sees every account but the people of none is not told that there are no people.
    roles["clerk"] = Role("clerk", (("account.read", Scope.ALL), ("affiliation.read", Scope.OWN),  # type: ignore[index]
                                    ("contact.read", Scope.OWN), ("activity.read", Scope.ALL),
                                    ("contact_point.read", Scope.OWN)))  # fmt: skip
    assert {check for check, _ in names(troubled, "mei")} == {
        "registration_number", "phone_country", "inactive_with_plans",
    }  # fmt: skip


def test_a_number_without_a_country_is_not_checked_and_that_is_hinted(world: World) -> None:
    with world.session() as session:
        acme = session.list(Account, 'name == "Acme"')[0]
        acme.registration_country = None
        session.commit()
        (found,) = quality.findings(session, kinds=["registration_number"])
        assert (found.account, found.hint) == ("Acme", True)
        assert str(found.problem) == (
            "The registration number Acme-1 of Acme was never checked: it has no country. "
            "Fill in the country of registration."
        )


def test_a_place_goes_stale(world: World) -> None:
    world.clock.forward(99)
    assert names(world, "li") == set()
    world.clock.forward(2)
    assert names(world, "li") == {("stale_place", "Acme"), ("stale_place", "Beta")}
    with world.session("li") as session:
        contacts.confirm(session, session.require(Affiliation, world.places["Acme"]))
    assert names(world, "li") == {("stale_place", "Beta")}
    assert names(world, "li", kinds=["no_person"]) == set()


def test_an_erased_person_leaves_no_plans(world: World) -> None:
    with world.session("li") as session:
        activities.plan(session, "call", "Ring", start=START, contact=session.require(Contact, world.people["Acme"]))
    with world.session("qian") as session:
        contacts.erase(session, session.require(Contact, world.people["Acme"]), reason="asked for it")
    assert names(world, "li") == {("erased_leftovers", "Acme")}
    with world.session() as session:
        session.add_one(ContactPoint(contact_id=world.people["Acme"], kind=PointKind.EMAIL, value="back@acme.example"))
    texts = [str(each.problem) for each in found(world, "li")]
    assert [text.partition(" the erased")[0] for text in texts] == [
        "Activities are planned with", "There are contact points of",
    ]  # fmt: skip


def test_one_chooses_what_is_looked_at(troubled: World) -> None:
    acme = troubled.accounts["Acme"]
    assert {account for _, account in names(troubled, accounts=[acme])} == {"Acme"}
    assert {account for _, account in names(troubled, where='contains(name, "Empty")')} == {"Acme Empty", "Delta Empty"}
    assert names(troubled, kinds=["no_person"], limit=1) == {("no_person", "Acme Empty")}
    with troubled.session() as session, pytest.raises(NotFound, match="Did you mean no_person"):
        quality.findings(session, kinds=["no_persons"])


def statements(world: World, login: str | None, limit: int | None = None) -> int:
    counted: list[str] = []

    def note(*args: object) -> None:
        counted.append(str(args[2]))

    with world.session(login, read_only=True) as session:
        session.get(Account, 1)
        event.listen(world.crm.store.engine, "before_cursor_execute", note)
        try:
            quality.queue(session, limit=limit)
        finally:
            event.remove(world.crm.store.engine, "before_cursor_execute", note)
    return len(counted)


def test_a_look_at_another_day(troubled: World) -> None:
    with troubled.session("li", at=START + dt.timedelta(days=10)) as session:
        assert {each.kind for each in quality.queue(session)} >= {"two_main_places", "shared_point", "duplicate"}
    with troubled.session("li", at=START - dt.timedelta(days=10)) as session:
        assert "shared_point" not in {each.check for each in quality.findings(session)}  # nobody worked there yet


def test_a_fixed_number_of_statements(troubled: World) -> None:
    assert statements(troubled, "li") == statements(troubled, "zhou") == statements(troubled, "zhou", 50) == 22
    assert statements(troubled, None, 50) == 32  # whoever sees all walks along each kind of key


def test_the_queue_has_proposals_before_findings(troubled: World) -> None:
    with troubled.session("li") as session:
        acme = session.require(Account, troubled.accounts["Acme"])
        quality.propose(session, acme, {"name": "Acme Ltd"}, reason="new sign")
        quality.propose(session, session.require(Contact, troubled.people["Beta"]), {"language": "zh"})
    with troubled.session("sun", read_only=True) as session:
        entries = quality.queue(session)
        assert [str(each.problem) for each in entries[:2]] == [
            "Acme: name is Acme, and should be Acme Ltd: new sign Approve it or refuse it.",
            "Beta Buyer: language is —, and should be zh. Approve it or refuse it.",
        ]
        assert (entries[0].who, entries[0].kind, entries[0].since) == ("Li", "change", troubled.clock.now)
        assert {each.kind for each in entries[2:]} == {check for check, _ in EXPECTED} | {"duplicate"}
        doubles = [str(each.problem) for each in entries if each.kind == "duplicate"]
        assert len(doubles) == 2 and all("may be the same: phone" in each for each in doubles)
        assert [each.kind for each in quality.queue(session, kinds=["duplicate"])] == ["duplicate"] * 2
        assert [each.kind for each in quality.queue(session, kinds=["change"])] == ["change", "change"]
        assert {each.kind for each in quality.queue(session, kinds=["no_person"])} == {"no_person"}
        assert {each.account_id for each in quality.queue(session, accounts=[acme])} == {acme.id}
        assert {each.account for each in quality.queue(session, where='name == "Acme"')} == {"Acme"}
    with troubled.session("wang", read_only=True) as session:
        assert quality.queue(session, kinds=["change"]) == []


def test_a_page_says_of_what_there_is_more(troubled: World) -> None:
    with troubled.session("li") as session:
        for kind in ("name", "local_name", "legal_name"):
            quality.propose(session, session.require(Account, troubled.accounts["Acme"]), {kind: "Acme Ltd"})
        session.commit()
        whole = quality.queue(session)
        page = quality.queue_page(session, limit=1)
        assert quality.queue_page(session, limit=len(whole)) == quality.QueuePage(tuple(whole))
    assert page.more == tuple(dict.fromkeys(kind for kind in (each.kind for each in whole)
                                            if [each.kind for each in whole].count(kind) > 1))  # fmt: skip
    assert len({each.kind for each in page.entries}) == len(page.entries)
    assert {each.kind for each in page.entries} == {each.kind for each in whole}


def test_days_are_counted_from_the_session(world: World) -> None:
    with world.session(at=START + dt.timedelta(days=120)) as session:
        texts = [str(each.problem) for each in quality.findings(session, kinds=["stale_place"])]
    assert texts[0].startswith("Nobody has confirmed for 120 days that Acme Buyer still works at Acme.")
