"""A plugin is removed with all that it has, and brought back: every declared field of every row, on both databases."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from crm_core import contacts, merging
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.errors import BuildError, Conflict, MigrationError, StoreError
from crm_core.leaving import restoring
from crm_core.leaving.removing import export, plan_removal, remove
from crm_core.leaving.restoring import restore
from crm_core.store.history import history
from crm_core.store.migrating.running import run_to

from .leaver import Company, rows

Opened = Callable[..., Any]


def tables(crm: Any) -> list[str]:
    return [name for name in inspect(crm.store.engine).get_table_names() if "leaver" in name]


def removed(company: Company, folder: Path) -> Path:
    remove(company.crm, plan_removal(company.crm, "leaver", folder / "out"))
    return folder / "out"


def test_every_row_comes_back_as_it_was(company: Company, opened: Opened, tmp_path: Path) -> None:
    before = rows(company.crm)
    assert [len(each) for each in before.values()] == [2, 2, 2, 1]
    folder = removed(company, tmp_path)
    assert tables(company.crm) == []

    crm = opened(check=False)
    done = restore(crm, folder)
    assert done.exported.rows == 7
    assert not (done.brought.rejected or done.brought.emptied or done.brought.followed or done.brought.erased)
    assert rows(crm) == before
    assert crm.unindexed() == []
    assert crm.check_index().right
    with crm.session("li.wei", read_only=True) as session:
        events = history(session, "leaver.visit", company.ids["full"])
        assert [each.change.operation for each in events] == ["create", "update"]
        assert events[-1].inactive is None
        assert [hit.record_id for hit in session.search("拜访")] == [company.ids["full"]]
    with crm.session("li.wei") as session:
        session.undo(company.sets["changes"])
        assert session.get(type_of(crm, "leaver.visit"), company.ids["gone"]).remark == "Bob was rude"


def type_of(crm: Any, name: str) -> Any:
    return crm.types[name].cls


def test_the_journal_stays_and_the_rest_works_meanwhile(company: Company, opened: Opened, tmp_path: Path) -> None:
    removed(company, tmp_path)
    off = opened(without=("leaver",))
    with off.session("li.wei", read_only=True) as session:
        events = history(session, "leaver.visit", company.ids["full"])
        assert [each.inactive for each in events] == ["leaver", "leaver"]
    with off.session("li.wei") as session:
        session.delete(session.get(Account, company.ids["Beta"]))
    with off.session("li.wei") as session:
        contacts.erase(session, session.get(Contact, company.ids["Ann"]), reason="asked for it")
    with off.store.engine.connect() as connection:
        kept = connection.execute(text("SELECT coalesce(before, '') || coalesce(after, '') FROM crm_change")).scalars()
        assert "Ann is" not in "\n".join(kept)


def test_what_happened_meanwhile_is_respected(company: Company, opened: Opened, tmp_path: Path) -> None:
    folder = removed(company, tmp_path)
    off = opened(without=("leaver",))
    with off.session("li.wei") as session:
        merging.merge(session, session.get(Account, company.ids["Gamma"]), session.get(Account, company.ids["Acme"]))
    with off.session("li.wei") as session:
        session.delete(session.get(Account, company.ids["Beta"]))
    with off.session("li.wei") as session:
        contacts.erase(session, session.get(Contact, company.ids["Ann"]), reason="asked for it")

    crm = opened(check=False)
    brought = restore(crm, folder).brought
    found = rows(crm)
    assert set(found["leaver.visit"]) == {company.ids["full"]}
    full = found["leaver.visit"][company.ids["full"]]
    assert full["account_id"] == company.ids["Gamma"]
    assert (full["remark"], full["met"], full["mail"], full["custom"]) == (None, "[erased]", None, {"weight": "2.50"})
    assert set(found["leaver.profile"]) == {company.ids["Gamma"]}
    assert found["leaver.profile"][company.ids["Gamma"]]["motto"] == "quick"
    assert len(found["leaver.step"]) == 2
    assert {each["words"] for each in found["leaver.tie"].values()} == {None}
    assert dict(brought.rejected) == {"leaver.visit": 1}
    assert dict(brought.followed) == {"leaver.visit": 1, "leaver.tie": 2, "leaver.profile": 1}
    assert dict(brought.erased) == {"leaver.visit": 1, "leaver.tie": 2}
    [line] = (folder / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["row"]["id"] == company.ids["bare"]
    with crm.session("li.wei", read_only=True) as session:
        assert [each.change.operation for each in history(session, "leaver.visit", company.ids["bare"])] == [
            "create", "delete",
        ]  # fmt: skip
    assert crm.check_index().right


@pytest.mark.parametrize("start", ["nothing", "empty tables", "rows", "interrupted"])
def test_it_can_be_restored_from_wherever_an_attempt_ended(
    company: Company, opened: Opened, tmp_path: Path, start: str
) -> None:
    before = rows(company.crm)
    folder = removed(company, tmp_path)
    crm = opened(check=False)
    if start == "empty tables":
        crm.migrate()
    elif start == "rows":
        restore(crm, folder)
    elif start == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            restore(crm, folder, stop_at("insert"))
    restore(crm, folder)
    assert rows(crm) == before
    assert crm.unindexed() == []


def test_what_a_revision_fills_its_tables_with_gives_way_to_what_was_exported(
    company: Company, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile for each customer, say: else those would stay, and what people wrote into theirs would be lost."""
    before = rows(company.crm)
    folder = removed(company, tmp_path)
    crm = opened(check=False)
    now = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    filled = {"stars": 1, "motto": "filled", "tone": "plain", "version": 1, "created_at": now, "updated_at": now}

    def run_and_fill(engine: Any, *args: Any) -> None:
        run_to(engine, *args)
        with engine.begin() as connection:
            table = type_of(crm, "leaver.profile").crm_type.table
            for name in ("Acme", "Beta"):
                connection.execute(table.insert().values(id=company.ids[name], **filled))

    monkeypatch.setattr(restoring, "run_to", run_and_fill)
    restore(crm, folder)
    assert rows(crm) == before


def stop_at(stage: str) -> Callable[[str, str, int], None]:
    def tell(what: str, _name: str, _rows: int) -> None:
        if what == stage:
            raise KeyboardInterrupt

    return tell


@pytest.mark.parametrize("stage", ["export", "verify", "exported", "remove", "downgrade", "removed"])
def test_an_interruption_changes_nothing(company: Company, opened: Opened, tmp_path: Path, stage: str) -> None:
    before = rows(company.crm)
    plan = plan_removal(company.crm, "leaver", tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        remove(company.crm, plan, stop_at(stage))
    assert rows(opened()) == before
    assert opened().check_index().right
    remove(company.crm, plan_removal(company.crm, "leaver", tmp_path / "again"))
    assert tables(company.crm) == []


def test_a_file_that_is_not_what_was_written_stops_the_removal(company: Company, tmp_path: Path) -> None:
    before = rows(company.crm)

    def spoil(what: str, name: str, _rows: int) -> None:
        if what == "export" and name == "leaver__visit":
            path = tmp_path / "out" / "rows" / "leaver__visit.jsonl"
            path.write_text(path.read_text(encoding="utf-8").replace("ill", "fit").replace("well", "sick"), "utf-8")

    with pytest.raises(StoreError, match="is not what was written"):
        remove(company.crm, plan_removal(company.crm, "leaver", tmp_path / "out"), spoil)
    assert rows(company.crm) == before
    with pytest.raises(StoreError, match="holds no complete export"):
        restore(company.crm, tmp_path / "out")


def test_a_folder_that_was_spoilt_later_is_refused_before_anything_is_made(
    company: Company, opened: Opened, tmp_path: Path
) -> None:
    folder = removed(company, tmp_path)
    path = folder / "rows" / "leaver__tie.jsonl"
    path.write_bytes(path.read_bytes()[:-3])
    crm = opened(check=False)
    with pytest.raises(StoreError, match="is not what was written"):
        restore(crm, folder)
    assert tables(crm) == []


def test_a_folder_is_never_written_over(company: Company, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="not empty"):
        remove(company.crm, plan_removal(company.crm, "leaver", tmp_path / "out"))
    assert len(tables(company.crm)) == 5


def test_an_export_alone_takes_nothing(company: Company, tmp_path: Path) -> None:
    before = rows(company.crm)
    (tmp_path / "out").mkdir(mode=0o755)
    done = export(company.crm, "leaver", tmp_path / "out")
    assert done.rows == 7
    assert set(done.records) == {"leaver.visit", "leaver.step", "leaver.tie", "leaver.profile"}
    assert rows(company.crm) == before
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0, "it holds personal data"


def test_rows_that_came_since_are_not_written_over(company: Company, opened: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    export(company.crm, "leaver", folder)
    exported = json.loads((folder / "plugin.json").read_text(encoding="utf-8"))
    exported["revision"] = "0001"
    (folder / "plugin.json").write_text(json.dumps(exported), encoding="utf-8")
    with company.crm.session("li.wei") as session:
        session.delete(session.get(Account, company.ids["Gamma"]))
    restore(company.crm, folder)  # everything is there
    with company.crm.store.engine.begin() as connection:
        connection.execute(text("DELETE FROM leaver__step"))
    with pytest.raises(Conflict, match="at revision 0002 and hold 5 rows; the export is of revision 0001"):
        restore(company.crm, folder)


def test_what_others_need_is_refused_with_how_to_mend(company: Company, opened: Opened, tmp_path: Path) -> None:
    from crm_core.assembly import Manifest

    needing = Manifest(
        name="needing", version="1", crm_core=">=0.1,<1", module="crm_leaver", requires={"leaver": ">=1"}
    )
    with company.crm.store.engine.begin() as connection:
        connection.execute(text("CREATE TABLE other__thing (id INTEGER PRIMARY KEY, visit_id BIGINT "
                                "REFERENCES leaver__visit (id))"))  # fmt: skip
    crm = opened(
        more=(needing,),
        pools={"busy": {"where": "leaver.stars > 3", "recycle": [{"without": "leaver_visit", "days": 9}]}},
    )
    plan = plan_removal(crm, "leaver", tmp_path / "out")
    assert [each.path for each in plan.obstacles] == [
        "needing", "other__thing.visit_id", "pools.busy.where", "pools.busy.recycle[0].without",
    ]  # fmt: skip
    with pytest.raises(BuildError, match="cannot be removed yet"):
        remove(crm, plan)
    assert len(tables(crm)) == 5
    assert not (tmp_path / "out").exists()


def test_jobs_and_the_place_in_the_feed_come_back(company: Company, opened: Opened, tmp_path: Path) -> None:
    company.crm.deliver()
    with company.crm.system_session("test") as session:
        waiting = company.crm.store.queue.put(session, "leaver.sweep", {"where": "欧洲"})
    folder = removed(company, tmp_path)
    with company.crm.store.engine.connect() as connection:
        for table, column in (("crm_job", "name"), ("crm_job_schedule", "name"), ("crm_feed_position", "consumer")):
            rest = connection.execute(text(f"SELECT count(*) FROM {table} WHERE {column} LIKE 'leaver%'")).scalar()
            assert rest == 0, table
    off = opened(without=("leaver",))
    with off.session("li.wei") as session:
        session.get(Account, company.ids["Beta"]).name = "Beta 2"
    crm = opened(check=False)
    restore(crm, folder)
    [job] = [each for each in crm.store.queue.find() if each.id == waiting]
    assert job.arguments == {"where": "欧洲"}
    [told] = crm.deliver()
    assert told.change_sets == 1, "the new name, which was committed meanwhile"


def test_a_running_job_is_waited_for(company: Company, tmp_path: Path) -> None:
    with company.crm.system_session("test") as session:
        company.crm.store.queue.put(session, "leaver.sweep", {})
    assert company.crm.store.queue.take("somebody", company.crm.build.jobs) is not None
    with pytest.raises(Conflict, match="Jobs of the plugin leaver are running"):
        removed(company, tmp_path)
    assert len(tables(company.crm)) == 5


def test_bytes_of_a_table_that_is_no_record_are_kept(company: Company, opened: Opened, tmp_path: Path) -> None:
    kind = "BLOB" if company.crm.store.dialect == "sqlite" else "BYTEA"
    with company.crm.store.engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE leaver__cache (key VARCHAR(9), body {kind})"))
        connection.execute(text("INSERT INTO leaver__cache VALUES ('a', :body)"), {"body": b"\x00\xff"})
    folder = removed(company, tmp_path)
    assert (folder / "rows" / "leaver__cache.jsonl").read_text(encoding="utf-8") == (
        '{"key":"a","body":{"$bytes":"AP8="}}\n'
    )
    assert tables(company.crm) == []


def test_no_job_comes_into_the_queue_unseen_while_the_plugin_goes(company: Company, tmp_path: Path) -> None:
    if company.crm.store.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    refused = []

    def enqueue(what: str, name: str, count: int) -> None:
        if what == "remove":
            with company.crm.store.engine.connect() as other:
                other.execute(text("SET lock_timeout = '50ms'"))
                try:
                    other.execute(text("UPDATE crm_job SET name = 'leaver.late'"))
                except OperationalError as error:
                    refused.append(str(error.orig))

    remove(company.crm, plan_removal(company.crm, "leaver", tmp_path / "out"), enqueue)
    assert len(refused) == 1
    assert "lock timeout" in refused[0]


def test_what_a_file_that_is_extended_says_of_the_plugin_is_in_the_way(company: Company, tmp_path: Path) -> None:
    base, own = tmp_path / "base.toml", tmp_path / "crm.toml"
    base.write_text(
        '[plugins.leaver]\noften = 4\n[roles.clerk.permissions]\n"leaver.visit.update" = "own"\n'
        '[custom_fields."leaver.visit"]\nnick = {kind = "text"}\n',
        encoding="utf-8",
    )
    own.write_text(
        "extends = 'base.toml'\n[crm]\nplugins = ['leaver']\n[plugins.leaver]\noften = 5\n", encoding="utf-8"
    )
    plan = plan_removal(company.crm, "leaver", tmp_path / "out", file=own)
    assert sorted(each.path for each in plan.obstacles) == sorted(
        f"{base}: {path}"
        for path in ("plugins.leaver", 'custom_fields."leaver.visit"', 'roles.clerk.permissions."leaver.visit.update"')
    )
    with pytest.raises(BuildError, match="It speaks of the plugin"):
        remove(company.crm, plan)
    assert len(tables(company.crm)) == 5
    base.write_text("[crm]\nname = 'Base'\n", encoding="utf-8")
    assert plan_removal(company.crm, "leaver", tmp_path / "out", file=own).obstacles == ()


def test_a_database_without_tables_says_so(opened: Opened) -> None:
    crm = opened(check=False)
    crm.store.engine.connect().close()
    with pytest.raises(MigrationError, match="Run crm migrate"):
        plan_removal(crm, "leaver")
