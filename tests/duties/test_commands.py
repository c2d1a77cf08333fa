"""The commands of duties and data quality, as people see them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select

from crm_core import Account, Contact, ContactPoint, QualityIssue, activities, contacts, quality
from crm_core.cli.application import Application
from crm_core.cli.running import run
from crm_core.domain.duties import DutyConfirmation
from crm_core.store.tables import CHANGE_SET

from .conftest import BUILD, START, World

RunCrm = Callable[..., Any]


@pytest.fixture
def cli(world: World, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> RunCrm:
    """Runs a command on the world, in this process; gives code, output and errors."""
    lines = ["[crm]", f"database = {json.dumps(database_url)}", 'time_zone = "Asia/Shanghai"', "[roles.clerk]",
             'permissions = {"*.read" = "unit"}', "[custom_fields.account.segment]", 'kind = "text"', "[steward]",
             "stale_days = 100", f"key_fields = {{account = {json.dumps(BUILD['steward']['key_fields']['account'])}}}",
             "[duties.contact_details]", 'record = "contact_point"', 'label = "Contact details"',
             "where = 'grade == \"A\"'"]  # fmt: skip
    (tmp_path / "crm.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def call(*args: object, code: int = 0, lang: str = "") -> tuple[str, str]:
        capsys.readouterr()
        ended = run([str(arg) for arg in args], Application({"LANG": lang}))
        out, err = capsys.readouterr()
        assert ended == code, (ended, out, err)
        return out, err

    return call


def test_duties(cli: RunCrm, world: World, tmp_path: Path) -> None:
    world.clock.forward(100)
    out, err = cli("duties")
    assert "By unit, with those below it" in out and "crm duties confirm" in err
    rows = [line.split() for line in out.splitlines() if "Acme" in line]
    assert rows == [["2026-04-01", "12:00", "10", "Acme", "Contact", "details", "Li"]]
    found = json.loads(cli("--user", "li", "duties", "--json")[0])
    assert found["whole"] == {"id": None, "name": "", "total": 1, "fulfilled": 0, "overdue": 1, "share": 0.0,
                              "worst_days": 10}  # fmt: skip
    assert [each["account"] for each in found["due"]] == ["Acme"] and found["units"][0]["own"]["total"] == 1
    assert json.loads(cli("--user", "li", "duties", "confirm", "contact_details", "Acme", "--json")[0])["duty"]
    assert json.loads(cli("--user", "li", "duties", "--json")[0])["due"] == []
    assert cli("duties", "confirm", "contact_details", "Cave")[0] == "Confirmed: contact_details of Cave.\n"
    assert len(json.loads(cli("duties", "--unit", "West", "--due-within", "300", "--json")[0])["due"]) == 1
    assert json.loads(cli("duties", "--person", "gao", "--at", "2026-02-01", "--json")[0])["due"] == []
    assert cli("duties", "--html", tmp_path / "d.html", lang="zh_CN.UTF-8")[0].startswith("已写入：")
    page = (tmp_path / "d.html").read_text(encoding="utf-8")
    assert "填报职责" in page and "Delta" in page and "<script" not in page
    assert "Did you mean contact_details" in cli("duties", "confirm", "contact", "Acme", code=6)[1]


def test_a_build_without_duties_says_so(cli: RunCrm, tmp_path: Path) -> None:
    file = tmp_path / "crm.toml"
    file.write_text(file.read_text(encoding="utf-8").partition("[duties")[0], encoding="utf-8")
    assert cli("duties")[0].startswith("This build has no duties.")


def test_proposals_on_the_command_line(cli: RunCrm, world: World) -> None:
    cli("--user", "li", "quality", "propose", "account", "Acme", "name=Acme Ltd", "segment=", code=0)
    made = json.loads(cli("--user", "li", "quality", "--mine", "--json")[0])["issues"]
    assert [(each["field"], each["proposed"], each["state"]) for each in made] == [("name", "Acme Ltd", "open")]
    out, _ = cli("--user", "sun", "quality", "--kind", "change")
    assert "Acme: name is Acme, and should be Acme Ltd. Approve it or refuse it." in out and "Li" in out
    assert "is no steward" in cli("--user", "zhou", "quality", "approve", made[0]["id"], code=5)[1]
    out, _ = cli("--user", "sun", "quality", "approve", made[0]["id"], "--note", "seen")
    assert "Approved" in out and "seen" in out
    with world.session() as session:
        assert session.require(Account, world.accounts["Acme"]).name == "Acme Ltd"
    for verb, end in (("refuse", ("--note", "no")), ("withdraw", ())):
        cli("--user", "li", "quality", "propose", "account", "Acme Ltd", f"name={verb}")
        latest = json.loads(cli("--user", "li", "quality", "--mine", "--json")[0])["issues"][-1]["id"]
        shown = json.loads(
            cli("--user", "sun" if verb == "refuse" else "li", "quality", verb, latest, *end, "--json")[0]
        )
        assert shown["issues"][0]["state"] == {"refuse": "refused", "withdraw": "obsolete"}[verb]
    assert "is no FIELD=VALUE" in cli("quality", "propose", "account", "Acme Ltd", "name", code=2)[1]


def journal(world: World) -> set[int]:
    """The change sets that there are."""
    with world.session(read_only=True) as session:
        return set(session.core(select(CHANGE_SET.c.id)).scalars())


def as_it_is(world: World, id_: int) -> tuple[Any, ...]:
    """What a decision changes: the matter, and what it is about."""
    with world.session(read_only=True) as session:
        issue = session.require(QualityIssue, id_)
        name = session.require(Account, world.accounts["Acme"]).name
        return issue.state.value, issue.note, issue.decider_id, issue.decided_at, name


@pytest.mark.parametrize(
    ("login", "verb", "note", "state", "name"),
    [
        ("sun", "approve", ("--note", "seen"), "approved", "Acme Ltd"),
        ("sun", "refuse", ("--note", "no"), "refused", "Acme"),
        ("li", "withdraw", (), "obsolete", "Acme"), ("li", "close", ("--note", "told"), "done", "Acme"),
    ],
)  # fmt: skip
def test_a_decision_is_rehearsed_done_and_taken_back(
    cli: RunCrm, world: World, login: str, verb: str, note: tuple[str, ...], state: str, name: str
) -> None:
    with world.session("li") as session:
        acme = session.require(Account, world.accounts["Acme"])
        if verb == "close":
            (issue,) = quality.note_issues(session, [{"kind": "moved", "subject": "Quote", "account_id": acme.id,
                                                      "record_type": "account", "record_id": acme.id,
                                                      "assignee_id": world.users["li"]}])  # fmt: skip
        else:
            (issue,) = quality.propose(session, acme, {"name": "Acme Ltd"})
        id_ = issue.id
    args = ("--user", login, "quality", verb, id_, *note)
    before, was = journal(world), as_it_is(world, id_)
    out, err = cli(*args, "--dry-run")
    assert state.capitalize() in out and err == "It was a dry run: nothing was changed.\n"
    assert cli(*args, "--dry-run", lang="zh_CN.UTF-8")[1] == "这是试运行：未作任何更改。\n"
    found = json.loads(cli(*args, "--dry-run", "--json")[0])
    assert (found["issues"][0]["state"], found["dry_run"], found["change_set"]) == (state, True, None)
    assert (journal(world), as_it_is(world, id_)) == (before, was)
    done = json.loads(cli(*args, "--json")[0])
    assert (done["dry_run"], journal(world) - before) == (False, {done["change_set"]})
    assert as_it_is(world, id_)[::4] == (state, name)
    cli("--user", login, "undo", done["change_set"])
    assert as_it_is(world, id_) == was
    before = journal(world)
    err = cli(*args)[1]
    (made,) = journal(world) - before
    assert err == f"To take it back: crm undo {made}\n"


def test_a_proposal_is_rehearsed_made_and_taken_back(cli: RunCrm, world: World) -> None:
    def count() -> int:
        with world.session(read_only=True) as session:
            return session.count(QualityIssue)

    args = ("--user", "li", "quality", "propose", "account", "Acme", "name=Acme Ltd")
    before = journal(world)
    out, err = cli(*args, "--dry-run")
    assert "Acme Ltd" in out and err == "It was a dry run: nothing was changed.\n"
    assert (journal(world), count()) == (before, 0)
    # What is not there has no id that somebody could close.
    (would_be,) = json.loads(cli(*args, "--dry-run", "--json")[0])["issues"]
    assert would_be["id"] is None and would_be["proposed"] == "Acme Ltd"
    assert "Nothing would change." in cli(*args[:-1], "name=Acme", "--dry-run", code=4)[1]
    made = json.loads(cli(*args, "--json")[0])["change_set"]
    assert (journal(world) - before, count()) == ({made}, 1)
    # What is proposed already is not proposed twice: there is nothing to take back.
    assert json.loads(cli(*args, "--json")[0])["change_set"] is None
    assert cli(*args)[1] == ""
    cli("--user", "li", "undo", made)
    assert count() == 0


def test_a_confirmation_is_rehearsed_made_and_taken_back(cli: RunCrm, world: World) -> None:
    def count() -> int:
        with world.session(read_only=True) as session:
            return session.count(DutyConfirmation)

    args = ("--user", "li", "duties", "confirm", "contact_details", "Acme", "--note", "rang them")
    before = journal(world)
    said = ("Confirmed: contact_details of Acme.\n", "It was a dry run: nothing was changed.\n")
    assert cli(*args, "--dry-run") == said
    found = json.loads(cli(*args, "--dry-run", "--json")[0])
    assert (found["account_id"], found["dry_run"], found["change_set"]) == (world.accounts["Acme"], True, None)
    assert (journal(world), count()) == (before, 0)
    made = json.loads(cli(*args, "--json")[0])["change_set"]
    assert (journal(world) - before, count()) == ({made}, 1)
    cli("--user", "li", "undo", made)
    assert count() == 0
    before = journal(world)
    err = cli(*args)[1]
    (made,) = journal(world) - before
    assert err == f"To take it back: crm undo {made}\n"


def test_the_queue_on_the_command_line(cli: RunCrm, world: World, tmp_path: Path) -> None:
    assert cli("quality")[0] == "There is nothing to decide and nothing to mend.\n"
    with world.session() as session:
        session.require(Account, world.accounts["Acme"]).website = "https://acme.example"
        session.add_one(ContactPoint(contact_id=world.people["Acme"], kind="email", value="b@rival.example"))
        quality.note_issues(session, [{"kind": "moved", "subject": "Quote <b>", "account_id": world.accounts["Acme"],
                                       "record_type": "account", "record_id": world.accounts["Acme"],
                                       "assignee_id": world.users["li"]}])  # fmt: skip
    world.clock.forward(120)
    out, _ = cli("--user", "li", "quality")
    assert "email_domain (hint)" in out and "stale_place" in out and "Hangs on somebody who moved" in out
    entries = json.loads(cli("quality", "--where", 'name == "Acme"', "--json")[0])["queue"]
    assert {each["kind"] for each in entries} == {"moved", "email_domain", "stale_place"}
    assert entries[0]["problem"] == "Quote <b>" and entries[0]["mend"] == "Mend it, then close it."
    cli("quality", "--html", tmp_path / "q.html", "--limit", 1)
    page = (tmp_path / "q.html").read_text(encoding="utf-8")
    assert "Quote &lt;b&gt;" in page and "<b>" not in page
    # What is left out by the limit is told, and not counted as if it were all.
    assert len(re.findall(r"stale_place.*?1\+", page, re.DOTALL)) == 1
    assert "There is more of stale_place than is shown." in page
    one = json.loads(cli("quality", "--json", "--limit", 1)[0])
    assert one["more"] == ["stale_place"] and [each["kind"] for each in one["queue"]].count("stale_place") == 1
    assert json.loads(cli("quality", "--json")[0])["more"] == []
    assert "There is more than 1 of stale_place" in cli("quality", "--limit", 1)[1]
    in_chinese = cli("quality", "--limit", 1, lang="zh_CN.UTF-8")[0]
    assert "久未确认" in in_chinese and "stale_place" not in in_chinese
    assert "Done" in cli("--user", "li", "quality", "close", entries[0]["issue_id"], "--note", "told")[0]
    assert "Did you mean stale_place" in cli("quality", "--kind", "stale_places", code=6)[1]


def test_people_who_moved_on_the_command_line(cli: RunCrm, world: World, tmp_path: Path) -> None:
    text = "mobile,employer,colour\n13800138000,Beta,red\n13511112222,Beta,\n"
    (tmp_path / "moved.csv").write_text(text, encoding="utf-8")
    out, err = cli("contacts", "moved", "moved.csv", "--dry-run")
    assert "Another employer" in out and "It was a dry run" in out and "colour" in err
    assert "moved.csv, line 3: Nobody has one of these contact points" in out
    found = json.loads(cli("--user", "li", "contacts", "moved", "moved.csv", "--rejects", "r.csv", "--json")[0])
    assert (found["read"], len(found["moves"]), found["rejected"]) == (2, 1, 1) and (tmp_path / "r.csv").exists()
    out, _ = cli("contacts", "moved", "moved.csv", lang="zh_CN.UTF-8")
    assert ("未变：1" in out and "没有改变" in out) or "Nothing was changed" not in out
    with world.session() as session:
        acme, person = session.require(Account, world.accounts["Acme"]), session.require(Contact, world.people["Acme"])
        contacts.move(session, person, to=acme, at=START)
        activities.plan(session, "visit", "Spring visit", start=START, account=acme, contact=person, user="li")
    world.clock.forward(1)
    dry, err = cli("contacts", "moved", "moved.csv", "--dry-run")
    assert "Spring visit" in dry and "crm quality" not in err
    assert re.search(r"^ *who +kind +what", dry, re.MULTILINE), "no ids of what will not be there"
    found = json.loads(cli("contacts", "moved", "moved.csv", "--dry-run", "--json")[0])
    assert [each["issue_id"] for each in found["flagged"]] == [None] and found["change_set"] is None
    assert "人员" in cli("contacts", "moved", "moved.csv", "--dry-run", lang="zh_CN.UTF-8")[0]
    out, err = cli("contacts", "moved", "moved.csv")
    assert "Spring visit" in out and "Done as the change set" in out and "crm quality close ID" in err
    with world.session(read_only=True) as session:
        (issue,) = session.list(QualityIssue, order="id")[-1:]
    assert re.search(rf"^ *{issue.id} +Acme Buyer", out, re.MULTILINE) and str(issue.id) not in dry.split()
    assert "Nothing was changed." in cli("contacts", "moved", "moved.csv")[0]
    assert "moved" in cli("contacts", code=2)[1] + cli("contacts", "--help")[0]


def test_people_who_moved_in_a_sheet_of_a_spreadsheet(cli: RunCrm, world: World, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "notes"
    book.active.append(["mobile", "employer"])
    for row in (["mobile", "employer"], [13800138000, "Beta"]):
        (book["moved"] if "moved" in book.sheetnames else book.create_sheet("moved")).append(row)
    book.save(tmp_path / "fair.xlsx")
    out, _ = cli("contacts", "moved", "fair.xlsx", "--dry-run")
    assert "moved: 0" in out and "The sheet moved of fair.xlsx was not read." in out
    out, _ = cli("contacts", "moved", "fair.xlsx", "--sheet", "moved", "--dry-run")
    assert "moved: 1" in out and "Acme Buyer" in out
    told = cli("contacts", "moved", "fair.xlsx", "--dry-run", lang="zh_CN.UTF-8")[0]
    assert "moved" in told and "fair.xlsx" in told and "was not read" not in told
    assert "has no sheet 'move'" in cli("contacts", "moved", "fair.xlsx", "--sheet", "move", code=4)[1]
    book.create_sheet("说明").append(["how to fill it in"])
    book.create_sheet("empty")
    book.save(tmp_path / "fair.xlsx")
    args = ("contacts", "moved", "fair.xlsx", "--sheet")
    wrong = cli(*args, "说明", code=4)[1]
    assert "no column of the sheet '说明' says what is needed. Its sheets: 说明, notes, moved, empty." in wrong
    assert "A person is found by one of" in wrong
    empty = cli(*args, "4", code=4)[1]
    assert "fair.xlsx is empty in its sheet 'empty'. Its sheets: notes, moved, 说明, empty." in empty
    told = cli(*args, "说明", code=4, lang="zh_CN.UTF-8")[1]
    assert "缺少必要的列" in told and "说明, notes, moved, empty" in told
    (tmp_path / "fair.csv").write_text("mobile,employer\n13800138000,Beta\n", encoding="utf-8")
    args = ("contacts", "moved", "fair.csv", "--sheet", "moved", "--dry-run")
    assert "fair.csv has no sheets: it is no spreadsheet. Leave the sheet out" in cli(*args, code=4)[1]
    assert "没有工作表" in cli(*args, code=4, lang="zh_CN.UTF-8")[1]
    assert "电子表格" in cli("contacts", "moved", "--help", lang="zh_CN.UTF-8")[0]


def test_useless_fields_on_the_command_line(cli: RunCrm, tmp_path: Path) -> None:
    out, err = cli("build", "fields", "--role", "sales", "--no-data")
    assert "account.employees" in out and "sales" in out and "Code is read, not run" in err
    everything = json.loads(cli("build", "fields", "--all", "--json")[0])
    names = {f"{each['record']}.{each['field']}": each for each in everything["fields"]}
    assert names["account.name"]["verdict"] == "used" and names["account.name"]["filling"]["share"] == 1.0
    cli("build", "fields", "--html", tmp_path / "f.html")
    assert "account.employees" in (tmp_path / "f.html").read_text(encoding="utf-8")
    assert "There is no role" in cli("build", "fields", "--role", "sale", code=6)[1]


def test_nothing_useless(cli: RunCrm, tmp_path: Path) -> None:
    file = tmp_path / "crm.toml"
    file.write_text(file.read_text(encoding="utf-8") + "\n[views]\nweights = {people = 1}\n", encoding="utf-8")
    assert cli("build", "fields", "--no-data")[0].startswith("Every field that people must fill is used")
