"""``crm pool``."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from crm_core import Account, Crm, ownership

UPDATE = '\n[roles.sales]\npermissions = { "*.read" = "own" }\n'


@pytest.fixture
def twins(company):
    """The ids of the two accounts in the pool."""
    with Crm.open("crm.toml") as opened, opened.system_session("test") as session:
        return [each.id for each in session.list(Account, 'name == "Twin"', order="id")]


def test_the_pools_and_what_nobody_reaches(company, crm):
    with Crm.open("crm.toml") as opened, opened.system_session("test") as session:
        alone = session.add_one(Account(name="Alone")).id
    ended = crm("pool")
    assert re.search(r"^east +East +2 +no", ended.out, re.MULTILINE)
    assert "names units or members that are not there: nobody" in ended.err
    assert f"in no pool, so that only who sees all accounts reaches them: 1 ({alone})." in ended.err
    assert crm("pool", "list", "--json").json == {
        "pools": [
            {"pool": "east", "label": "East", "scope": "", "accounts": 2, "mine": False, "unknown": ["nobody"]},
            {"pool": "rest", "label": "rest", "scope": "", "accounts": 0, "mine": False, "unknown": []},
        ],
        "orphans": {"count": 1, "accounts": [alone]},
    }


def test_a_member_sees_the_own_pools_and_no_orphans(company, crm):
    found = crm("--user", "wang.fang", "pool", "list", "--json").json
    assert [(each["pool"], each["mine"]) for each in found["pools"]] == [("east", True)]
    assert found["orphans"] is None
    assert "yes" in crm("--user", "wang.fang", "pool").out


def test_nothing_to_look_into(company, crm):
    file = company / "crm.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.index("[pools.east]")], encoding="utf-8")
    assert crm("pool", "list").out == "There is no pool that you may look into.\n"


def test_look_claim_release_and_look_back(company, crm, twins):
    first, second = twins
    page = crm("--user", "wang.fang", "pool", "show", "east", "--limit", 1)
    assert str(first) in page.out
    assert str(second) not in page.out
    cursor = re.search(r"--after (\S+)", page.err)[1]
    shown = crm("--user", "wang.fang", "pool", "show", "east", "--after", cursor, "--json").json
    assert shown == {"pool": "east", "accounts": [{"id": second, "name": "Twin", "grade": None}], "next": None}
    claimed = crm("--user", "wang.fang", "pool", "claim", "east", first, "--reason", "met at the fair")
    assert claimed.out.startswith(f"Twin ({first}) is yours now. To take it back: crm undo ")
    again = crm("--user", "zhao.min", "pool", "claim", "east", first, code=7)
    assert again.err == f"Somebody else claimed the account {first} a moment ago. Choose another one.\n"
    assert crm("--user", "zhao.min", "pool", "claim", "east", second, "--json").json["name"] == "Twin"
    released = crm("--user", "wang.fang", "pool", "release", first, "--reason", "no time")
    assert released.out.startswith(f"Twin ({first}) is in the pool east again.")
    found = crm("--user", "zhao.min", "pool", "release", "Twin", "--reason", "no time either", "--json").json
    assert (found["account"], found["pool"]) == (second, "east")
    history = crm("pool", "history", first)
    assert re.search(r"Claimed +east +\d+ 王芳 +met at the fair", history.out)
    taken = crm("list", "ownership", "--where", "account_id == " + str(first), "--all-dates", "--fields", "reason")
    assert "claimed: " in taken.out and " · met at the fair" in taken.out
    assert re.search(r"Released +east +\d+ 王芳 +no time", history.out)
    events = crm("pool", "history", first, "--json").json["events"]
    assert [each["kind"] for each in events] == ["claimed", "released"]


def test_a_claim_is_taken_back_by_its_change_set(company, crm, twins):
    made = crm("--user", "wang.fang", "pool", "claim", "east", twins[0], "--json").json["change_set"]
    assert crm("pool", "show", "east", "--json").json["accounts"] != []
    crm("--user", "wang.fang", "undo", made)
    assert len(crm("pool", "show", "east", "--json").json["accounts"]) == 2


def test_what_is_refused(company, crm, twins):
    nobody = crm("pool", "claim", "east", twins[0], code=2).err
    assert f"Say who claims: crm --user LOGIN pool claim east {twins[0]}." in nobody
    assert "may not claim from the pool east" in crm("--user", "li.wei", "pool", "claim", "east", twins[0], code=5).err
    assert "Did you mean east?" in crm("pool", "show", "eats", code=6).err
    assert "note is not shown before claiming" in crm("pool", "show", "east", "--where", 'note == "x"', code=5).err
    assert "is no whole number" in crm("--user", "wang.fang", "pool", "claim", "east", "Twin", code=2).err
    assert "either --days or --since" in crm("pool", "simulate", "--days", 3, "--since", "2026-01-01", code=2).err
    assert (
        "There is no account" in crm("--user", "wang.fang", "pool", "history", "Acme Bearings", code=6).err
        or "There is no account" in crm("--user", "wang.fang", "pool", "history", twins[0], code=6).err
    )


def test_recycle_and_assign_now(company, crm, twins):
    would = crm("pool", "recycle", "--dry-run")
    assert re.search(r"Acme Bearings +\d+ 李伟 +would go back +today +rest", would.out)
    assert "Would go back: 1; warnings that would be given: 0. Nothing was changed." in would.out
    done = crm("pool", "recycle", "--limit", 0)
    assert "Went back: 1; warnings that were given: 0." in done.out
    assert "Lines that are not shown: 1." in done.err
    assert crm("pool", "recycle", "--json").json["steps"] == []
    would = crm("pool", "assign", "--dry-run", "--json").json
    assert [each["account"] for each in would["steps"]] == twins
    assert "Accounts that would be handed out: 2." in crm("pool", "assign", "--dry-run").out
    assert re.search(r"Twin +\d+ 赵敏 +east", crm("pool", "assign").out)
    assert "Accounts that were handed out: 0." in crm("pool", "assign").out
    history = crm("pool", "history", "Acme Bearings").out
    assert "no held activity for 30 days" in history
    assert "It was never in a pool" in crm("pool", "history", "华东轴承").out


def test_the_jobs_do_the_same(company, crm, twins):
    assert "is done" in crm("jobs", "run", "pool.recycle").out
    assert "is done" in crm("jobs", "run", "pool.assign").out
    with Crm.open("crm.toml") as opened, opened.system_session("test", read_only=True) as session:
        owners = {id_: ownership.owner(session, session.require(Account, id_)) for id_ in twins}
        (acme,) = session.list(Account, 'name == "Acme Bearings"')
        assert ownership.owner(session, acme) is None
    assert {each.login for each in owners.values()} == {"zhao.min"}
    schedules = {each["job"]: each for each in crm("jobs", "--json").json["schedules"]}
    assert {"pool.recycle", "pool.assign"} <= schedules.keys()


def test_nobody_has_room(company, crm):
    file = company / "crm.toml"
    text = file.read_text(encoding="utf-8").replace('assign = "round', 'in_all = { "*" = 1 }\nassign = "round')
    file.write_text(text, encoding="utf-8")
    assert "Accounts of the pool east for which nobody has room: 1." in crm("pool", "assign").err
    assert crm("pool", "assign", "--json").json["left"] == {"east": 1}


@pytest.fixture
def neglected(company):
    """An account of Wang's since January that an import brought, so that there is a past to replay."""
    with Crm.open("crm.toml") as opened, opened.system_session("import", source="import") as session:
        account = session.add_one(Account(name="Neglected", grade="C"))
        day = dt.datetime.now(dt.UTC) - dt.timedelta(days=100)
        ownership.assign(session, account, to="wang.fang", from_=day)
        return account.id


def test_simulate(neglected, crm):
    ended = crm("pool", "simulate", "--days", 20)
    assert "█" in ended.out
    assert re.search(r"王芳 +1 +1 ", ended.out)
    assert "Neglected" in ended.out
    found = crm("pool", "simulate", "--days", 20, "--json").json
    (loss,) = [each for each in found["losses"] if each["account"] == neglected]
    assert (loss["rule"], loss["sign"], loss["pool"]) == ("without held_activity 30", "held_activity", "rest")
    assert loss["last_chance"] < loss["day"]
    assert crm("--user", "zhao.min", "pool", "simulate", "--json").json["losses"] == []
    assert "nobody would have lost an account" in crm("--user", "zhao.min", "pool", "simulate").out
    assert "Lines that are not shown" in crm("pool", "simulate", "--limit", 0).err


def test_simulate_other_rules(neglected, company, crm):
    (company / "rules.toml").write_text(
        """
        [pools.all]
        where = "created_at < now()"
        [[pools.all.recycle]]
        without = "held_activity"
        days = 10
        never_grades = ["C"]
        """,
        encoding="utf-8",
    )
    ended = crm("pool", "simulate", "--rules", "rules.toml", "--since", "2026-01-01")
    assert "The condition of the pool all looks at other records or at the day" in ended.err
    assert "Neglected" not in ended.out
    (company / "rules.toml").write_text('[pools.all]\nwhere = "grad == 1"\n[crm]\nlocale = "xx yy"\n', encoding="utf-8")
    wrong = crm("pool", "simulate", "--rules", "rules.toml", code=3).err
    assert "pools.all.where: account has no field 'grad'. Did you mean grade" in wrong
    assert "locale" not in wrong


def test_in_chinese(neglected, crm, twins):
    assert "客户" in crm("--lang", "zh_CN", "pool", "simulate", "--days", 90).out
    assert "公海" in crm("--lang", "zh_CN", "pool", "--help").out
    told = crm("--lang", "zh_CN", "--user", "li.wei", "pool", "claim", "east", twins[0], code=5).err
    assert "不能从公海 east 领取客户" in told
