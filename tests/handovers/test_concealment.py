"""The report of where knowledge may be concealed: each kind of risk, for people and departments, and for whose eyes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from crm_core import (
    Account,
    AccountAddress,
    Address,
    Affiliation,
    Contact,
    ContactPoint,
    Crm,
    Handover,
    Manifest,
    Participant,
    User,
    activities,
    contacts,
    handovers,
    hookimpl,
    organisation,
    ownership,
)
from crm_core.assembly import given
from crm_core.hooks.values import Signal
from crm_core.views import Risk, concealment

from .conftest import Company, detach_before, found
from .test_open_items import counted

DAY = dt.timedelta(days=1)
manifest = Manifest(name="orders", version="1", crm_core=">=0.1,<1", module=__name__)
ORDERS: dict[int, dt.datetime] = {}
HELD: dict[int, dt.datetime] = {}
FAIL: list[bool] = []


@hookimpl
def crm_register_vocabularies() -> Any:
    """The orders of the test are a sign of life."""
    return {"account.signal": {"order": "Order"}}


@hookimpl
def crm_gather_signals(accounts: Any, kinds: Any) -> Iterable[Signal]:
    """The orders and the visits of the test."""
    if FAIL:
        raise RuntimeError("no orders today")
    told = (("order", ORDERS), ("held_activity", HELD))
    return [
        Signal(id_, kind, at) for kind, found in told if kind in kinds for id_, at in found.items() if id_ in accounts
    ]


@pytest.fixture
def company(database_url: str) -> Iterator[Company]:
    with Crm.open(
        {"crm": {"database": database_url, "plugins": ["orders"]}}, check=False, discovery=given(manifest)
    ) as crm:
        crm.store.create_all()
        ORDERS.clear()
        HELD.clear()
        FAIL.clear()
        yield found(crm)


def of(company: Company, kind: str, login: str = "zhou", **options: Any) -> list[Risk]:
    """The risks of a kind in the first part of a report."""
    with company.session(login, read_only=True) as session:
        return [risk for risk in concealment(session, **options)[0].risks if risk.kind == kind]


class TestAccounts:
    def test_orders_without_anybody_known(self, company: Company) -> None:
        now = dt.datetime.now(dt.UTC)
        ORDERS.update({company.accounts[0]: now - DAY, company.other: now - DAY, company.accounts[1]: now - 500 * DAY})
        assert of(company, "orders_without_contact", user="li") == []
        assert [risk.account for risk in of(company, "orders_without_contact", user="wang")] == ["Other"]
        with company.system() as session:
            for row in session.scalars(select(Affiliation).where(Affiliation.account_id.in_(company.accounts[:2]))):
                row.valid_to = session.clock() - DAY
        risks = of(company, "orders_without_contact", user="li")
        assert [(risk.account, risk.account_id) for risk in risks] == [("Firm 0", company.accounts[0])]
        assert len(of(company, "orders_without_contact", user="li", ordered=1000)) == 2

    def test_a_plugin_that_cannot_tell_is_named(self, company: Company) -> None:
        FAIL.append(True)
        with company.session(read_only=True) as session:
            (report,) = concealment(session, user="li", days=3)
        assert [failed.plugin for failed in report.failed] == ["orders"]
        assert report.counts == {"quiet": 6}

    def test_quiet_accounts_with_their_last_activity(self, company: Company) -> None:
        assert of(company, "quiet", user="li", days=10) == []
        with company.system() as session:
            (call,) = activities.plan(session, "call", "New", start=session.clock() - DAY, user="li",
                                      account=session.require(Account, company.accounts[2]))  # fmt: skip
            activities.hold(session, call)
        risks = of(company, "quiet", user="li", days=3)
        assert [risk.account for risk in risks] == ["Firm 0", "Firm 1", "Firm 3", "Firm 4", "Firm 5"]
        assert all(risk.at is not None for risk in risks)
        assert [(risk.account, risk.at) for risk in of(company, "quiet", user="wang")] == [("Other", None)]

    def test_what_a_plugin_counts_as_held_counts_here(self, company: Company) -> None:
        now = dt.datetime.now(dt.UTC)
        held = {0: now - DAY, 1: now - 5 * DAY, 2: now - 100 * DAY}
        HELD.update({company.accounts[number]: at for number, at in held.items()} | {company.other: now - 400 * DAY})
        risks = {risk.account: risk.at for risk in of(company, "quiet", user="li", days=3)}
        assert sorted(risks) == [f"Firm {number}" for number in range(1, 6)]
        assert risks["Firm 1"] == held[1]  # after the call of a week ago
        assert (risks["Firm 2"] or now) > held[2]  # before it
        assert [(risk.account, risk.at) for risk in of(company, "quiet", user="wang")] == [
            ("Other", HELD[company.other])
        ]
        HELD[company.other] = now - DAY
        assert of(company, "quiet", user="wang") == []


class TestPeople:
    def test_whom_only_one_of_us_ever_met(self, company: Company) -> None:
        def meet(number: int, *who: str, how: str) -> None:
            with company.system() as session:
                account = session.require(Account, company.accounts[number])
                buyer = session.scalars(select(Contact).where(Contact.name == f"Buyer {number}")).one()
                first, *others = who
                (visit,) = activities.plan(
                    session, "visit", "Talk", start=session.clock() - DAY, account=account, user=first,
                    contact=buyer if how == "contact" else None,
                    contacts=[buyer] if how == "participant" else [],
                    colleagues=[organisation.find_user(session, login) for login in others],
                )  # fmt: skip
                activities.hold(session, visit)

        meet(0, "li", how="contact")
        meet(1, "li", how="participant")
        meet(2, "li", "wang", how="contact")
        meet(3, "li", "wang", how="participant")
        meet(4, "li", how="contact")
        meet(4, "sun", how="participant")
        risks = of(company, "known_to_one", user="li")
        assert [(risk.contact, risk.account, risk.user_id) for risk in risks] == [
            ("Buyer 0", "Firm 0", company.users["li"]), ("Buyer 1", "Firm 1", company.users["li"]),
        ]  # fmt: skip
        # Of a department also those whom nobody outside of it ever met; Buyer 4 is known in West, too.
        assert [risk.contact for risk in of(company, "known_to_unit", login="qian", unit="East")] == [
            "Buyer 2", "Buyer 3",
        ]  # fmt: skip
        assert [risk.contact for risk in of(company, "known_to_unit", login="qian", unit="Root")] == [
            "Buyer 2", "Buyer 3", "Buyer 4",
        ]  # fmt: skip

    def test_what_is_only_planned_counts_for_nothing(self, company: Company) -> None:
        with company.system() as session:
            buyer = session.scalars(select(Contact).where(Contact.name == "Buyer 0")).one()
            account = session.require(Account, company.accounts[0])
            (visit,) = activities.plan(
                session, "visit", "Talk", start=session.clock() + DAY, account=account, user="li"
            )
            session.add(Participant(activity_id=visit.id, contact_id=buyer.id))
        assert of(company, "known_to_one", user="li") == []


class TestChangesBeforeLeaving:
    @pytest.fixture
    def points(self, company: Company) -> list[int]:
        with company.system() as session:
            ids = []
            for number in range(4):
                buyer = session.scalars(select(Contact).where(Contact.name == f"Buyer {number}")).one()
                point = session.add_one(
                    ContactPoint(contact_id=buyer.id, kind="email", value=f"b{number}@x.example", label="work")
                )
                ids.append(point.id)
        return ids

    def test_changed_emptied_and_deleted(self, company: Company, points: list[int]) -> None:
        with company.session("li") as session:
            session.require(ContactPoint, points[0]).value = "old@x.example"
            session.require(ContactPoint, points[1]).label = None
            session.require(ContactPoint, points[2]).preferred = True  # nobody minds
            row = session.scalars(select(Affiliation).where(Affiliation.account_id == company.accounts[3])).one()
            contacts.confirm(session, row)  # what everybody should do
        with company.session("li") as session:
            session.delete(session.require(ContactPoint, points[3]))
        risks = of(company, "changed_before_leaving", user="li")
        assert [(risk.record_type, risk.operation, risk.fields, risk.contact, risk.account) for risk in risks] == [
            ("contact_point", "deleted", (), "Buyer 3", "Firm 3"),
            ("contact_point", "changed", ("value",), "Buyer 0", "Firm 0"),
            ("contact_point", "emptied", ("label",), "Buyer 1", "Firm 1"),
        ]
        assert all(risk.user_id == company.users["li"] and risk.at for risk in risks)
        assert of(company, "changed_before_leaving", user="wang") == []
        assert len(of(company, "changed_before_leaving", unit="East")) == 3

    def test_how_to_reach_an_account_itself(self, company: Company) -> None:
        first, second, third = company.accounts[:3]
        with company.system() as session:
            session.require(Account, first).phone = "+862112345678"
            plants = [session.add_one(AccountAddress(account_id=id_, address=Address(city="Wuxi"))).id
                      for id_ in (second, third)]  # fmt: skip
        with company.session("li") as session:
            account = session.require(Account, first)
            account.phone, account.grade = None, "C"
        with company.session("li") as session:
            session.require(Account, second).grade = "A"  # no way to reach it
            session.require(AccountAddress, plants[0]).address = Address(city="Ningbo")
        with company.session("li") as session:
            session.delete(session.require(AccountAddress, plants[1]))
        risks = of(company, "changed_before_leaving", user="li")
        assert [(risk.record_type, risk.operation, risk.fields, risk.account, risk.contact) for risk in risks] == [
            ("account_address", "deleted", (), "Firm 2", ""),
            ("account_address", "changed", ("address",), "Firm 1", ""),
            ("account", "emptied", ("phone",), "Firm 0", ""),
        ]

    def test_an_account_that_is_deleted_with_what_reached_it(self, company: Company) -> None:
        with company.system() as session:
            ids = [session.add_one(Account(name=name, email=email)).id
                   for name, email in (("Reached", "a@x.example"), ("Unreached", None))]  # fmt: skip
        with company.session("qian") as session:
            for id_ in ids:
                session.delete(session.require(Account, id_))
        (risk,) = of(company, "changed_before_leaving", login="qian", user="qian")
        assert (risk.record_type, risk.operation, risk.account) == ("account", "deleted", "")

    def test_the_account_of_a_closed_affiliation_is_told(self, company: Company) -> None:
        with company.session("li") as session:
            row = session.scalars(select(Affiliation).where(Affiliation.account_id == company.accounts[3])).one()
            row.valid_to = session.clock()
        (risk,) = of(company, "changed_before_leaving", user="li")
        assert (risk.account, risk.contact, risk.fields) == ("Firm 3", "Buyer 3", ("valid_to",))

    def test_the_days_are_counted_back_from_when_somebody_left(
        self, company: Company, points: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with company.session("li") as session:
            session.require(ContactPoint, points[0]).value = "old@x.example"
        assert len(of(company, "changed_before_leaving", user="li", before=1)) == 1
        later = dt.datetime.now(dt.UTC) + 20 * DAY
        with company.session() as session:  # leaves in twenty days: seven days before that are still to come
            handover = handovers.draft(session, "li", to="wang", effective=later)
        assert of(company, "changed_before_leaving", user="li", before=7) == []
        assert len(of(company, "changed_before_leaving", user="li", before=30)) == 1
        with company.session() as session:
            handovers.cancel(session, session.require(Handover, handover.id))
        assert len(of(company, "changed_before_leaving", user="li", before=7)) == 1

    def test_what_came_after_a_deactivation_is_somebody_elses(self, company: Company, points: list[int]) -> None:
        with company.session("li") as session:
            session.require(ContactPoint, points[0]).value = "old@x.example"
        company.done()
        with company.session("qian") as session:
            session.require(User, company.users["li"]).active = False
        assert len(of(company, "changed_before_leaving", user="li", before=7)) == 1

    def test_it_says_what_it_cannot_know_because_the_journal_is_detached(self, company: Company) -> None:
        if company.crm.store.dialect != "postgresql":
            pytest.skip("only PostgreSQL has parts of the journal")
        cut = detach_before(company.crm, days=3)

        def begins(before: int) -> set[dt.datetime | None]:
            with company.session(read_only=True) as session:
                return {each.begins for each in concealment(session, before=before)}

        assert begins(before=10) == {cut}
        assert begins(before=2) == {None}


def test_whether_anybody_tells_of_orders(company: Company, database_url: str) -> None:
    def told(crm: Crm) -> set[bool]:
        with crm.session("zhou", read_only=True) as session:
            return {each.tells_orders for each in concealment(session)}

    assert told(company.crm) == {True}
    with Crm.open({"crm": {"database": database_url}}, check=False) as crm:
        assert told(crm) == {False}


class TestForWhoseEyes:
    def test_of_somebody_with_several_places_one_is_named_that_the_reader_sees(self, company: Company) -> None:
        with company.system() as session:
            buyer = session.scalars(select(Contact).where(Contact.name == "Buyer 0")).one()
            west = session.add_one(Account(name="West firm"))
            ownership.assign(session, west, to="sun", since_always=True)
            contacts.affiliate(session, buyer, west, role="adviser", primary=True, since_always=True)
        with company.session("li") as session:
            session.require(Contact, buyer.id).note = "he drinks"
        for login, place in (("zhou", "Firm 0"), ("qian", "West firm")):
            (risk,) = of(company, "changed_before_leaving", login=login, user="li")
            assert (risk.contact, risk.account) == ("Buyer 0", place)

    def test_of_somebody_who_has_gone_the_last_place_is_named(self, company: Company) -> None:
        with company.system() as session:
            row = session.scalars(select(Affiliation).where(Affiliation.account_id == company.accounts[2])).one()
            contact_id, row.valid_to = row.contact_id, session.clock() - DAY
            lone = session.add_one(Contact(name="Lone", note="old"))
        with company.session("li") as session:
            session.require(Contact, contact_id).note = "he drinks"
        with company.session("qian") as session:
            session.require(Contact, lone.id).note = None
        assert [risk.account for risk in of(company, "changed_before_leaving", user="li")] == ["Firm 2"]
        assert [risk.account_id for risk in of(company, "changed_before_leaving", login="qian", user="qian")] == [None]

    def test_only_what_one_sees(self, company: Company) -> None:
        with company.system() as session:
            point = session.add_one(
                ContactPoint(
                    contact_id=session.scalars(select(Contact.id).where(Contact.name == "Buyer 0")).one(),
                    kind="email", value="a@x.example",
                )
            )  # fmt: skip
        with company.session("li") as session:
            session.require(ContactPoint, point.id).value = "b@x.example"
        with company.session("wang", read_only=True) as session:
            (report,) = concealment(session, user="li", days=1)
            assert (report.accounts, report.risks) == (0, ())
            assert {each.name: each.accounts for each in concealment(session)} == {
                "Root": 1, "East": 1, "West": 0, "Wang": 1,
            }  # fmt: skip
        with company.session("sun", read_only=True) as session:
            assert all(not each.risks and not each.accounts for each in concealment(session, days=1))

    def test_what_was_deleted_is_told_to_whoever_sees_what_it_hung_on(self, company: Company) -> None:
        with company.system() as session:
            buyer = session.scalars(select(Contact).where(Contact.name == "Buyer 0")).one()
            ids = [session.add_one(ContactPoint(contact_id=buyer.id, kind="email", value="a@x.example")).id]
            lone = session.add_one(Contact(name="Lone", note="secret"))
            session.flush()
        with company.session("li") as session:
            session.delete_many(ContactPoint, ids)
            session.require(Contact, buyer.id).note = "he drinks"
            session.require(Contact, buyer.id).birthday = dt.date(1980, 1, 1)
        kinds = [(risk.operation, risk.fields) for risk in of(company, "changed_before_leaving", user="li")]
        assert sorted(kinds) == [("changed", ("birthday", "note")), ("deleted", ())]
        with company.session("qian") as session:
            session.delete(session.require(Contact, lone.id))
        assert of(company, "changed_before_leaving", login="zhou", user="qian") == []
        (risk,) = of(company, "changed_before_leaving", login="qian", user="qian")
        assert (risk.record_type, risk.operation, risk.contact) == ("contact", "deleted", "")

    def test_restricted_fields_are_not_named(self, database_url: str) -> None:
        roles = {"auditor": {"permissions": {"*.read": "all"}}}
        with Crm.open({"crm": {"database": database_url}, "roles": roles}, check=False) as crm:
            crm.store.create_all()
            company = found(crm)
            with crm.system_session("init") as session:
                session.add(User(login="audit", name="Audit"))
                session.flush()
                organisation.join(session, "audit", "Root", role="auditor")
            for name, value in (("note", "he drinks"), ("birthday", dt.date(1980, 1, 1))):
                with company.session("li") as session:
                    buyer = session.scalars(select(Contact).where(Contact.name == "Buyer 0")).one()
                    setattr(buyer, name, value)
            risks = of(company, "changed_before_leaving", login="audit", user="li")
            assert [risk.fields for risk in risks] == [("birthday",)]

    def test_the_number_of_statements_does_not_grow(self, company: Company) -> None:
        def asked() -> int:
            with company.session("zhou", read_only=True) as session:
                return counted(company, lambda: concealment(session))

        asked()
        first = asked()
        with company.system() as session:
            for number in range(20):
                account = session.add_one(Account(name=f"More {number}"))
                ownership.assign(session, account, to="li", since_always=True)
        with company.session("li") as session:
            for buyer in session.list(Contact):
                buyer.salutation = "Ms"
        assert first <= asked() <= first + 4 < 40  # the names of whom the changes are about, and where they work
