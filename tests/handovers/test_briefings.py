"""Briefings: what they tell, to whom, in how many statements; as text and as HTML."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from crm_core import (
    Account,
    Contact,
    ContactPoint,
    Participant,
    Stage,
    accounts,
    activities,
    contacts,
    handovers,
)
from crm_core.domain.contacts import Consent
from crm_core.hooks.values import Failed, Panel
from crm_core.translation import Translator
from crm_core.views import briefings
from crm_core.views.briefing_text import briefing_html, briefing_index, briefing_text

from .conftest import Company
from .test_open_items import counted

MARCH = dt.datetime(2025, 3, 1, 9, tzinfo=dt.UTC)


@pytest.fixture
def rich(company: Company) -> Company:
    """The first account with everything that a briefing can tell."""
    with company.system() as session:
        account = session.require(Account, company.accounts[0])
        account.grade, account.note = "A", "pays late"
        other = session.require(Account, company.other)
        accounts.relate(session, account, "subsidiary", other)
        accounts.promote(session, account, Stage.CUSTOMER, at=MARCH)
        ann = session.add_one(Contact(name="安琪"))
        contacts.affiliate(session, ann, account, role="buyer", title="Chief", department="Purchasing", from_=MARCH,
                           primary=True)  # fmt: skip
        session.add(ContactPoint(contact_id=ann.id, kind="mobile", value="+8613800138000", preferred=True))
        session.add(ContactPoint(contact_id=ann.id, kind="email", value="ann@example.com", consent=Consent.WITHDRAWN))
        (visit,) = activities.plan(session, "visit", "Talk <b>", start=MARCH, account=account, contact=ann, user="li")
        activities.hold(session, visit, outcome="wants a sample\nand a price", feeling="discontent")
        bob = session.add_one(Contact(name="Bob"))
        contacts.affiliate(session, bob, account, since_always=True)
        session.add(Participant(activity_id=visit.id, contact_id=bob.id))
        for number in range(7):
            (call,) = activities.plan(
                session,
                "call",
                f"Old {number}",
                start=MARCH - dt.timedelta(days=number + 1),
                account=account,
                user="li",
            )
            activities.hold(session, call)
    return company


class TestBriefings:
    def test_who_is_who_what_was_said_and_what_is_open(self, rich: Company) -> None:
        with rich.session("li", read_only=True) as session:
            (found,) = briefings(session, session.require(Account, rich.accounts[0]))
            ann, buyer, bob = found.people
            assert (ann.name, ann.role, ann.title, ann.department) == ("安琪", "buyer", "Chief", "Purchasing")
            assert ann.points == (("mobile", "+8613800138000", ""), ("email", "ann@example.com", "withdrawn"))
            assert (ann.last_met, bob.last_met, buyer.last_met) == (MARCH, MARCH, None)
            assert [each.subject for each in found.last] == ["Call 0", "Talk <b>", "Old 0", "Old 1", "Old 2"]
            assert (found.last[1].person, found.last[1].user, found.last[1].feeling) == ("安琪", "Li", "discontent")
            assert [item.title for item in found.promises] == ["Send sample 0"]
            assert [item.title for item in found.open] == ["See 0"]
            assert [(each.business_line, each.stage) for each in found.stages] == [("general", "customer")]
            assert ("Grade", "A") in found.facts and ("Note", "pays late") in found.facts
            assert [each.name for each in found.responsible] == ["Li"]
            assert found.related == ()  # the other account is not for Li to know
            assert len(briefings(session, session.list(Account), last=1)[0].last) == 1
            assert briefings(session, []) == []
        with rich.session("zhou", read_only=True) as session:
            found, other = briefings(
                session, [session.require(Account, rich.accounts[0]), session.require(Account, rich.other)]
            )
            assert [(each.name, each.outward) for each in found.related] == [("Other", True)]
            assert [(each.name, each.outward) for each in other.related] == [("Firm 0", False)]

    def test_the_successor_is_briefed_before_the_answer_and_not_after_a_refusal(self, rich: Company) -> None:
        rich.offered(to="sun", scope="name == 'Firm 0'")
        with rich.session("sun") as session:
            seen = session.list(Account)
            (found,) = briefings(session, seen)
            assert [person.name for person in found.people] == ["安琪", "Buyer 0", "Bob"]
            assert found.promises and found.open
            handovers.refuse(session, handovers.waiting_for(session, rich.users["sun"]))
        with rich.session("sun") as session:
            assert session.list(Account) == [] and session.list(Contact) == []

    def test_the_number_of_statements_does_not_grow(self, rich: Company) -> None:
        def asked(ids: list[int]) -> int:
            with rich.session("zhou", read_only=True) as session:
                wanted = [session.require(Account, id_) for id_ in ids]
                return counted(rich, lambda: briefings(session, wanted))

        asked(rich.accounts)
        assert asked(rich.accounts[:1]) == asked([*rich.accounts, rich.other]) <= 20


class TestAsTextAndHtml:
    def one(self, rich: Company) -> Any:
        with rich.session("zhou", read_only=True) as session:
            (found,) = briefings(session, session.require(Account, rich.accounts[0]))
        panel = Panel(account_id=found.account_id, name="x", title="Value <i>", severity="bad", plugin="p",
                      lines=(("Tier", "A&B"),), rows=(("From", "To"), ("<script>", "2")))  # fmt: skip
        return attrs.evolve(found, panels=(panel,), failed=(Failed("q", "crm_gather_overview", "no <b>"),))

    def test_the_whole_text(self, rich: Company) -> None:
        found = self.one(rich)
        users = {id_: login for login, id_ in rich.users.items()}
        text = briefing_text(found, tz=ZoneInfo("Asia/Shanghai"), users=users, words={"call": "Telephone call"})
        lines = text.splitlines()
        assert lines[0] == f"Firm 0  ({found.account_id})" and set(lines[1]) == {"="}
        for line in (
            "  安琪, buyer, Chief, Purchasing, since 2025-03-01 17:00",
            "      Mobile: +8613800138000",
            "      Email: ann@example.com, Withdrawn",
            "      last met 2025-03-01 17:00",
            "  general: Customer, since 2025-03-01 17:00",
            "  Subsidiary: Other",
            "  2025-03-01 17:00, Visit: Talk <b>, 安琪, Li",
            "      wants a sample",
            "      and a price",
            "      The customer was Discontent.",
            "Value <i> !!",
            "  Tier: A&B",
            "  From | To",
            "The part of the plugin q could not be had (crm_gather_overview): no <b>",
        ):
            assert line in lines, line
        assert any(line.endswith("Telephone call: Call 0, Li") for line in lines)
        assert any(re.fullmatch(r"  \d{4}-\d\d-\d\d \d\d:\d\d, Send sample 0, Call 0, li", line) for line in lines)

    def test_an_empty_account_is_told_shortly(self, company: Company) -> None:
        with company.session("wang", read_only=True) as session:
            (found,) = briefings(session, session.require(Account, company.other))
        assert [line for line in briefing_text(found).splitlines() if line and not line.startswith(" ")] == [
            f"Other  ({company.other})", "=" * len(f"Other  ({company.other})"), "Facts", "Responsible",
        ]  # fmt: skip

    def test_html_is_escaped_and_stands_by_itself(self, rich: Company) -> None:
        found = self.one(rich)
        html = briefing_html(found, users={rich.users["li"]: "<Li>"}, words={"visit": "Visit <w>"})
        for part in ("Talk &lt;b&gt;", "&lt;script&gt;", "no &lt;b&gt;", "&lt;Li&gt;", "Visit &lt;w&gt;",
                     "tel:+8613800138000", "mailto:ann@example.com", "安琪", "wants a sample"):  # fmt: skip
            assert part in html, part
        assert "<script" not in html and "src=" not in html and 'href="http' not in html
        assert html.count("<html") == 1 and "default-src 'none'" in html

    def test_in_chinese(self, rich: Company) -> None:
        html = briefing_html(self.one(rich), "zh_CN", translate=Translator("zh_CN").text)
        assert 'lang="zh-CN"' in html
        for part in ("交接简报", "相关人员", "已作承诺", "未了事项", "最近联系", "客户感受：不满"):
            assert part in html, part
        assert "Who is who" not in html

    def test_the_index_leads_to_the_files(self, rich: Company) -> None:
        html = briefing_index([("1-Firm.html", self.one(rich))], title="Handover <1>")
        assert 'href="1-Firm.html"' in html and "Handover &lt;1&gt;" in html
        assert "1 promised" in html and "1 open" in html
