"""``crm restore``: what was saved is there again, or nothing has changed."""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from crm_core import Crm
from crm_core.assembly import assemble
from crm_core.builds.backing_up import backup
from crm_core.builds.restoring import check_backup, restore
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.errors import StoreError
from crm_core.store.copies import Facts, differences
from crm_core.store.engine import open_engine

from .conftest import NAMES, contents


@pytest.fixture
def saved(build_file, tmp_path) -> Path:
    return backup(assemble(build_file), tmp_path / "saved.zip").file


def address_of(build_file: Path) -> str:
    return assemble(build_file).file.database


def names(build_file: Path, database: str) -> set[str]:
    with Crm.open(build_file, database=database) as crm, crm.system_session("look", read_only=True) as session:
        return {each.name for each in session.list(Account, limit=None)}


def test_a_new_database_holds_what_was_saved(build_file, saved, other_database):
    restore(saved, other_database)
    assert differences(contents(address_of(build_file)), contents(other_database)) == []
    assert names(build_file, other_database) == set(NAMES)


def test_work_goes_on_in_it(build_file, saved, other_database):
    restore(saved, other_database)
    with Crm.open(build_file, database=other_database) as crm:
        with crm.system_session("after", reason="new work") as session:
            added = session.add_one(Account(name="After")).id
            known = {each.id for each in session.list(Account, 'name != "After"', limit=None)}
            assert added not in known
        with crm.system_session("look", read_only=True) as session:
            assert [hit.record_id for hit in session.search("海尔")]


def test_a_database_that_is_not_empty_is_refused(build_file, saved, other_database):
    restore(saved, other_database)
    add(build_file, other_database, "Later")
    with pytest.raises(StoreError, match="not empty") as found:
        restore(saved, other_database)
    assert "--force" in found.value.text()
    assert "Later" in names(build_file, other_database)


def test_by_force_it_is_replaced_whole(build_file, saved, other_database):
    restore(saved, other_database)
    add(build_file, other_database, "Later")
    engine = open_engine(other_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE of_somebody_else (id INTEGER PRIMARY KEY, note TEXT)"))
        connection.execute(text("INSERT INTO of_somebody_else VALUES (1, 'x')"))
    engine.dispose()
    restore(saved, other_database, force=True)
    assert names(build_file, other_database) == set(NAMES)
    assert differences(contents(address_of(build_file)), contents(other_database)) == []


def add(build_file: Path, database: str, name: str) -> None:
    with Crm.open(build_file, database=database) as crm, crm.system_session("test", reason="later") as session:
        session.add_one(Account(name=name))


# -- what is not right with the file ---------------------------------------------------------------------------


def damage(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "cut off":
        content = content[: len(content) * 2 // 3]
    elif how == "empty":
        content = bytearray()
    elif how == "one bit":
        with zipfile.ZipFile(file) as archive:
            info = max(archive.infolist(), key=lambda each: each.compress_size)
        content[info.header_offset + 200 + info.compress_size // 2] ^= 4
    elif how == "another file":
        content = bytearray(b"PK\x03\x04 and so on")
    file.write_bytes(content)


@pytest.mark.parametrize("how", ["cut off", "empty", "one bit", "another file"])
def test_a_damaged_file_is_refused_and_says_what_to_do(saved, other_database, how):
    damage(saved, how)
    for attempt in (lambda: restore(saved, other_database), lambda: check_backup(saved)):
        with pytest.raises(StoreError, match="damaged, or no backup") as found:
            attempt()
        assert "older backup" in found.value.text()


def test_a_file_that_was_exchanged_inside_is_refused(saved, tmp_path, other_database):
    """The zip is in order, so only our sums notice."""
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(changed, "w") as to:
        for info in archive.infolist():
            content = archive.read(info)
            to.writestr(info, content.replace(b"# This comment stays.", b"# This comment left.."))
    with pytest.raises(StoreError, match=r"crm\.toml is not what was written"):
        restore(changed, other_database)


def test_other_zip_files_and_later_formats_are_refused(saved, tmp_path, other_database):
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(StoreError, match="no backup of a CRM"):
        restore(other, other_database)
    with pytest.raises(StoreError, match="There is no file"):
        restore(tmp_path / "none.zip", other_database)
    import hashlib

    later = tmp_path / "later.zip"
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(later, "w") as to:
        manifest = archive.read("manifest.json").replace(b'"format": 1', b'"format": 9')
        sums = archive.read("SHA256SUMS").decode().splitlines()
        for name in archive.namelist():
            if name == "manifest.json":
                to.writestr(name, manifest)
            elif name == "SHA256SUMS":
                new = hashlib.sha256(manifest).hexdigest() + "  manifest.json"
                to.writestr(name, "\n".join(new if each.endswith("manifest.json") else each for each in sums))
            else:
                to.writestr(name, archive.read(name))
    with pytest.raises(StoreError, match="has the format 9"):
        restore(later, other_database)


def test_a_backup_goes_into_its_own_kind_of_database(saved, request, tmp_path, postgresql_server):
    postgresql = request.config.getoption("postgresql")
    other = f"sqlite:///{tmp_path / 'x.db'}" if postgresql else postgresql_server.url("postgres")
    with pytest.raises(StoreError, match="export and import"):
        restore(saved, other)


# -- interruptions ---------------------------------------------------------------------------------------------

SCRIPT = (
    "from pathlib import Path\nfrom crm_core.builds.restoring import restore\n"
    "restore(Path({file!r}), {database!r}, force=True)"
)


@pytest.mark.parametrize("existing", [False, True])
def test_whoever_is_killed_has_changed_nothing(request, build_file, saved, other_database, killed, existing):
    if existing:
        restore(saved, other_database)
        add(build_file, other_database, "Later")
    where = (
        "crm_core.store.copies.rebuilding._ending" if request.config.getoption("postgresql")
        else "crm_core.store.copies.sqlite.os.replace"
    )  # fmt: skip
    before = dict(contents(other_database)) if existing else None
    killed(where, SCRIPT.format(file=str(saved), database=other_database))
    if before is not None:
        assert differences(before, contents(other_database)) == []
        assert "Later" in names(build_file, other_database)
    restore(saved, other_database, force=True)
    assert names(build_file, other_database) == set(NAMES)


def test_a_full_disk_changes_nothing(build_file, saved, other_database, monkeypatch):
    restore(saved, other_database)
    add(build_file, other_database, "Later")

    def full(*_given, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("crm_core.builds.archives.Archive.extract", full)
    with pytest.raises(StoreError, match="no room on the disk"):
        restore(saved, other_database, force=True)
    assert "Later" in names(build_file, other_database)


def test_what_does_not_hold_what_was_saved_is_not_put_there(build_file, saved, other_database, monkeypatch):
    """As if the database had lost a row on the way: noticed before anybody sees it."""
    restore(saved, other_database)
    add(build_file, other_database, "Later")
    from crm_core.builds import restoring
    from crm_core.store.copies import Content

    def wrong(file, *_given, read=restoring.archives.read):
        import attrs

        archive = read(file)
        tables = dict(archive.manifest.tables)
        rows = tables["crm_contact"].rows + 1
        tables["crm_contact"] = Content(rows, tables["crm_contact"].sha256, tables["crm_contact"].columns)
        return attrs.evolve(archive, manifest=attrs.evolve(archive.manifest, tables=tables))

    monkeypatch.setattr(restoring.archives, "read", wrong)
    with pytest.raises(StoreError, match="crm_contact"):
        restore(saved, other_database, force=True)
    assert "Later" in names(build_file, other_database)


def test_what_a_restore_that_was_killed_has_left_is_tidied_up(
    request, build_file, saved, other_database, tmp_path, monkeypatch
):
    if not request.config.getoption("postgresql"):
        pytest.skip("on SQLite it lies beside the file")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone, used = tmp_path / ".crm-restore.part-gone", tmp_path / ".crm-restore.part-used"
    for folder in (gone, used):
        folder.mkdir()
        (folder / "in-use").touch()
        (folder / "database.dump").write_text("customers", encoding="utf-8")
    with (used / "in-use").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        restored = restore(saved, other_database)
    assert [each.path for each in restored.left] == [str(gone)]
    assert [each.name for each in tmp_path.glob(".crm-restore*")] == [used.name]


def test_a_sqlite_file_in_use_is_not_replaced(request, build_file, saved, other_database):
    if request.config.getoption("postgresql"):
        pytest.skip("about SQLite")
    restore(saved, other_database)
    file = Path(str(make_url(other_database).database))
    with Crm.open(build_file, database=other_database) as crm, crm.system_session("look") as session:
        assert session.count(Account) == 4
        with pytest.raises(StoreError, match="in use"):
            restore(saved, other_database, force=True)
        assert session.count(Account) == 4
    restore(saved, other_database, force=True)
    assert [each.name for each in file.parent.iterdir() if each.name.startswith("other.db")] == ["other.db"]


def test_a_broken_sqlite_file_is_replaced_by_force(request, build_file, saved, other_database):
    if request.config.getoption("postgresql"):
        pytest.skip("about SQLite")
    file = Path(str(make_url(other_database).database))
    restore(saved, other_database)
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * 4096 + content[8192:])
    file.chmod(0o640)
    restore(saved, other_database, force=True)
    assert names(build_file, other_database) == set(NAMES)
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("how", ["no database", "no header", "cut"])
def test_whatever_is_left_of_a_sqlite_file_is_replaced_by_force_alone(request, build_file, saved, other_database, how):
    if request.config.getoption("postgresql"):
        pytest.skip("about SQLite")
    file = Path(str(make_url(other_database).database))
    restore(saved, other_database)
    content = file.read_bytes()
    damaged = {"no database": b"\xa5" * 300_000, "no header": bytes(100) + content[100:],
               "cut": content[: len(content) // 3 + 7]}[how]  # fmt: skip
    file.write_bytes(damaged)
    with pytest.raises(StoreError, match="is not empty") as found:
        restore(saved, other_database)
    assert "--force" in found.value.text()
    assert file.read_bytes() == damaged
    restore(saved, other_database, force=True)
    assert names(build_file, other_database) == set(NAMES)


def test_a_link_to_a_sqlite_file_stays_one(request, build_file, saved, other_database, tmp_path):
    if request.config.getoption("postgresql"):
        pytest.skip("about SQLite")
    link, real = Path(str(make_url(other_database).database)), tmp_path / "elsewhere" / "real.db"
    real.parent.mkdir()
    link.symlink_to(real)
    for _ in range(2):
        restore(saved, other_database, force=True)
        assert link.is_symlink()
        assert names(build_file, f"sqlite:///{real}") == set(NAMES)


def test_schemas_of_a_postgresql_database_are_replaced_by_force(request, build_file, saved, tmp_path, other_database):
    if not request.config.getoption("postgresql"):
        pytest.skip("about PostgreSQL")
    reports = (
        "CREATE SCHEMA reports",
        "CREATE TABLE reports.monthly (total int)",
        "INSERT INTO reports.monthly VALUES (7)",
    )
    run(address_of(build_file), *reports)
    restore(saved, other_database)
    with_schema = backup(assemble(build_file), tmp_path / "with-schema.zip").file
    run(other_database, "CREATE SCHEMA mine", "CREATE TABLE mine.own (id int)", *reports, "DELETE FROM reports.monthly")
    restore(with_schema, other_database, force=True)
    assert run(other_database, "SELECT total FROM reports.monthly") == [(7,)]
    assert run(other_database, "SELECT 1 FROM pg_namespace WHERE nspname = 'mine'") == []
    assert names(build_file, other_database) == set(NAMES)


# -- what a new place makes necessary --------------------------------------------------------------------------


def run(address: str, *statements: str) -> list[tuple]:
    engine = open_engine(address)
    try:
        with engine.begin() as connection:
            rows: list[tuple] = []
            for statement in statements:
                answer = connection.execute(text(statement))
                rows = [tuple(row) for row in answer] if answer.returns_rows else rows
            return rows
    finally:
        engine.dispose()


def test_ids_begin_above_all_that_are_used(request, build_file, tmp_path, other_database):
    address = address_of(build_file)
    postgresql = request.config.getoption("postgresql")
    run(address, "SELECT setval('crm_id_seq', 1, false)" if postgresql else "UPDATE crm_id_block SET next = 1")
    file = backup(assemble(build_file), tmp_path / "low.zip").file
    restore(file, other_database)
    with Crm.open(build_file, database=other_database) as crm, crm.system_session("after") as session:
        highest = max(each.id for record in (Account, Contact) for each in session.list(record, limit=None))
        assert session.add_one(Account(name="After")).id > highest


@pytest.mark.parametrize("elsewhere", [False, True])
def test_on_another_server_nobody_misses_a_change_set(
    request, build_file, tmp_path, other_database, monkeypatch, elsewhere
):
    """Positions are transaction numbers, which mean nothing to another server."""
    if not request.config.getoption("postgresql"):
        pytest.skip("about PostgreSQL")
    address = address_of(build_file)
    for number in range(4):
        add(build_file, address, f"More {number}")
    sets = [row[0] for row in run(address, "SELECT id FROM crm_change_set ORDER BY id")]
    # The first of the last three was committed last, and the consumer has seen all but that.
    late, *seen = sets[-3:]
    far = 10**9
    run(
        address,
        f"UPDATE crm_change_set SET xid = {far}, place = {far} WHERE id = {late}",
        "INSERT INTO crm_feed_position (consumer, place, change_set_id, failures, put_aside) "
        f"SELECT 'mine', place, id, 0, 0 FROM crm_change_set WHERE id = {seen[-1]}",
    )
    run(address, f"INSERT INTO crm_last_look VALUES (1, 'today', now(), '{far}:{far}:')")
    file = backup(assemble(build_file), tmp_path / "a.zip").file
    if elsewhere:
        from crm_core.store.copies import postgresql

        monkeypatch.setattr(postgresql, "facts_of", lambda _connection: Facts("postgresql", "15", "another"))
    restore(file, other_database)
    with Crm.open(build_file, database=other_database) as crm:
        if elsewhere:
            told = [change_set.id for _, change_set in crm.store.feed_next("mine", 100)]
            assert told[0] == late
            add(build_file, other_database, "New")
            told = [change_set.id for _, change_set in crm.store.feed_next("mine", 100)]
            assert told[: len(seen) + 1] == [late, *seen]
            assert len(told) == len(seen) + 2
            assert run(other_database, "SELECT seen FROM crm_last_look") == [("",)]
        else:
            assert run(other_database, "SELECT seen FROM crm_last_look") == [(f"{far}:{far}:",)]
            assert run(other_database, f"SELECT xid FROM crm_change_set WHERE id = {late}") == [(far,)]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_parts_of_the_journal_come_along(request, build_file, tmp_path, other_database, monkeypatch, elsewhere):
    if not request.config.getoption("postgresql"):
        pytest.skip("about PostgreSQL")
    from crm_core.store.partitions import keeping
    from crm_core.store.partitions.attaching import attach
    from crm_core.store.partitions.detaching import detach
    from crm_core.store.partitions.listing import parts

    address = address_of(build_file)
    with Crm.open(build_file, database=address) as crm:
        assert keeping.begin(crm.store).begun == 1
    add(build_file, address, "In the second part")
    run(
        address,
        "INSERT INTO crm_feed_position (consumer, place, change_set_id, failures, put_aside) "
        "SELECT 'told', place, id, 0, 0 FROM crm_change_set ORDER BY place DESC, id DESC LIMIT 1",
    )
    with Crm.open(build_file, database=address) as crm:
        detach(crm.store, dt.datetime.now(dt.UTC))
        held = [(each.number, each.state, each.change_sets, each.changes) for each in parts(crm.store)]
    assert [state for _, state, _, _ in held] == ["kept", "current", "empty", "default"]
    file = backup(assemble(build_file), tmp_path / "a.zip").file
    if elsewhere:
        from crm_core.store.copies import postgresql

        monkeypatch.setattr(postgresql, "facts_of", lambda _connection: Facts("postgresql", "15", "another"))
    restore(file, other_database)
    with Crm.open(build_file, database=other_database) as crm:
        assert [(each.number, each.state, each.change_sets, each.changes) for each in parts(crm.store)] == held
        assert attach(crm.store, 0).changes == held[0][3]
        assert crm.store.feed_next("told", 100) == []
    add(build_file, other_database, "Afterwards")
    with Crm.open(build_file, database=other_database) as crm:
        assert len(crm.store.feed_next("told", 100)) == 1


# -- the command -----------------------------------------------------------------------------------------------


def test_the_command(crm, saved, build_file, other_database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no build file is needed
    ended = crm("restore", str(saved), "--check")
    assert (ended.code, "is whole: Rehearsal" in ended.out) == (0, True)
    ended = crm("restore", str(saved), "--to", other_database, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["manifest"]["tables"]["crm_account"]["rows"] == 4
    assert "not empty" in crm("restore", str(saved), "--to", other_database, code=10).err
    ended = crm("restore", str(saved), "--to", other_database, "--force")
    assert (ended.code, "Restored into" in ended.out) == (0, True)
    crm("restore", str(saved), code=2)
    crm("restore", str(saved), "--check", "--to", other_database, code=2)


def test_a_password_in_the_address_is_not_shown(crm, saved, request, other_database):
    if not request.config.getoption("postgresql"):
        pytest.skip("about PostgreSQL")
    address = other_database.replace("postgres@", "postgres:geheim@")
    ended = crm("restore", str(saved), "--to", address)
    assert ended.code == 0, ended.err
    assert "geheim" not in ended.out + ended.err


def test_a_sqlite_database_without_our_tables_is_saved_too(tmp_path):
    from crm_core.store.copies import opened, target

    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE t (a, b)")
        connection.execute("INSERT INTO t VALUES (x'ff', 1.5), (CAST(x'ff' AS TEXT), NULL)")
        connection.commit()
    with opened(f"sqlite:///{tmp_path / 'a.db'}") as source:
        held = source.contents()
        to = target(f"sqlite:///{tmp_path / 'b.db'}")
        with to.workplace() as workplace:
            source.write(workplace.folder / "copy")
            to.put(workplace.folder / "copy", held, source.facts)
    assert held["t"].rows == 2
    assert contents(f"sqlite:///{tmp_path / 'b.db'}") == held
