"""``crm transfer``."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from crm_core import Account, Crm, Ownership, ownership
from crm_core.testing.statements import counted


def owners(scope="", at=None):
    with Crm.open("crm.toml") as opened, opened.system_session("test", read_only=True) as session:
        found = {}
        for account in session.list(Account):
            user = ownership.owner(session, account, scope=scope, at=at)
            found.setdefault(account.name, user.login if user else None)
        return found


def test_one_account_gets_another_owner_and_it_can_be_taken_back(company, crm):
    assert owners()["Acme Bearings"] == "li.wei"
    ended = crm("transfer", "Acme Bearings", "--to", "wang.fang", "--reason", "moved to East")
    assert "Accounts that belong to wang.fang now: 1. To take it back: crm undo" in ended.out
    assert owners()["Acme Bearings"] == "wang.fang"
    with Crm.open("crm.toml") as opened, opened.system_session("test", read_only=True) as session:
        rows = session.scalars(select(Ownership).order_by(Ownership.id), execution_options={"all_dates": True}).all()
        assert rows[-1].reason == "moved to East"
        assert rows[-2].valid_to == rows[-1].valid_from
    assert "moved to East" in crm("undo").out
    crm("undo", "--last")
    assert owners()["Acme Bearings"] == "li.wei"


def test_a_selection_is_transferred_as_one_and_tried_before(company, crm):
    args = ("transfer", "--where", 'name == "Twin" or name == "Acme Bearings"', "--to", "zhao.min", "--reason", "r")
    tried = crm(*args, "--dry-run", "--json").json
    assert (tried["dry_run"], tried["change_set"]) == (True, None)
    assert [(each["name"], each["from"]) for each in tried["transferred"]] == [
        ("Acme Bearings", "li.wei"), ("Twin", None), ("Twin", None),
    ]  # fmt: skip
    assert owners()["Twin"] is None
    assert "Accounts that would be transferred to zhao.min: 3. Nothing was changed." in crm(*args, "--dry-run").out

    done = crm(*args, "--json").json
    assert done["transferred"] == tried["transferred"]
    assert owners() == {"Acme Bearings": "zhao.min", "华东轴承": None, "Twin": "zhao.min"}
    again = crm(*args, "--json").json
    assert (again["transferred"], len(again["unchanged"])) == ([], 3)
    told = crm(*args)
    assert "zhao.min owns 3 of them already." in told.err and "Nothing was changed." in told.out


def test_from_a_day_on_and_in_a_scope(company, crm):
    crm("transfer", "Acme Bearings", "--to", "zhao.min", "--scope", "spares", "--from", "2031-05-01", "--reason", "r")
    assert owners()["Acme Bearings"] == "li.wei"
    assert owners("spares")["Acme Bearings"] is None
    assert owners("spares", dt.date(2031, 5, 2))["Acme Bearings"] == "zhao.min"


def test_what_cannot_be_transferred_is_refused_as_a_whole(company, crm):
    before = owners()
    assert "Give either accounts or --where." in crm("transfer", "--to", "li.wei", "--reason", "r", code=2).err
    assert "--where" in crm("transfer", "Acme Bearings", "--where", "active", "--to", "li.wei", "--reason", "r",
                            code=2).err  # fmt: skip
    assert "nobody" in crm("transfer", "Acme Bearings", "--to", "nobody", "--reason", "r", code=6).err
    assert "Several records" in crm("transfer", "华东轴承", "Twin", "--to", "li.wei", "--reason", "r", code=6).err
    assert "--reason" in crm("transfer", "Acme Bearings", "--to", "li.wei", code=2).err
    # A clerk may change accounts of theirs, and give none away; others they do not even see.
    crm("transfer", "华东轴承", "--to", "wang.fang", "--reason", "r")
    before = owners()
    crm("--user", "wang.fang", "transfer", "华东轴承", "--to", "li.wei", "--reason", "r", code=5)
    crm("--user", "wang.fang", "transfer", "Acme Bearings", "--to", "wang.fang", "--reason", "r", code=6)
    assert owners() == before


@pytest.mark.parametrize("number", [20, 600])
def test_looking_them_up_costs_as_much_for_many(company, crm, number):
    """What is written costs a few statements each; what is read before, a few for all."""
    from crm_core.cli.commands.transfer_ import _owners, _wanted

    with Crm.open("crm.toml") as opened:
        with opened.system_session("test") as session:
            session.add_many(Account, [{"name": f"Bulk {each}"} for each in range(number)])
        with opened.system_session("test", read_only=True) as session, counted(opened) as statements:
            ids = _wanted(session, (), 'startswith(name, "Bulk")')
            assert len(ids) == number
            assert _owners(session, ids, "", session.now) == {}
            assert len(statements) <= 4, statements


def test_it_speaks_chinese(company, crm):
    shown = crm("--lang", "zh_CN", "transfer", "华东轴承", "--to", "wang.fang", "--reason", "调岗").out
    assert "1 个客户" in shown
