"""``crm handover``: what is next, who got what, what was kept, and what could not be taken back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from crm_core import Account, Contact, Crm, Handover, Membership, ownership
from crm_core.cli.application import Application
from crm_core.cli.running import run

from .conftest import POOLS, Company, found
from .test_commands import Ended

pytestmark = pytest.mark.any_database  # what is asked is how texts are worded

Run = Callable[..., Ended]
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def here(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    where = POOLS["all"]["where"]
    (tmp_path / "crm.toml").write_text(
        f'[crm]\ndatabase = "{database_url}"\ntime_zone = "Asia/Shanghai"\n'
        f"[pools.all]\nwhere = '{where}'\nroles = [\"sales\"]\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    with Crm.open(tmp_path / "crm.toml", check=False) as crm:
        crm.migrate()
        yield found(crm)


@pytest.fixture
def crm(here: Company, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*args: str, user: str | None = "zhou", lang: str = "en") -> Ended:
        code = run([*(("--user", user) if user else ()), "--lang", lang, *args], Application({}))
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return ran


def lines(text: str) -> list[str]:
    """The rows of tables, with their cells one space apart."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_each_step_names_the_next(crm: Run, here: Company) -> None:
    ended = crm("handover", "draft", "li", "--rule", "address.city == 'Shanghai'", "wang")
    with here.system() as session:
        id_ = str(session.scalars(select(Handover.id)).one())
    assert {"wang 2", "nobody yet 4"} <= set(lines(ended.out))
    assert ended.err.strip() == (
        f"Next: name who takes over those without a successor (4): crm handover assign {id_} --to LOGIN."
    )
    ended = crm("handover", "assign", id_, "--to", "sun")
    assert ended.err.strip() == f"Next: offer it to the successors: crm handover offer {id_}."
    ended = crm("handover", "offer", id_)
    assert {"wang 2", "sun 4"} <= set(lines(ended.out))
    assert ended.err.startswith(f"Next: the successors answer: crm --user LOGIN handover accept {id_} (or refuse).")
    yours = f"Next: get to know your accounts: crm handover briefing {id_} --all. "
    assert crm("handover", "accept", id_, "--dry-run", user="sun").err == "It was a dry run: nothing was changed.\n"
    assert crm("handover", "accept", id_, user="sun").err.startswith(yours)  # it is not for her to go on with it
    assert crm("handover", "accept", id_).err.strip() == f"Next: carry it out: crm handover do {id_}."  # for Wang
    assert crm("handover", "show", id_, "--json").json["items"][0]["state"] == "accepted"
    refused = crm("handover", "refuse", id_, "--account", "Firm 0")
    assert refused.err.strip() == (
        f"Next: ask somebody else about what was refused (1): crm handover assign {id_} --to LOGIN."
    )
    crm("handover", "assign", id_, "--to-pool")
    assert crm("handover", "offer", id_).err.strip() == f"Next: carry it out: crm handover do {id_}."
    drafted = crm("handover", "cancel", id_)
    assert drafted.err == ""


def test_a_draft_counts_by_successor_in_json_too(crm: Run, here: Company) -> None:
    made = crm("handover", "draft", "li", "--rule", "address.city == 'Shanghai'", "wang", "--to-pool", "--json").json
    assert made["successors"] == [
        {"successor": "wang", "to_pool": False, "accounts": 2},
        {"successor": None, "to_pool": True, "accounts": 4},
    ]


def test_the_message_is_told_and_the_reason_is_not(crm: Run, here: Company) -> None:
    told = ("--message", "Li has left us", "--reason", "dismissed for fraud")
    id_ = str(crm("handover", "draft", "li", "--to", "sun", *told, "--offer", "--json").json["id"])
    assert "Li has left us" in crm("handover", "list", user="sun").out
    for args in (("list", "--json"), ("show", id_), ("show", id_, "--json"), ("briefing", id_, "Firm 0")):
        assert "fraud" not in crm("handover", *args, user="sun").out
    for args in (("history", "handover", id_), ("show", "handover", id_), ("list", "handover")):
        ended = crm(*args, user="sun")
        assert "fraud" not in ended.out + ended.err
    assert crm("handover", "show", id_, "--json").json["reason"] == "dismissed for fraud"


def accepted(here: Company, **options: Any) -> str:
    return str(here.accepted(**options))


def test_who_got_what_and_what_was_kept(crm: Run, here: Company) -> None:
    id_ = accepted(here)
    with here.system() as session:
        ownership.transfer(session, session.require(Account, here.accounts[1]), to="sun")
        utc, day = (moment.date().isoformat() for moment in (session.now, session.now.astimezone(SHANGHAI)))
        ownership.transfer(session, session.require(Account, here.accounts[2]), to="qian")
    with here.system() as session:
        ownership.release(session, session.require(Account, here.accounts[3]))
    trial = crm("handover", "do", id_, "--json", "--dry-run", user=None).json
    assert trial["received"] == [{"successor": "wang", "to_pool": False, "accounts": 3, "people": 3, "open_work": 3}]
    assert [(each["account"], each["role"], each["owner"]) for each in trial["unchanged"]] == [
        ("Firm 1", "owner", "sun"), ("Firm 2", "owner", "qian"), ("Firm 3", "owner", None),
    ]  # fmt: skip
    assert trial["unchanged"][0]["since"].startswith(utc)
    assert (trial["moved"], trial["followed"], trial["undo"]) == ({"activity": 3}, {"promise": 3}, None)
    assert "Promise 3" in lines(crm("handover", "do", id_, "--dry-run", user=None).out)
    ended = crm("handover", "do", id_, user=None)
    rows = lines(ended.out)
    assert ended.code == 0 and "wang 3 3 3" in rows and "Activity 3" in rows and "Promise 3" in rows
    assert ended.err.startswith(f"To take it back: crm handover undo {id_}. ")
    kept = [row for row in rows if "owned by" in row]
    assert kept[0].startswith(f"{here.accounts[1]} Firm 1 Owner owned by sun since {day}")
    assert kept[2] == f"{here.accounts[3]} Firm 3 Owner owned by nobody"
    assert crm("handover", "show", id_, user=None).out.count(" Kept ") == 4  # and how many


def test_what_takes_effect_later_is_undone_by_the_same_command(crm: Run, here: Company) -> None:
    id_ = accepted(here, effective=dt.datetime.now(dt.UTC) + dt.timedelta(days=3))
    done = crm("handover", "do", id_, "--json").json
    assert (done["followed"], done["open_work_later"], done["undo"]) == ({}, True, f"crm handover undo {id_}")
    assert crm(*done["undo"].split()[1:]).code == 0


def test_what_was_claimed_from_a_pool_meanwhile_says_by_whom(crm: Run, here: Company) -> None:
    id_ = accepted(here, to=None, to_pool=True)
    crm("handover", "do", id_, user="qian")
    first, second = here.accounts[:2]
    claimed = crm("pool", "claim", "all", str(first), "--json", user="wang").json["change_set"]
    crm("pool", "claim", "all", str(second), user="sun")  # out of Zhou's sight
    said = f"The account Firm 0 ({first}) is owned by wang since 2"
    mend = f"(crm undo {claimed}); or only let somebody else own it: crm transfer {first} --to li --reason TEXT."
    taken = crm("handover", "take-back", id_, "--account", "Firm 0")
    assert taken.code == 7 and said in taken.err and taken.err.strip().endswith(mend) and "Two rows" not in taken.err
    trial = crm("handover", "undo", id_, "--dry-run", "--json")
    assert (trial.code, trial.json["items"]) == (7, 4)
    assert trial.json["left"][0]["problems"][0].startswith(said)
    assert (trial.json["left"][1]["account"], trial.json["left"][1]["problems"]) == (None, [])
    chinese = crm("handover", "undo", id_, "--dry-run", lang="zh_CN").out
    assert f"客户 Firm 0（{first}）自 2" in chinese and "由 wang 负责。请先" in chinese
    for user in ("zhou", "qian"):
        ended = crm("handover", "undo", id_, "--dry-run", user=user)
        assert said in ended.out and ("sun" in ended.out) is (user == "qian")


def test_a_manager_takes_all_back_from_another_department(crm: Run, here: Company) -> None:
    id_ = accepted(here, to="sun")
    crm("handover", "do", id_)
    assert crm("handover", "undo", id_, "--dry-run").code == 0
    ended = crm("handover", "undo", id_)
    assert (ended.code, lines(ended.out)[0]) == (0, "Accounts taken back: 6.")
    assert {"Ownership 12", "Activity 6"} <= set(lines(ended.out))
    assert set(here.owners().values()) == {"li"}


def test_what_cannot_be_taken_back_is_told_and_the_exit_code_says_so(crm: Run, here: Company) -> None:
    id_ = accepted(here)
    crm("handover", "do", id_)
    with here.system() as session:
        ownership.transfer(session, session.require(Account, here.accounts[1]), to="li")
        ownership.transfer(session, session.require(Account, here.accounts[2]), to="sun")  # out of Zhou's sight
    trial = crm("handover", "undo", id_, "--json", "--dry-run")
    assert (trial.code, trial.json["items"], trial.json["whole"]) == (7, 4, False)
    assert [each["account"] for each in trial.json["left"]] == ["Firm 1", None]
    assert trial.json["left"][1]["problems"] == []
    ended = crm("handover", "undo", id_)
    assert (ended.code, lines(ended.out)[0]) == (7, "Accounts taken back: 4.")
    (left,) = [row for row in lines(ended.out) if "Firm" in row]
    assert left.startswith(f"{here.accounts[1]} Firm 1 Ownership ") and "Valid to was changed since." in left
    assert "that you do not see: 1." in ended.out
    assert list(here.owners().values()) == ["li", "li", "sun", "li", "li", "li"]
    again = crm("handover", "undo", id_)
    assert again.code == 7 and "Nothing of the handover can be taken back" in again.err


def test_the_rest_is_for_somebody_else(crm: Run, here: Company) -> None:
    """Zhou manages West by now, and did not do it: only what she sees goes back."""
    id_ = accepted(here, to="sun")
    crm("handover", "do", id_, user="qian")
    with here.system() as session:
        (place,) = session.scalars(select(Membership).where(Membership.user_id == here.users["zhou"]))
        west = session.scalars(select(Membership.unit_id).where(Membership.user_id == here.users["sun"])).one()
        place.unit_id = west
        ownership.transfer(session, session.require(Account, here.accounts[0]), to="wang")
    ended = crm("handover", "undo", id_)
    assert ended.code == 7 and "for somebody else to take back" in ended.out


def test_whoever_has_nothing_just_leaves(crm: Run, here: Company) -> None:
    nothing = "sun is responsible for no account that you see: there is nothing to hand over."
    for args in (("leave", "sun", "West"), ("deactivate", "sun")):
        ended = crm("user", *args, user="qian")
        assert (ended.code, ended.err.strip()) == (0, nothing)
    ended = crm("user", "leave", "li", "East", user="qian")
    assert (ended.code, ended.err.strip()) == (
        0, "li is still responsible for 6 accounts: crm handover draft li --to LOGIN.",
    )  # fmt: skip
    ended = crm("handover", "draft", "qian", "--to", "wang", user="qian")
    assert ended.code == 7 and "'crm user deactivate qian' lets them go" in ended.err
    ended = crm("user", "deactivate", "li", user="qian")
    assert ended.code == 7 and ended.err.strip().endswith("crm handover draft li --to LOGIN.")


def test_a_risk_names_owner_day_and_why(crm: Run, here: Company) -> None:
    out = crm("handover", "risks", "--of", "li", "--details", "--days", "1").out
    rows = lines(out)
    assert "account owner since why" in rows
    quiet = [row for row in rows if "Nothing was held since." in row]
    assert len(quiet) == 6 and quiet[0].startswith(f"{here.accounts[0]} Firm 0 Li 20")


def test_a_risk_about_a_person_names_their_account_and_its_owner(crm: Run, here: Company) -> None:
    with here.crm.session("li") as session:
        session.list(Contact, order="name", limit=1)[0].note = "he drinks"
    (report,) = crm("handover", "risks", "--of", "li", "--json").json["report"]
    (risk,) = [each for each in report["risks"] if each["kind"] == "changed_before_leaving"]
    assert (risk["contact"], risk["account_id"], risk["account"], risk["owner"]) == (
        "Buyer 0", here.accounts[0], "Firm 0", "Li",
    )  # fmt: skip
    rows = lines(crm("handover", "risks", "--of", "li", "--details").out)
    assert [row for row in rows if row.startswith(f"{here.accounts[0]} Firm 0 Li 2") and "Buyer 0, by Li" in row]


def test_in_chinese_nothing_is_left_in_english(crm: Run, here: Company) -> None:
    id_ = str(here.offered(to="wang"))
    shown = crm("handover", "show", id_, lang="zh_CN")
    assert "待接手" in shown.out and "已提交" not in shown.out
    crm("handover", "accept", id_, lang="zh_CN")
    wrong = crm("handover", "accept", id_, lang="zh_CN")
    twice = crm("handover", "accept", id_, "--account", "Firm 0", lang="zh_CN")
    assert "已接受" in twice.err and "待接手" in twice.err
    again = crm("handover", "cancel", id_, "--dry-run", lang="zh_CN")
    with here.system() as session:
        ownership.transfer(session, session.require(Account, here.accounts[1]), to="sun")
    done = crm("handover", "do", id_, user=None, lang="zh_CN")
    early = crm("handover", "do", id_, user=None, lang="zh_CN")
    assert "已完成" in early.err and "done" not in early.err
    risks = crm("handover", "risks", "--details", "--days", "1", lang="zh_CN")
    back = crm("handover", "undo", id_, lang="zh_CN")
    view = crm("show", "account", str(here.accounts[0]), lang="zh_CN")
    english = (
        "Open work", "Records that", "Kept", "Accounts", "activity", "ownership", "owned", "since", "Next", "Formerly",
        "Offered", "offered", "Accepted", "accepted", "Nothing", "Only", "goes to", "people",
    )  # fmt: skip
    for ended in (shown, wrong, twice, again, done, risks, back, view):
        assert not [word for word in english if word in ended.out + ended.err], ended
