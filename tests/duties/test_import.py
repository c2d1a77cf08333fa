"""An import with the rights of a user: what only a steward may change is proposed, the rest is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crm_core import Account, quality
from crm_core.domain.external import ExternalRef
from crm_core.exchange import ImportReport, run_import
from crm_core.store.policy import Role, Scope

from .conftest import World

MAPPING: dict[str, Any] = {
    "source": {"system": "old"},
    "section": [
        {
            "record": "account", "file": "accounts.csv", "key": "no",
            "fields": {"name": "name", "industry": "industry", "segment": "segment"},
        }
    ],
}  # fmt: skip


@pytest.fixture
def importer(world: World) -> World:
    """Mei may import, but is no steward; Acme and Beta have keys already."""
    grants = {"*.read": Scope.ALL, "account.*": Scope.ALL, "external_ref.*": Scope.ALL, "system.import": Scope.ALL}
    world.crm.build.policy.roles["clerk"] = Role("clerk", tuple(grants.items()))  # type: ignore[index]
    with world.session() as session:
        for name in ("Acme", "Beta"):
            session.add_one(ExternalRef(system="old", record_type="account", key=name, record_id=world.accounts[name]))
    return world


def take_in(world: World, folder: Path, text: str, login: str | None = "mei", **options: Any) -> ImportReport:
    (folder / "accounts.csv").write_text(f"no,name,industry,segment\n{text}", encoding="utf-8")
    return run_import(world.crm, MAPPING, folder, login=login, **options)


def test_key_fields_are_proposed_and_the_rest_is_written(importer: World, tmp_path: Path) -> None:
    report = take_in(importer, tmp_path, "Acme,Acme Ltd,steel,bearings\nBeta,Beta,steel,\nNew,Newcomer,,x\n")
    assert (report.updated, report.created, report.proposed, report.rejected) == (2, 1, 1, 0)
    assert report.as_json()["proposed"] == 1
    with importer.session("sun") as session:
        acme = session.require(Account, importer.accounts["Acme"])
        assert (acme.name, acme.industry, acme.custom) == ("Acme", "steel", {})
        waiting = quality.proposals(session)
        assert {(each.field, each.proposed) for each in waiting} == {("name", "Acme Ltd"), ("segment", "bearings")}
        quality.approve(session, *waiting)
    # What is as the file says by now is proposed no more.
    assert take_in(importer, tmp_path, "Acme,Acme Ltd,steel,bearings\n").proposed == 0


def test_a_second_run_proposes_nothing_twice(importer: World, tmp_path: Path) -> None:
    for _ in range(2):
        report = take_in(importer, tmp_path, "Acme,Acme Ltd,,\n")
        assert (report.proposed, report.unchanged, report.updated) == (1, 1, 0)
    with importer.session("sun") as session:
        assert len(quality.proposals(session)) == 1


@pytest.mark.parametrize("login", ["qian", None])
def test_whoever_may_decide_writes_directly(importer: World, tmp_path: Path, login: str | None) -> None:
    report = take_in(importer, tmp_path, "Acme,Acme Ltd,,\n", login=login)
    assert (report.updated, report.proposed) == (1, 0)


def test_a_dry_run_proposes_nothing(importer: World, tmp_path: Path) -> None:
    assert take_in(importer, tmp_path, "Acme,Acme Ltd,,\n", dry_run=True).proposed == 1
    with importer.session("sun") as session:
        assert quality.proposals(session) == []
