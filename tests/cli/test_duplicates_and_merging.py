"""``crm duplicates``, ``crm merge``, ``crm split``; and what an import tells of customers that are there already."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete

from crm_core import Account, Contact, Crm, Membership, Money, contacts, ownership
from crm_core.store.tables import MATCH_KEY

MAPPING = """\
[source]
system = "old"

[[section]]
record = "account"
file = "customers.csv"
key = "no"
fields = { name = "name", phone = "phone" }
"""


@pytest.fixture
def doubles(company):
    """Two pairs: one that Li Wei sees, and one of which he sees a half."""
    with Crm.open("crm.toml") as opened, opened.system_session("test") as session:
        acme = session.list(Account, 'name == "Acme Bearings"')[0]
        other = session.add_one(
            Account(
                name="ACME Bearings Co., Ltd.", website="https://acme.example", grade="A", revenue=Money("7", "EUR")
            )
        )
        other.custom = {"vehicles": 3}
        ownership.assign(session, other, to="wang.fang", since_always=True)
        return acme.id, other.id


def test_pairs_with_what_they_have_in_common(doubles, crm):
    ended = crm("duplicates")
    assert "1.00" not in ended.out and "Twin" in ended.out
    assert "domain: acme.example, name: acmebearings" in ended.out
    assert "crm merge TYPE" in ended.err
    found = crm("duplicates", "account", "--where", 'name == "Acme Bearings"', "--json").json
    assert (found["type"], found["count"]) == ("account", 1)
    (pair,) = found["candidates"]
    assert (pair["id"], pair["name"], pair["other_id"]) == (doubles[0], "Acme Bearings", doubles[1])
    assert pair["keys"][0] == {"kind": "domain", "key": "acme.example"}
    assert crm("duplicates", "--least", "0.7", "--json").json["count"] == 1
    assert "1 more" in crm("duplicates", "--limit", "1").err
    assert "No duplicates" in crm("duplicates", "contact").out
    assert "No duplicates" in crm("--user", "zhao.min", "duplicates").out
    assert "no match keys of user" in crm("duplicates", "user", code=4).err
    assert "Give one record type" in crm("duplicates", "account", "contact", code=2).err
    assert "重复" in crm("--lang", "zh_CN", "--user", "zhao.min", "duplicates").out


def test_the_keys_are_checked_and_worked_out_anew(doubles, crm):
    assert crm("duplicates", "reindex", "--check", "--json").json["right"] is True
    with Crm.open("crm.toml") as opened, opened.system_session("test") as session:
        session.core(delete(MATCH_KEY).where(MATCH_KEY.c.kind == "domain"))
    ended = crm("duplicates", "reindex", "--check", code=7)
    assert "Missing: 2" in ended.out and "crm duplicates reindex" in ended.err
    assert "Missing: 2" in crm("duplicates", "reindex").out
    assert "Missing: 0" in crm("duplicates", "reindex", "--check").out
    assert "may not work on indexes" in crm("--user", "wang.fang", "duplicates", "reindex", code=5).err


def test_a_merge_is_shown_done_and_taken_apart(doubles, crm):
    one, other = map(str, doubles)
    planned = crm("merge", "account", one, other, "--dry-run")
    assert "Fields that differ" in planned.out
    assert "1,200.50 CNY" in planned.out or "1200.50 CNY" in planned.out
    assert "Moved" in planned.out and "ownership.account_id" in planned.out
    assert "Not simply moved" in planned.out
    assert f"The account {other} can be merged into {one}. Nothing was changed." in planned.out
    done = crm("merge", "account", one, other, "--set", "grade=source", "--set", "custom.vehicles=source", "--reason",
               "the same", "--json").json  # fmt: skip
    assert (done["target"], done["source"], done["dry_run"], done["conflicts"]) == (doubles[0], doubles[1], False, [])
    fields: dict[str, Any] = {each["field"]: each for each in done["fields"]}
    assert fields["grade"]["value"] == "A" and fields["custom.vehicles"]["value"] == 3
    assert fields["revenue"]["source"] == {"amount": "7", "currency": "EUR"}
    assert done["change_set"] is not None
    gone = crm("show", "account", other, code=6)
    assert f"was merged into {one}" in gone.err
    assert f"was merged into {one}" in crm("merge", "account", one, other, code=6).err
    assert "merged" not in crm("--user", "zhao.min", "show", "account", other, code=6).err
    assert "Nothing was merged" in crm("split", "contact", other, code=6).err
    assert "can be undone" in crm("split", "account", other, "--dry-run").out
    split = crm("split", "account", other, "--json", "--reason", "two after all").json
    assert split["conflicts"] == [] and split["restored"]["account"] == 1
    assert "A" in crm("show", "account", other).out
    assert "未直接转移" in crm("--lang", "zh_CN", "merge", "account", one, other, "--dry-run").out
    assert "is now a part of" in crm("merge", "account", one, other).out


def test_a_choice_that_cannot_be_read(doubles, crm):
    one, other = map(str, doubles)
    assert "write FIELD=source" in crm("merge", "account", one, other, "--set", "name", code=2).err
    assert "is no rule" in crm("merge", "account", one, other, "--set", "name=mine", code=4).err


def test_what_stands_in_the_way_is_told(doubles, crm, install_plugin):
    install_plugin(
        "cli_against",
        plugin="""
            from crm_core import hookimpl

            @hookimpl
            def crm_check_merge(merging):
                yield f"{merging.source_id} is under contract."
            """,
    )
    from pathlib import Path

    file = Path("crm.toml")
    file.write_text(file.read_text(encoding="utf-8").replace("[crm]", '[crm]\nplugins = ["cli_against"]', 1), "utf-8")
    one, other = map(str, doubles)
    planned = crm("merge", "account", one, other, "--dry-run")
    assert "In the way" in planned.out and "under contract" in planned.out and "cannot be merged" in planned.out
    ended = crm("merge", "account", one, other, code=7)
    assert "cannot be merged" in ended.err and "cli_against: " in ended.err


def test_an_erased_person_is_merged_with_nobody(company, crm):
    with Crm.open("crm.toml") as opened:
        with opened.system_session("test") as session:
            gone, live = (session.add_one(Contact(name=name)).id for name in ("Gone", "Live"))
        with opened.system_session("test") as session:
            contacts.erase(session, session.require(Contact, gone), reason="asked for it")
    planned = crm("merge", "contact", str(gone), str(live), "--dry-run")
    assert "it was erased" in planned.out and "erase that one too" in planned.out and "cannot be merged" in planned.out
    assert "it was erased" in crm("merge", "contact", str(live), str(gone), code=7).err
    assert "抹除" in crm("--lang", "zh_CN", "merge", "contact", str(live), str(gone), "--dry-run").out


def test_an_import_tells_what_may_be_there_already(doubles, company, crm):
    (company / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    rows = "no,name,phone\n1,Acme Bearings Ltd,\n2,Quite New,+861065529988\n3,New Ltd,+86 10 6552 9988\n"
    (company / "customers.csv").write_text(rows, encoding="utf-8")
    report = crm("import", "mapping.toml", "--dry-run", "--json").json
    assert report["duplicates"] == 3
    assert [(each["name"], each["other_name"], each["keys"]) for each in report["first_duplicates"]] == [
        ("New Ltd", "Quite New", ["phone"]),
        ("Acme Bearings Ltd", "Acme Bearings", ["name"]),
        ("Acme Bearings Ltd", "ACME Bearings Co., Ltd.", ["name"]),
    ]
    assert report["served"] == []
    told = crm("import", "mapping.toml").out
    assert "Perhaps there already" in told and "Pairs that might be the same: 3" in told
    assert "Perhaps there already" not in crm("import", "mapping.toml").out  # a second time they are no longer new


@pytest.mark.parametrize(("tell", "words"), [("nothing", None), ("served", "is served already."), ("whom", "ask 李伟")])
def test_an_import_by_somebody_who_sees_less(doubles, company, crm, tell, words):
    build = (company / "crm.toml").read_text(encoding="utf-8")
    build += f"""
[roles.importer]
permissions = {{ "*.read" = "own", "account.create" = "own", "system.import" = "all", "external_ref.*" = "all" }}

[duplicates]
tell = "{tell}"
"""
    (company / "crm.toml").write_text(build, encoding="utf-8")
    with Crm.open("crm.toml") as opened, opened.system_session("test") as session:
        (place,) = session.list(Membership, 'user.login == "zhao.min"')
        place.role = "importer"
    (company / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    (company / "customers.csv").write_text("no,name,phone\n1,acme bearings,\n", encoding="utf-8")
    told = crm("--user", "zhao.min", "import", "mapping.toml")
    assert "Perhaps there" not in told.out
    if words is None:
        assert "served" not in told.out
    else:
        assert words in told.out
