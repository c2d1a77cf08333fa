"""``crm journal``: the parts of the journal on PostgreSQL, and what is said on SQLite."""

from __future__ import annotations

import json

import pytest

from crm_core import Account, Activity, Crm
from crm_core.domain.activities import Status


def test_on_sqlite_the_journal_is_one_table(company, crm):
    assert "one table" in crm("journal").out
    assert crm("journal", "--json").json == {"divided": False, "parts": []}
    for refused in (("begin",), ("detach", "--before", "2030-01-01"), ("attach", "0")):
        ended = crm("journal", *refused, code=10)
        assert ended.out == "" and "PostgreSQL alone" in ended.err
    crm("--user", "li.wei", "journal", code=5)


@pytest.fixture
def years(database_url, tmp_path, monkeypatch, crm):
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite keeps the journal in one table")
    monkeypatch.chdir(tmp_path)
    duty = '[duties.yearly]\nrecord = "account"\nevery_days = 365\n'
    (tmp_path / "crm.toml").write_text(f"[crm]\nname = 'T'\ndatabase = {json.dumps(database_url)}\n{duty}", "utf-8")
    crm("migrate")
    with Crm.open(tmp_path / "crm.toml") as opened, opened.system_session("test") as session:
        return session.add_one(Account(name="Acme")).id


def test_parts_are_listed_begun_detached_and_attached(years, crm, tmp_path):
    (first, rest) = crm("journal", "--json").json["parts"]
    assert (first["number"], first["state"], first["from_id"], first["changes"]) == (0, "current", 0, 1)
    assert (rest["number"], rest["state"], rest["from_id"], rest["changes"]) == (None, "default", None, 0)
    assert "being written" in crm("journal").out
    assert crm("journal", "begin", "--json").json == {"begun": 1, "made": [1, 2]}
    assert "goes on" in crm("journal", "begin").out
    crm("journal", "detach", "--before", "2099-01-01", code=6)  # the next one has not begun
    with Crm.open(tmp_path / "crm.toml") as opened, opened.system_session("test") as session:
        session.add(Account(name="Beta"))
    before = ("journal", "detach", "--before", "2099-01-01")
    dry = crm(*before, "--dry-run", "--json").json
    assert (dry["parts"], dry["dry_run"], [each["where"] for each in dry["obstacles"]]) == (
        [0],
        True,
        ["duties.yearly"],
    )
    assert "365 days back" in crm(*before, "--dry-run").out
    refused = crm(*before, code=7)
    assert "365 days back" in refused.err
    build = tmp_path / "crm.toml"
    build.write_text(build.read_text("utf-8").partition("[duties")[0], "utf-8")
    assert f"Would write {tmp_path / 'journal-part-0.gz'}." in crm(*before, "--to", str(tmp_path), "--dry-run").out
    done = crm(*before, "--to", str(tmp_path), "--json").json
    assert (done["parts"], done["changes"], done["files"]) == ([0], 1, [str(tmp_path / "journal-part-0.gz")])
    assert crm("journal", "--json").json["parts"][0]["state"] == "file"
    told = crm("history", "account", "Acme", "--json")
    assert (told.json["events"], told.json["begins"]) == ([], done["begins"]) and "is not shown" in told.err
    asked = crm("list", "account", "--as-of", "2020-01-01", code=6)
    assert "is detached" in asked.err
    assert crm("journal", "attach", "0", "--dry-run", "--json").json["dry_run"] is True
    assert "is whole" in crm("journal", "attach", "0", "--dry-run").out
    assert crm("journal", "attach", "0", "--json").json == {
        "dry_run": False, "number": 0, "change_sets": 1, "changes": 1, "erased": 0,
        "file": str(tmp_path / "journal-part-0.gz"),
    }  # fmt: skip
    told = crm("history", "account", "Acme", "--json")
    assert len(told.json["events"]) == 1 and told.json["begins"] is None and told.err == ""


def test_old_activities_are_put_away_and_brought_back(company, crm):
    before = ("journal", "put-away", "--before", "2025-02-01")
    assert crm(*before, "--json").json["activities"] == 0
    build = company / "crm.toml"
    plan = crm("list", "activity", "--json").json
    with Crm.open(build) as opened, opened.system_session("test") as session:
        for activity in session.list(Activity):
            activity.status = Status.HELD
    dry = crm("journal", "put-away", "--before", "2099-01-01", "--dry-run", code=7)
    assert "days back" in dry.err
    text = build.read_text("utf-8")
    build.write_text(text.partition("[duties")[0], "utf-8")
    told = crm("journal", "put-away", "--before", "2099-01-01", "--dry-run")
    assert "would be put away: 2" in told.out
    done = crm("journal", "put-away", "--before", "2099-01-01", "--reason", "old", "--json").json
    assert (done["activities"], done["kept"], done["dry_run"]) == (2, [], False) and done["rows"] >= 2
    assert crm("list", "activity", "--json").json["records"] == []
    crm("undo", done["change_set"])
    assert len(crm("list", "activity", "--json").json["records"]) == len(plan["records"])
