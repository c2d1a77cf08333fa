"""No text of a statement is built from what somebody gives: hostile names and values are values, or are refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from crm_core import Account, Crm, Manifest, ownership
from crm_core.assembly import assemble
from crm_core.builds.backing_up import backup
from crm_core.builds.restoring import check_backup, restore
from crm_core.errors import CrmError, StoreError, ValidationError
from crm_core.store.copies import opened
from crm_core.store.copies.contents import Content
from crm_core.store.copies.rebuilding import _block, _ending
from crm_core.store.leaving import exported
from crm_core.store.migrating.versions import current

NAMES = (
    "x'; DROP TABLE crm_account; --", 'x"; DROP TABLE crm_account; --', "x`; --", "x); DELETE FROM crm_account; --",
    "$crm$; DROP TABLE crm_account; --", "$crm$$crm1$", "%s %(x)s %%", "{x} {{x}} {0}", ":x ::text", "x\\'; --",
    "\\! id", "?1", "名;称", "x" * 200, "x\ny", "x y", "select", "", "\x00", "a.b.c", "a__b", "../x", "*",
)  # fmt: skip
TABLES = tuple(name for name in NAMES if name and "\x00" not in name and len(name) < 60 and "\n" not in name)


@pytest.fixture
def crm(database_url: str, fill_database: Any) -> Iterator[Crm]:
    fill_database(_fill)
    with Crm.open({"custom_fields": CUSTOM}, database=database_url) as opened_crm:
        yield opened_crm


CUSTOM = {"account": {"club": {"kind": "text"}, "score": {"kind": "number"}, "labels": {"kind": "tags"}}}


def _fill(url: str) -> None:
    with Crm.open({"custom_fields": CUSTOM}, database=url, check=False) as made:
        made.migrate()
        with made.system_session("test") as session:
            for name in NAMES:
                if name and "\x00" not in name:
                    account = Account(name=name, industry=name[:80], tags=frozenset({name[:40]}))
                    account.custom = {"club": name, "labels": [name[:40]]}
                    session.add(account)


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


@pytest.mark.parametrize("name", [name for name in NAMES if name and "\x00" not in name])
def test_values_are_found_as_they_are(crm: Crm, name: str) -> None:
    with crm.system_session("test", read_only=True) as session:
        for where in (
            f"name == {_quoted(name)}", f"custom.club == {_quoted(name)}", f"club == {_quoted(name)}",
            f"industry in ({_quoted(name[:80])},)", f"startswith(name, {_quoted(name)}) and name == {_quoted(name)}",
        ):  # fmt: skip
            try:
                found = session.list(Account, where)
            except CrmError:
                continue  # another spelling of the same field
            assert [each.name for each in found] == [name], where
        with contextlib.suppress(ValidationError):  # it may say too little
            session.search(name)
        assert session.count(Account) == len([each for each in NAMES if each and "\x00" not in each])


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_none_are_refused_or_mean_nothing(crm: Crm, name: str) -> None:
    with crm.system_session("test", read_only=True) as session:
        everything = session.count(Account)
        for ask in (
            lambda: session.list(Account, f"{name} == 1"),
            lambda: session.list(Account, f"custom.{name} == 'a'"),
            lambda: session.list(Account, name or "("),
            lambda: session.list(Account, order=name or "("),
            lambda: session.list(Account, order=f"name, {name or '('} desc"),
        ):
            with pytest.raises((CrmError, TypeError)):
                ask()
        assert session.count(Account) == everything


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("select",)])
def test_a_build_takes_no_such_names(name: str) -> None:
    for config in (
        {"custom_fields": {"account": {name: {"kind": "text"}}}},
        {"custom_fields": {name: {"a": {"kind": "text"}}}},
        {"crm": {"plugins": [name]}},
        {"drivers": {"search": name}},
        {"duties": {"a": {"record": name}}},
        {"duties": {"a": {"record": "account", "where": f"{name} =="}}},
        {"pools": {"a": {"where": f"{name} =="}}},
        {"merge": {"account": {name: "keep"}}},
    ):
        with pytest.raises(CrmError):
            assemble(config)
    if len(name) < 200:  # a long one is refused as soon as it has tables
        with pytest.raises((CrmError, ValueError)):
            Manifest(name=name, version="1.0", crm_core=">=0.1", module="x")


def test_role_and_pool_names_are_only_values(database_url: str) -> None:
    """A build may name them freely: what it names reaches the database as a value."""
    config = {"roles": {name: {"permissions": {"*.read": "own"}} for name in NAMES if name and "\x00" not in name}}
    with Crm.open(config, database=database_url, check=False) as crm:
        crm.migrate()
        from crm_core import Unit, User, organisation

        with crm.system_session("test") as session:
            unit, user = session.add_one(Unit(name="U")), session.add_one(User(login="u", name="U"))
            acme = session.add_one(Account(name="Acme"))
            ownership.assign(session, acme, to="u", since_always=True)
            kept = 0
            for name in config["roles"]:
                try:
                    organisation.join(session, user, unit, role=name, since_always=True)
                    kept += 1
                except CrmError:
                    continue  # longer than a role may be
            assert kept > 10
        with crm.session("u", read_only=True) as session:
            assert [each.name for each in session.list(Account)] == ["Acme"]


# -- what comes with a backup ----------------------------------------------------------------------------------


def test_hostile_names_of_tables_are_saved_and_come_back(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgresql = request.config.getoption("postgresql")
    file = tmp_path / "crm.toml"
    file.write_text(f"[crm]\ndatabase = '{database_url}'\n", encoding="utf-8")
    with Crm.open(file, check=False) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            session.add(Account(name="Acme"))
    engine = create_engine(crm.store.engine.url)
    with engine.begin() as connection:
        quote = connection.dialect.identifier_preparer.quote_identifier
        for number, name in enumerate(TABLES):
            statement = f"CREATE TABLE {quote(name)} ({quote(name[::-1])} integer)"
            raw = connection.connection.driver_connection
            assert raw is not None
            if postgresql:
                raw.execute(statement.replace("%%", "%").encode())
                raw.execute(f"INSERT INTO {quote(name)} VALUES ({number})".replace("%%", "%").encode())
            else:
                raw.execute(statement)
                raw.execute(f"INSERT INTO {quote(name)} VALUES ({number})")
    there = set(inspect(engine).get_table_names())
    engine.dispose()
    assert set(TABLES) <= there

    saved = backup(assemble(file), tmp_path / "a.zip")
    check_backup(saved.file)
    with opened(database_url) as source:
        before = source.contents()
    names = {f"public.{name}" if postgresql and "." in name else name for name in TABLES}
    assert {name: before[name].rows for name in names} == dict.fromkeys(names, 1)
    restore(saved.file, database_url, force=True)
    with opened(database_url) as source:
        assert source.contents() == before


@pytest.mark.parametrize("name", ["x$crm$; DROP TABLE a; --", "$crm$$crm1$", "$crm2$.$crm$"])
def test_quotes_around_statements_do_not_stand_in_names(name: str) -> None:
    for statement in _ending({name: Content(1, "0" * 64, (name,)), "crm_record_type": Content(1, "0" * 64, ())}, True):
        if statement.startswith("DO "):
            quotes = statement.split()[1]
            assert statement.count(quotes) == 2 and statement.endswith(f"{quotes};")
    assert _block("a $crm$ b $crm1$ c").split()[1] == "$crm2$"


def test_a_table_that_looks_like_a_version_is_none(crm: Crm, database_url: str) -> None:
    before = current(crm.store.engine)
    engine = create_engine(crm.store.engine.url)
    with engine.begin() as connection:
        connection.execute(
            text("""CREATE TABLE "crm_version_x' AS a; DROP TABLE crm_account; --" (version_num integer)""")
        )
        connection.execute(text('CREATE TABLE "crm_version_A B" (other integer)'))
    engine.dispose()
    assert current(crm.store.engine) == before
    with crm.system_session("test", read_only=True) as session:
        assert session.count(Account) > 10


# -- what comes with the export of a plugin --------------------------------------------------------------------


def _folder(folder: Path, **changed: Any) -> Path:
    table = {"table": "leaver__tie", "record": None, "file": "rows/a.jsonl", "rows": 0, "sha256": "", "columns": []}
    table |= {name: value for name, value in changed.items() if name in table}
    content = {
        "format": exported.FORMAT, "plugin": "leaver", "distribution": None, "version": None, "revision": "0001",
        "dialect": "sqlite", "at": "2026-01-01T00:00:00+00:00", "tables": [table], "references": [], "types": [],
        "consumer": None, "jobs": [], "records": {}, "mapping": None,
    }  # fmt: skip
    content |= {name: value for name, value in changed.items() if name not in table}
    folder.mkdir(exist_ok=True)
    (folder / "rows").mkdir(exist_ok=True)
    (folder / exported.NAME).write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "changed",
    [
        {"table": "crm_user"}, {"table": "crm_account"}, {"table": "leaver"}, {"table": 'x"; DROP TABLE a; --'},
        {"file": "../../other.jsonl"}, {"file": "/etc/passwd"}, {"file": "rows/../../x"}, {"file": "C:\\x"},
        {"file": "rows\\..\\x"}, {"file": ""}, {"file": "link/x"}, {"plugin": "x'; --"}, {"plugin": "crm_user"},
    ],
)  # fmt: skip
def test_a_changed_export_reaches_no_other_table_and_no_other_file(tmp_path: Path, changed: dict[str, Any]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="speaks of what is not the plugin's"):
        exported.read(_folder(tmp_path / "out", **changed))


def test_an_export_as_it_was_written_is_read(tmp_path: Path) -> None:
    assert exported.read(_folder(tmp_path / "out")).plugin == "leaver"


# -- exemptions ------------------------------------------------------------------------------------------------

PUT_TOGETHER = {
    "crm_core/exchange/seen.py": "question marks, as many as there are keys",
    "crm_core/store/bulk.py": "declared names, quoted",
    "crm_core/store/copies/contents.py": "names from the schema, quoted",
    "crm_core/store/copies/postgresql.py": "names from the schema, quoted",
    "crm_core/store/copies/rebuilding.py": "names from a manifest, quoted; numbers and sums that were checked",
    "crm_core/store/copies/sqlite.py": "names from the schema, quoted",
    "crm_core/store/dependants.py": "a name from the catalogue, quoted",
    "crm_core/store/duplicates.py": "texts of its own",
    "crm_core/store/leaving/bringing.py": "names of the plugin's own tables, which were checked, quoted",
    "crm_core/store/migrating/versions.py": "names of plugins, which were checked",
    "crm_core/store/partitions/keeping.py": "names of its own and numbers",
    "crm_core/store/partitions/attaching.py": "names of its own and numbers",
    "crm_core/store/partitions/detaching.py": "names of its own and numbers",
    "crm_core/store/partitions/moving.py": "names of its own and numbers",
    "crm_core/store/partitions/listing.py": "names of its own and numbers",
    "crm_core/store/search/fts5.py": "a name of its own",
    "crm_core/store/search/trigram.py": "a name of its own",
    "crm_core/testing/conformance/checks/leaving_removed.py": "a name from the schema, quoted",
    "crm_core/testing/conformance/schema.py": "a name from the schema, quoted",
}
"""Where statements are put together from texts, and what the texts are."""


def test_where_statements_are_put_together_is_known() -> None:
    """A new exemption from the rule against it has to be thought about, and written down here."""
    root = Path(__file__).parents[2]
    files = [*root.glob("crm_core/**/*.py"), *root.glob("plugins/*/crm_*/**/*.py")]
    found = {file.relative_to(root).as_posix() for file in files if "S608" in file.read_text(encoding="utf-8")}
    assert found == PUT_TOGETHER.keys()
