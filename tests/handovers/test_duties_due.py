"""Reporting duties that are due at accounts: told to whoever takes them over, and theirs to do from then on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_core import Account, Crm, Handover, handovers
from crm_core.cli.application import Application
from crm_core.cli.running import run
from crm_core.hooks.values import OpenItem
from crm_core.views import briefings
from crm_core.views import duties as compliance
from crm_core.views.briefing_text import briefing_text
from crm_core.views.duties_due import duties_due

from .conftest import Company, found
from .test_open_items import counted

BUILD = """
[crm]
database = "{url}"
time_zone = "Asia/Shanghai"
[duties.fresh]
label = "Keep it fresh"
record = "account"
every_days = 3
[duties.rarely]
label = "Once a quarter"
record = "account"
every_days = 90
"""


@pytest.fixture
def company(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    (tmp_path / "crm.toml").write_text(BUILD.format(url=database_url), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with Crm.open(tmp_path / "crm.toml", check=False) as crm:
        crm.migrate()
        yield found(crm)


def told(company: Company, *, login: str = "zhou", user: str | None = None) -> list[OpenItem]:
    with company.session(login, read_only=True) as session:
        return duties_due(session, [*company.accounts, company.other], company.users[user] if user else None)


def test_what_is_due_soon_with_whoever_must_do_it(company: Company) -> None:
    li, wang = company.users["li"], company.users["wang"]
    due = told(company)
    assert [(item.account_id, item.user_id) for item in due] == [(id_, li) for id_ in company.accounts] + [
        (company.other, wang)
    ]
    assert {(item.kind, item.title, item.reassign, item.record_type) for item in due} == {
        ("duty", "Keep it fresh", None, "account")
    }
    assert [item.account_id for item in told(company, user="li")] == company.accounts
    assert told(company, login="sun") == []


def test_a_briefing_tells_them_and_they_follow_the_responsibility(company: Company) -> None:
    def briefed(login: str) -> list[int | None]:
        with company.session(login, read_only=True) as session:
            (briefing,) = briefings(session, session.require(Account, company.accounts[0]))
            assert "Duty: Keep it fresh" in briefing_text(briefing)
            return [item.user_id for item in briefing.open if item.kind == "duty"]

    assert briefed("li") == [company.users["li"]]
    id_ = company.offered(to="sun")
    assert briefed("sun") == [company.users["li"]]  # what waits for them, before they accept
    with company.session("sun") as session:
        handovers.accept(session, handovers.waiting_for(session, company.users["sun"]))
    with company.session() as session:
        assert dict(handovers.do(session, session.require(Handover, id_)).moved) == {"activity": 6}
    assert briefed("sun") == [company.users["sun"]]
    with company.session("sun", read_only=True) as session:
        assert len(compliance.due(session, "sun", within_days=7)) == 6


def test_the_command_tells_those_of_whoever_leaves(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    id_ = company.offered(to="wang", scope="name == 'Firm 1'")
    assert run(["handover", "show", str(id_), "--json"], Application({})) == 0
    open_ = json.loads(capsys.readouterr().out)["open"]
    assert [(each["kind"], each["title"], each["account_id"]) for each in open_] == [
        ("duty", "Keep it fresh", company.accounts[1]),
        ("visit", "See 1", company.accounts[1]),
        ("promise", "Send sample 1", company.accounts[1]),
    ]
    assert run(["handover", "show", str(id_)], Application({})) == 0
    assert "Keep it fresh" in capsys.readouterr().out


def test_the_number_of_statements_does_not_grow(company: Company) -> None:
    def asked(ids: list[int]) -> int:
        with company.session("zhou", read_only=True) as session:
            wanted = [session.require(Account, id_) for id_ in ids]
            return counted(company, lambda: briefings(session, wanted))

    asked(company.accounts)
    assert asked(company.accounts[:1]) == asked([*company.accounts, company.other]) <= 32


def test_at_another_moment_they_are_not_told(company: Company) -> None:
    with company.session("zhou", read_only=True, at=company.latest().at) as session:
        assert duties_due(session, company.accounts) == []
