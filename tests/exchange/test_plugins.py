"""Plugins in an import: their extensions, transforms and objections, and fields of JSON."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core.assembly import Crm, Manifest, given
from crm_core.domain.accounts import Account
from crm_core.errors import ExchangeError, HookError, Objection
from crm_core.exchange import ImportReport, mapping_of_exports, run_export, run_import
from crm_core.fields import json, text
from crm_core.hooks.markers import hookimpl
from crm_core.records import Record, extends
from crm_core.store.changes import ChangeBatch

manifest = Manifest(name="exchange_outlets", version="1", crm_core=">=0.1", module=__name__)


@extends("account", "exchange_outlets.outlet")
class Outlet(Record):
    """What only outlets have."""

    channel: Mapped[str] = text(40)
    shelf: Mapped[Any | None] = json(default=None)


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    return [Outlet]


@hookimpl
def crm_register_transforms() -> Mapping[str, Callable[..., Any]]:
    return {"stars": lambda value, *, sign="*": sign * int(value)}


@hookimpl
def crm_check_changes(batch: ChangeBatch) -> None:
    channels = {change.after.get("channel") for change in batch}
    if "closed" in channels:
        raise Objection("A closed outlet is none.")
    if "bug" in channels:
        raise RuntimeError("a bug of the plugin")


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    build = {"crm": {"plugins": ["exchange_outlets"]}}
    with Crm.open(build, database=database_url, check=False, discovery=given(manifest)) as crm:
        crm.store.create_all()
        yield crm


ACCOUNTS = {"record": "account", "fields": {"name": {"column": "stars", "transform": {"name": "stars", "sign": "+"}}}}
OUTLETS = {"record": "exchange_outlets.outlet", "fields": {"channel": "channel", "shelf": "shelf"}}


def load(crm: Crm, folder: Path, data: str, *sections: Mapping[str, Any], name: str = "data.csv") -> ImportReport:
    (folder / name).write_text(data)
    mapping = {"source": {"system": "old"}, "section": [{"file": name, "key": "id", **each} for each in sections]}
    return run_import(crm, mapping, folder)


def reasons(report: ImportReport) -> dict[int, str]:
    return {each.line: each.reason for each in report.first_rejects}


def test_an_extension_has_the_key_of_its_record(crm: Crm, tmp_path: Path) -> None:
    data = 'id,stars,channel,shelf\n1,3,kiosk,"{""top"": [1, null]}"\n2,x,kiosk,\n3,1,,\n'
    report = load(crm, tmp_path, data, ACCOUNTS, OUTLETS)
    outlets = report.section("exchange_outlets.outlet")
    assert (outlets.created, outlets.rejected) == (1, 2)
    told = {each.line: each.reason for each in report.first_rejects if each.section == outlets.name}
    assert told[3].startswith("key: There is no account with the key '2'.")
    assert told[4].startswith("channel: A value is needed.")
    with crm.system_session("test", read_only=True) as session:
        account = session.scalars(select(Account).where(Account.name == "+++")).one()
        assert session.require(Outlet, account.id).shelf == {"top": [1, None]}
    assert load(crm, tmp_path, data, ACCOUNTS, OUTLETS).change_set is None
    assert load(crm, tmp_path, data.replace("kiosk", "stall"), ACCOUNTS, OUTLETS).updated == 1
    with pytest.raises(ExchangeError, match="by the key of the record it extends"):
        load(crm, tmp_path, data, {**OUTLETS, "match": "channel"})


def test_an_objection_costs_only_the_rows_that_it_is_about(crm: Crm, tmp_path: Path) -> None:
    closed = {7, 8, 500, 1203}
    rows = [f"{number},1,{'closed' if number in closed else 'kiosk'},\n" for number in range(1500)]
    report = load(crm, tmp_path, "id,stars,channel,shelf\n" + "".join(rows), ACCOUNTS, OUTLETS)
    assert report.section("exchange_outlets.outlet").created == 1496
    assert set(reasons(report)) == {number + 2 for number in closed}
    assert "A closed outlet is none." in reasons(report)[9]
    assert report.change_set is not None
    with crm.system_session("undo") as session:
        session.undo(report.change_set)
        assert session.count(Account) == 0


def test_a_bug_of_a_plugin_ends_the_import(crm: Crm, tmp_path: Path) -> None:
    with pytest.raises(HookError, match="exchange_outlets"):
        load(crm, tmp_path, "id,stars,channel,shelf\n1,1,bug,\n", ACCOUNTS, OUTLETS)
    with crm.system_session("test", read_only=True) as session:
        assert session.count(Account) == 0


@pytest.mark.parametrize("shelf", ["text", 5, 1.5, [1.25, {"a": None}], {"a": {"b": "北京"}}, True])
def test_json_makes_the_round_trip(crm: Crm, tmp_path: Path, shelf: Any) -> None:
    line = json_module.dumps({"id": 1, "stars": "2", "channel": "kiosk", "shelf": shelf})
    assert load(crm, tmp_path, line, ACCOUNTS, OUTLETS, name="data.jsonl").created == 2
    files = {"account": "a.jsonl", "exchange_outlets.outlet": "o.csv"}
    with crm.system_session("test", read_only=True) as session:
        assert session.scalars(select(Outlet)).one().shelf == shelf
        for name, file in files.items():
            run_export(session, name, None, tmp_path / file, with_keys="old")
    mapping = mapping_of_exports(crm.types, files)
    report = run_import(crm, mapping, tmp_path)
    assert (report.created, report.rejected) == (2, 0)
    with crm.system_session("test", read_only=True) as session:
        assert [outlet.shelf for outlet in session.scalars(select(Outlet))] == [shelf, shelf]


def test_moments_that_are_none(crm: Crm, tmp_path: Path) -> None:
    section = {"record": "activity", "fields": {"kind": {"value": "call"}, "subject": "id", "started_at": "at"}}
    report = load(crm, tmp_path, "id,at\n1,yesterday\n2,2026-01-01T10:00+08:00\n", section)
    assert reasons(report) == {2: "started_at: 'yesterday' is not a day or moment such as 2026-11-23 09:30:00."}
