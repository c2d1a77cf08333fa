"""People who changed employer or role, from a file."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from crm_core import (
    Account,
    Affiliation,
    Contact,
    ContactPoint,
    PointKind,
    QualityIssue,
    activities,
    contacts,
    hookimpl,
    quality,
)
from crm_core.domain.external import ExternalRef
from crm_core.errors import ExchangeError
from crm_core.exchange import MovedReport, contacts_moved
from crm_core.hooks import Dispatcher
from crm_core.hooks.values import OpenItem
from crm_core.views import open_items

from .conftest import START, World

JUNE = dt.datetime(2026, 5, 31, 16, tzinfo=dt.UTC)  # the first of June in Shanghai


@pytest.fixture
def moving(world: World) -> World:
    """Half a year on; Acme's buyer has an e-mail address, a WeChat name and a key in the old system."""
    with world.session() as session:
        person = world.people["Acme"]
        session.add_one(ContactPoint(contact_id=person, kind=PointKind.EMAIL, value="buyer@acme.example"))
        session.add_one(ContactPoint(contact_id=person, kind=PointKind.WECHAT, value="acme_buyer"))
        session.add_one(ContactPoint(contact_id=person, kind=PointKind.OTHER, value="QQ 4711"))
        session.add_one(ExternalRef(system="old", record_type="contact", key="P-1", record_id=person))
        session.add_one(ExternalRef(system="old", record_type="account", key="A-2", record_id=world.accounts["Beta"]))
        session.require(Account, world.accounts["Beta"]).local_name = "贝塔轴承有限公司"
    world.clock.forward(180)
    return world


def run(
    world: World, folder: Path, text: str, *, login: str | None = None, name: str = "moved.csv", **options: Any
) -> MovedReport:
    file = folder / name
    file.write_text(text, encoding=options.pop("write", "utf-8"))
    return contacts_moved(world.crm, file, login=login, **options)


def places(world: World, who: str = "Acme") -> list[tuple[str, str | None, dt.datetime | None, dt.datetime | None]]:
    with world.session() as session:
        rows = session.list(Affiliation, f"contact_id == {world.people[who]}", all_dates=True, order="id")
        return [(row.account.name, row.role, row.valid_from, row.valid_to) for row in rows]


@pytest.mark.parametrize(
    "who",
    [
        "mobile\n138 0013 80000", "mobile\n+86-13800138000", "email\nBuyer@Acme.example", "wechat\nACME_buyer",
        "key\nold:P-1", "other\nQQ 4711", "手机\n１３８００１３８０００",
    ],
)  # fmt: skip
def test_a_person_is_found_by_any_contact_point(moving: World, tmp_path: Path, who: str) -> None:
    column, value = who.split("\n")
    value = value.replace("138 0013 80000", "138 0013 8000")
    report = run(moving, tmp_path, f"{column},employer,role,date\n{value},Beta,director,2026-06-01\n")
    (move,) = report.moves
    assert (move.what, move.name, move.account, move.ended) == (
        "moved", "Acme Buyer", "Beta", ((moving.accounts["Acme"], "Acme"),),
    )  # fmt: skip
    assert places(moving) == [("Acme", "buyer", None, JUNE), ("Beta", "director", JUNE, None)]
    with moving.session() as session:
        (now,) = session.list(Affiliation, f"contact_id == {moving.people['Acme']}")
        assert now.primary and now.account_id == moving.accounts["Beta"]


@pytest.mark.parametrize(
    ("columns", "cells"),
    [
        ("employer", "贝塔轴承有限公司"), ("employer", "贝塔轴承"), ("employer_registration", "Beta-1"),
        ("employer_key", "old:A-2"), ("employer,employer_registration", "whatever they call it,Beta-1"),
    ],
)  # fmt: skip
def test_the_employer_is_found_by_name_number_or_key(moving: World, tmp_path: Path, columns: str, cells: str) -> None:
    report = run(moving, tmp_path, f"mobile,{columns}\n13800138000,{cells}\n")
    assert [move.account for move in report.moves] == ["Beta"]


def test_somebody_left_and_we_do_not_know_where_to(moving: World, tmp_path: Path) -> None:
    report = run(moving, tmp_path, "mobile,employer,date\n13800138000,,2026/6/1\n")
    assert [(move.what, move.account) for move in report.moves] == [("left", None)]
    assert places(moving) == [("Acme", "buyer", None, JUNE)]
    assert run(moving, tmp_path, "mobile,employer\n13800138000,\n").unchanged == 1


def test_another_role_at_the_same_employer(moving: World, tmp_path: Path) -> None:
    text = "mobile,employer,role,department,date\n13800138000,Acme,director,Purchasing,2026-06-01\n"
    report = run(moving, tmp_path, text)
    assert [(move.what, move.role) for move in report.moves] == [("changed", "director")]
    assert places(moving) == [("Acme", "buyer", None, JUNE), ("Acme", "director", JUNE, None)]
    again = run(moving, tmp_path, text)
    assert (again.moves, again.unchanged, again.change_set) == ((), 1, None)


def test_only_the_former_employer_that_is_named_ends(moving: World, tmp_path: Path) -> None:
    with moving.session() as session:
        cave = session.require(Account, moving.accounts["Cave"])
        contacts.affiliate(
            session, session.require(Contact, moving.people["Acme"]), cave, role="adviser", since_always=True
        )
    report = run(moving, tmp_path, "mobile,former_employer,employer,date\n13800138000,Cave,Beta,2026-06-01\n")
    assert [move.ended for move in report.moves] == [((moving.accounts["Cave"], "Cave"),)]
    assert [row[0] for row in places(moving) if row[3] is None] == ["Acme", "Beta"]
    with moving.session() as session:
        (new,) = session.list(Affiliation, f"contact_id == {moving.people['Acme']} and account.name == 'Beta'")
        assert not new.primary


def test_new_contact_points_are_added_once(moving: World, tmp_path: Path) -> None:
    text = (
        "mobile,email,new_mobile,new_wechat,employer\n"
        "13800138000,buyer@beta.example,13900139000,acme_buyer,Beta\n"
    )  # fmt: skip
    report = run(moving, tmp_path, text)
    assert (report.points, report.moves[0].points) == (2, 2)
    with moving.session() as session:
        points = session.list(ContactPoint, f"contact_id == {moving.people['Acme']}", order="id")
        assert [point.value for point in points][-2:] == ["buyer@beta.example", "13900139000"]
    again = run(moving, tmp_path, text)
    assert (again.points, again.unchanged) == (0, 1)


REJECTED = [
    ("mobile,employer\n13511112222,Beta\n", "Nobody has one of these contact points or this key."),
    ("mobile,employer\n13800138000,Nowhere\n", "There is no account 'Nowhere'."),
    ("mobile,name,employer\n13800138000,Li Lei,Beta\n", "The contact point belongs to Acme Buyer ("),
    ("mobile,email,employer\n13800138000,cave@cave.example,Beta\n", "The contact points belong to several people: "),
    ("mobile,name,employer\n,Acme Buyer,Beta\n", "The row names no contact point and no key."),
    ("mobile,employer,role\n13800138000,,director\n", "The row says a role, title or department, but no employer."),
    ("mobile,employer,date\n13800138000,Beta,soon\n", "'soon' is no day."),
    ("id,employer\nx,Beta\n", "'x' is no id."),
    ("mobile,employer,former_employer\n13800138000,Beta,Cave\n", "Acme Buyer does not work at Cave."),
    ("mobile,employer,new_email\n13800138000,Beta,nobody\n", "contact_point cannot be written."),
    ("mobile,employer,new_mobile\n13800138000,Beta,找前台\n", "contact_point cannot be written. value: '找前台'"),
    ("mobile,employer\n13800138000\n", "The line has 1 cells, the header 2."),
    ("mobile,employer\n13800138000,Twin\n", "Several accounts are called 'Twin': "),
]


@pytest.mark.parametrize(("text", "reason"), REJECTED)
def test_what_cannot_be_taken_is_rejected_with_its_reason(
    moving: World, tmp_path: Path, text: str, reason: str
) -> None:
    with moving.session() as session:
        session.add_one(ContactPoint(contact_id=moving.people["Cave"], kind=PointKind.EMAIL, value="cave@cave.example"))
        session.add_all([Account(name="Twin"), Account(name="Twin")])
    before = places(moving)
    rejects = tmp_path / "rejects.csv"
    report = run(moving, tmp_path, text, rejects_path=rejects)
    assert (report.rejected, report.read, report.change_set) == (1, 1, None)
    assert report.first_rejects[0].reason.startswith(reason)
    assert places(moving) == before and reason[:30] in rejects.read_text(encoding="utf-8")


def test_a_rejected_row_keeps_every_cell_also_where_two_columns_have_one_name(moving, tmp_path):
    rejects = tmp_path / "rejects.csv"
    text = "mobile,employer,remark,remark\n13800138000,Nowhere,first remark,second remark\n"
    run(moving, tmp_path, text, rejects_path=rejects)
    said = rejects.read_text(encoding="utf-8")
    assert "first remark" in said and "second remark" in said


def test_a_place_that_began_later_is_not_overwritten(moving: World, tmp_path: Path) -> None:
    run(moving, tmp_path, "mobile,employer,date\n13800138000,Beta,2026-06-01\n")
    report = run(moving, tmp_path, "mobile,employer,date\n13800138000,Cave,2026-03-01\n")
    assert report.first_rejects[0].reason.startswith("Acme Buyer is known to be at Beta from 2026-05-31")
    report = run(moving, tmp_path, "mobile,employer,role,date\n13800138000,Beta,boss,2026-03-01\n")
    assert report.rejected == 1


def test_one_bad_row_costs_itself_alone(moving: World, tmp_path: Path) -> None:
    text = (
        "mobile,employer,new_email\n13800138010,Cave,x@y.example\n13800138000,Beta,nobody\n13800138020,Nowhere,\n"
        "13800138010,Acme,\n"
    )  # fmt: skip
    report = run(moving, tmp_path, text)
    assert [(move.name, move.account) for move in report.moves] == [("Beta Buyer", "Cave")]
    assert (report.read, report.rejected, report.points) == (4, 3, 1)
    assert report.first_rejects[-1].reason.startswith("The person stands in line 2 already.")


def test_a_dry_run_tells_the_same_and_changes_nothing(moving: World, tmp_path: Path) -> None:
    text = "mobile,employer,date\n13800138000,Beta,2026-06-01\n"
    before = places(moving)
    dry = run(moving, tmp_path, text, dry_run=True)
    assert places(moving) == before and dry.dry_run and dry.change_set is None
    wet = run(moving, tmp_path, text)
    assert dry.moves == wet.moves


def test_files_in_other_encodings_and_forms(moving: World, tmp_path: Path) -> None:
    text = (
        "姓名,手机,新单位,职务,变动日期,备注\n"
        "Acme Buyer,13800138000,贝塔轴承有限公司,采购总监,2026年6月1日,电话里说的\n"
    )  # fmt: skip
    report = run(moving, tmp_path, text, write="gb18030", dry_run=True)
    assert [(move.account, move.what) for move in report.moves] == [("Beta", "moved")]
    assert report.ignored_columns == ("备注",)
    row = {"mobile": "13800138000", "employer": "Beta", "title": "总监", "colour": None}
    report = run(moving, tmp_path, json.dumps(row) + "\n{}\n", name="moved.jsonl")
    assert (len(report.moves), report.rejected) == (1, 1)
    assert json.loads(json.dumps(report.as_json()))["moves"][0]["ended"] == [
        {"account_id": moving.accounts["Acme"], "account": "Acme"}
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("name,employer", "A person is found by one of"), ("mobile,title", "Name the new employer in one of"),
        ("mobile,手机,employer", "two columns for mobile"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(moving: World, tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(ExchangeError, match=message):
        run(moving, tmp_path, f"{header}\n")
    with pytest.raises(ExchangeError):
        contacts_moved(moving.crm, tmp_path / "missing.csv")


@pytest.fixture
def deals(moving: World) -> World:
    """A plugin has a deal with Acme's buyer, another one with nobody, and one with Cave's."""
    acme, cave = moving.accounts["Acme"], moving.accounts["Cave"]

    class Plugin:
        @staticmethod
        @hookimpl
        def crm_gather_handover(accounts: list[int]) -> list[OpenItem]:
            common = {"kind": "quote", "record_type": "account", "user_id": moving.users["li"]}
            found = [
                OpenItem(
                    account_id=acme,
                    title="Bearings for hall 3",
                    record_id=1,
                    contact_id=moving.people["Acme"],
                    **common,
                ),
                OpenItem(account_id=acme, title="Spare parts", record_id=2, **common),
                OpenItem(
                    account_id=acme,
                    title="Question",
                    kind="question",
                    record_type="account",
                    record_id=4,
                    contact_id=moving.people["Acme"],
                ),
                OpenItem(account_id=cave, title="Other", record_id=3, contact_id=moving.people["Cave"], **common),
            ]
            return [each for each in found if each.account_id in accounts]

    built = [(plugin.name, plugin.namespace) for plugin in moving.crm.build.plugins]
    moving.crm.store.dispatch = Dispatcher([*built, ("deals", Plugin)])
    with moving.session() as session:
        account, person = session.require(Account, acme), session.require(Contact, moving.people["Acme"])
        activities.plan(session, "visit", "Spring visit", start=START, account=account, contact=person, user="li")
        activities.plan(session, "call", "Others", start=START, account=account, user="li")
    return moving


def test_what_hangs_on_the_old_place_is_flagged_for_whoever_does_it(deals: World, tmp_path: Path) -> None:
    report = run(deals, tmp_path, "mobile,employer,date\n13800138000,Beta,2026-06-01\n13800138010,Beta,\n")
    assert [(each.title, each.user, each.name) for each in report.flagged] == [
        ("Spring visit", "Li", "Acme Buyer"), ("Bearings for hall 3", "Li", "Acme Buyer"),
        ("Question", "Li", "Acme Buyer"),
    ]  # fmt: skip
    with deals.session("li") as session:
        mine = quality.assigned(session, deals.users["li"])
        assert {each.subject for each in mine} == {
            "Spring visit (Acme Buyer)", "Bearings for hall 3 (Acme Buyer)", "Question (Acme Buyer)",
        }  # fmt: skip
        assert {each.kind for each in quality.queue(session, kinds=["moved"])} == {"moved"}
        quality.close(session, mine[0], note="told the successor")
    with deals.session("gao") as session:
        assert session.count(QualityIssue) == 0
    with deals.session() as session:
        assert session.list(QualityIssue, order="id")[0].kind == "moved"


def test_what_is_in_the_queue_already_is_not_flagged_again(deals: World, tmp_path: Path) -> None:
    run(deals, tmp_path, "mobile,employer\n13800138000,Beta\n")
    with deals.session() as session:
        acme = session.require(Account, deals.accounts["Acme"])
        person = session.require(Contact, deals.people["Acme"])
        contacts.affiliate(session, person, acme, role="buyer")
        matters = [item.title for item in open_items(session, acme) if item.record_type == "quality_issue"]
    assert len(matters) == 3
    deals.clock.forward(1)
    report = run(deals, tmp_path, "mobile,employer\n13800138000,Beta\n", name="again.csv")
    assert len(report.moves) == 1
    assert [each.title for each in report.flagged] == ["Spring visit", "Bearings for hall 3", "Question"]


def test_a_plugin_that_fails_is_named_and_the_rest_stands(deals: World, tmp_path: Path) -> None:
    class Broken:
        @staticmethod
        @hookimpl
        def crm_gather_handover(accounts: list[int]) -> list[OpenItem]:
            raise RuntimeError("no connection")

    built = [(plugin.name, plugin.namespace) for plugin in deals.crm.build.plugins]
    deals.crm.store.dispatch = Dispatcher([*built, ("broken", Broken)])
    report = run(deals, tmp_path, "mobile,employer\n13800138000,Beta\n")
    assert [each.plugin for each in report.failed] == ["broken"]
    assert [each.title for each in report.flagged] == ["Spring visit"] and len(report.moves) == 1


def test_what_fails_leaves_nothing_behind(deals: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure after all rows were written, while what hangs on them is looked up: as if nothing had been begun."""
    before = places(deals)

    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("crm_core.exchange.moved.flagging.open_items", broken)
    with pytest.raises(OSError, match="no space"):
        run(deals, tmp_path, "mobile,employer\n13800138000,Beta\n13511112222,Beta\n", rejects_path=tmp_path / "r.csv")
    assert places(deals) == before
    assert not list(tmp_path.glob("r.csv*"))


def test_undo_restores_everything(deals: World, tmp_path: Path) -> None:
    def all_of_it() -> list[Any]:
        with deals.session() as session:
            return [
                {name: getattr(row, name) for name in cls.crm_type.by_name}
                for cls in (Affiliation, ContactPoint, QualityIssue, Contact)
                for row in session.list(cls, all_dates=True, order="id", limit=None)
            ]

    before = all_of_it()
    text = (
        "mobile,employer,role,date,new_email\n13800138000,Beta,boss,2026-06-01,a@b.example\n13800138010,,,2026-06-01,\n"
    )
    report = run(deals, tmp_path, text)
    assert all_of_it() != before and report.change_set is not None
    with deals.session() as session:
        session.undo(report.change_set)
    assert all_of_it() == before


def test_with_the_rights_of_a_user(deals: World, tmp_path: Path) -> None:
    """Li owns Acme and Beta; Cave and Delta are not theirs: what is not seen finds nobody."""
    with deals.session() as session:
        session.require(ContactPoint, deals.points["Delta"]).value = "+8613800138999"
    text = "mobile,employer,date\n13800138999,Beta,\n13800138000,Delta,\n13800138010,Acme,2026-06-01\n"
    report = run(deals, tmp_path, text, login="li")
    assert [move.name for move in report.moves] == ["Beta Buyer"]
    missing = run(deals, tmp_path, "mobile,employer\n13511112222,Beta\n13800138000,Nowhere\n", login="li")
    told = [each.reason.replace("Delta", "Nowhere") for each in report.first_rejects]
    assert told == [each.reason for each in missing.first_rejects]
    # A new contact point may be somebody's whom one does not see: nothing tells.
    report = run(deals, tmp_path, "mobile,employer,new_mobile\n13800138000,Beta,13800138999\n", login="li")
    assert (report.points, report.rejected) == (1, 0)
    report = run(deals, tmp_path, "mobile,employer\n13800138020,Cave\n", login="mei")
    assert report.unchanged == 1
    report = run(deals, tmp_path, "mobile,employer\n13800138020,\n", login="mei")
    assert report.first_rejects[0].reason.startswith("mei may")


def test_the_same_number_of_statements_for_many_people_to_look_up(moving: World, tmp_path: Path) -> None:
    """Rows that change nothing cost a look-up each for their places, and nothing else grows with the file."""
    counted: list[str] = []

    def note(*args: object) -> None:
        counted.append(str(args[2]))

    def count(rows: int) -> int:
        text = "mobile,employer\n" + "".join(f"1350000{number:04},Nowhere {number}\n" for number in range(rows))
        counted.clear()
        event.listen(moving.crm.store.engine, "before_cursor_execute", note)
        try:
            run(moving, tmp_path, text)
        finally:
            event.remove(moving.crm.store.engine, "before_cursor_execute", note)
        return len(counted)

    assert count(10) == count(300)
