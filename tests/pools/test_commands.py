"""Claiming and giving back by commands: a rehearsal changes nothing and tells no more than the pool; all is undone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import select

from crm_core.cli.application import Application
from crm_core.cli.running import run
from crm_core.store.tables import CHANGE_SET

from .conftest import Company

RunCrm = Callable[..., str]


@pytest.fixture
def cli(company: Company, capsys: pytest.CaptureFixture[str]) -> RunCrm:
    """Runs a command on the company, in this process; gives what it printed, or the error where one is expected."""

    def call(*args: object, code: int = 0, lang: str = "") -> str:
        capsys.readouterr()
        ended = run([str(arg) for arg in args], Application({"LANG": lang}, company.crm))
        out, err = capsys.readouterr()
        assert ended == code, (ended, out, err)
        return err if code else out

    return call


def journal(company: Company) -> set[int]:
    """The change sets that there are."""
    with company.session(read_only=True) as session:
        return set(session.core(select(CHANGE_SET.c.id)).scalars())


def test_a_claim_is_rehearsed_made_and_taken_back(company: Company, cli: RunCrm) -> None:
    id_ = company.account("Polar Bear")
    args = ("--user", "li", "pool", "claim", "north", id_)
    before = journal(company)
    said = f"The account {id_} can be claimed from the pool north. Nothing was changed.\n"
    assert cli(*args, "--dry-run") == said
    assert cli(*args, "--dry-run", lang="zh_CN.UTF-8") == f"可以从公海 north 领取客户 {id_}。未作任何更改。\n"
    told = {"account": id_, "pool": "north", "user": company.users["li"], "scope": ""}
    assert json.loads(cli(*args, "--dry-run", "--json")) == told | {"name": None, "dry_run": True, "change_set": None}
    assert "may not claim from the pool north" in cli("--user", "sun", *args[2:], "--dry-run", code=5)
    assert (journal(company), company.owner(id_)) == (before, None)
    made = json.loads(cli(*args, "--json"))
    assert made == told | {"name": "Polar Bear", "dry_run": False, "change_set": made["change_set"]}
    assert (journal(company) - before, company.owner(id_)) == ({made["change_set"]}, "li")
    cli("--user", "li", "undo", made["change_set"])
    assert company.owner(id_) is None


def test_a_release_is_rehearsed_made_and_taken_back(company: Company, cli: RunCrm) -> None:
    id_ = company.account("Polar Bear", owner="li")
    args = ("--user", "li", "pool", "release", id_, "--reason", "no time")
    before = journal(company)
    said = f"Polar Bear ({id_}) would go back to the pool north. Nothing was changed.\n"
    assert cli(*args, "--dry-run") == said
    in_chinese = cli(*args, "--dry-run", lang="zh_CN.UTF-8")
    assert in_chinese == f"Polar Bear（{id_}）将退回公海 north。未作任何更改。\n"
    told = {"account": id_, "name": "Polar Bear", "pool": "north"}
    assert json.loads(cli(*args, "--dry-run", "--json")) == told | {"dry_run": True, "change_set": None}
    assert (journal(company), company.owner(id_)) == (before, "li")
    made = json.loads(cli(*args, "--json"))
    assert made == told | {"dry_run": False, "change_set": made["change_set"]}
    assert (journal(company) - before, company.owner(id_)) == ({made["change_set"]}, None)
    # Whoever gave it back sees it no more, and is not told to do what is refused.
    refused = cli("--user", "li", "undo", made["change_set"], code=7)
    assert "Ask somebody whose role has the permission system.undo." in refused
    cli("--user", "admin", "undo", made["change_set"])
    assert company.owner(id_) == "li"
    for login, how in (("li", "Who has the permission system.undo takes it back"), ("admin", "To take it back")):
        before = journal(company)
        told = cli("--user", login, *args[2:])
        (latest,) = journal(company) - before
        assert told == f"Polar Bear ({id_}) is in the pool north again. {how}: crm undo {latest}\n"
        cli("undo", latest)
