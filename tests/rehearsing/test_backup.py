"""``crm backup``: one moment, whole, and read back; or no file at all."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import make_url

from crm_core import Crm
from crm_core.assembly import assemble
from crm_core.builds import archives
from crm_core.builds.backing_up import backup, without_password
from crm_core.builds.restoring import check_backup, restore
from crm_core.domain.accounts import Account
from crm_core.errors import StoreError
from crm_core.store.copies import differences, opened, programs

from .conftest import contents

SCRIPT = """
from pathlib import Path
from crm_core.assembly import assemble
from crm_core.builds.backing_up import backup
backup(assemble({build!r}), Path({file!r}))
"""


def test_it_holds_the_database_the_build_and_what_they_are(build_file, tmp_path):
    made = backup(assemble(build_file), tmp_path / "new" / "a.zip")
    manifest = made.archive.manifest
    assert (manifest.name, manifest.revisions, manifest.plugins["crm"].distribution) == (
        "Rehearsal 测试", {"crm": "0001"}, "crm-core",
    )  # fmt: skip
    assert manifest.tables["crm_account"].rows == 4
    assert "name" in manifest.tables["crm_account"].columns
    assert dict(manifest.tables) == dict(contents(assemble(build_file).file.database))
    assert made.archive.text("crm.toml") == build_file.read_text(encoding="utf-8")
    assert "[plugins.crm]" in made.archive.text("crm.lock")
    assert made.verified in {"opened", "restored"}
    assert (made.file.stat().st_mode & 0o777, made.size) == (0o600, made.file.stat().st_size)
    assert [each.name for each in made.file.parent.iterdir()] == ["a.zip"]


def test_the_lock_beside_the_build_file_is_taken(build_file, tmp_path):
    build_file.with_suffix(".lock").write_text("# mine\n", encoding="utf-8")
    made = backup(assemble(build_file, locked=False), tmp_path / "a.zip")
    assert made.archive.text("crm.lock") == "# mine\n"


def test_any_tool_can_check_it(build_file, tmp_path):
    backup(assemble(build_file), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "out")
    subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "out", check=True, capture_output=True)


def test_it_is_one_moment_while_others_write(build_file, tmp_path):
    """Whoever writes is not kept waiting for long, and nothing of what they write is half in it."""
    stop, written = threading.Event(), []

    def work() -> None:
        with Crm.open(build_file) as crm:
            while not stop.is_set():
                with crm.system_session("writer", reason="busy") as session:
                    session.add_one(Account(name=f"Busy {len(written)}"))
                    session.flush()
                    session.add_one(Account(name=f"Twin of busy {len(written)}"))
                written.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while len(written) < 3:
            assert thread.is_alive()
        before = len(written)
        made = backup(assemble(build_file), tmp_path / "a.zip")
        while len(written) < before + 3:
            assert thread.is_alive()
    finally:
        stop.set()
        thread.join()
    rows = made.archive.manifest.tables["crm_account"].rows
    assert (rows - 4) % 2 == 0, "half of a change set is in it"
    assert rows >= 4 + 2 * before
    check_backup(made.file)


def test_a_file_that_is_there_is_kept(build_file, tmp_path):
    file = tmp_path / "a.zip"
    file.write_text("last week's", encoding="utf-8")
    with pytest.raises(StoreError, match=r"There is a file .*a\.zip already"):
        backup(assemble(build_file), file)
    assert file.read_text(encoding="utf-8") == "last week's"


@pytest.mark.parametrize("then", ["a.zip", "tomorrow.zip"])
@pytest.mark.parametrize("where", ["crm_core.builds.archives.write", "crm_core.builds.backing_up.os.replace"])
def test_whoever_is_killed_leaves_no_file_and_the_next_run_tidies(build_file, tmp_path, killed, where, then):
    file = tmp_path / "backups" / "a.zip"
    file.parent.mkdir()
    killed(
        where,
        SCRIPT.format(build=str(build_file), file=str(file)),
    )
    assert not file.exists()
    assert len(list(file.parent.iterdir())) == 1
    made = backup(assemble(build_file), file.with_name(then))
    assert len(made.left) == 1
    assert [each.name for each in file.parent.iterdir()] == [then]
    check_backup(made.file)


def test_what_is_left_of_a_backup_that_was_whole_is_tidied_up_by_the_next(build_file, tmp_path, killed):
    file = tmp_path / "backups" / "a.zip"
    file.parent.mkdir()
    killed("crm_core.builds.backing_up.flush_folder", SCRIPT.format(build=str(build_file), file=str(file)))
    check_backup(file)
    assert len(list(file.parent.iterdir())) == 2
    backup(assemble(build_file), file.with_name("tomorrow.zip"))
    assert sorted(each.name for each in file.parent.iterdir()) == ["a.zip", "tomorrow.zip"]


def test_a_workplace_that_is_about_to_be_locked_is_left_alone(build_file, tmp_path):
    young = tmp_path / ".other.zip.part-young"
    young.mkdir()
    assert backup(assemble(build_file), tmp_path / "a.zip").left == ()
    (young / "in-use").touch()
    assert backup(assemble(build_file), tmp_path / "b.zip").left == ()
    assert young.is_dir()


def test_a_run_beside_it_is_left_alone(build_file, tmp_path, monkeypatch):
    inner = []

    def twice(*given, write=archives.write, **options):
        if not inner:
            inner.append(1)
            inner.append(backup(assemble(build_file), tmp_path / "a.zip"))
            (tmp_path / "a.zip").rename(tmp_path / "first.zip")
        return write(*given, **options)

    monkeypatch.setattr(archives, "write", twice)
    assert backup(assemble(build_file), tmp_path / "a.zip").left == ()
    assert inner[1].left == ()


@pytest.mark.parametrize("where", ["crm_core.builds.archives._pass_on", "crm_core.builds.backing_up.flush"])
def test_a_full_disk_leaves_no_file(build_file, tmp_path, monkeypatch, where):
    def full(*_given, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(where, full)
    with pytest.raises(StoreError, match="no room on the disk") as found:
        backup(assemble(build_file), tmp_path / "out" / "a.zip")
    assert "Make room" in found.value.text()
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_not_what_was_written_is_no_backup(build_file, tmp_path, monkeypatch):
    """A disk that loses a byte is noticed before the file has its name."""

    def losing(file, *_given, write=archives.read, **_options):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        return write(file)

    monkeypatch.setattr(archives, "read", losing)
    with pytest.raises(StoreError, match="damaged"):
        backup(assemble(build_file), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_copy_with_a_changed_row_is_noticed(build_file, tmp_path, monkeypatch):
    address = assemble(build_file).file.database
    with opened(address) as source:
        held = dict(source.contents())
        file = tmp_path / "copy"
        source.write(file)
        assert source.verify(file, held) in {"opened", "restored"}
        first = held["crm_account"]
        held["crm_account"] = type(first)(first.rows, "0" * 64, first.columns)
        with pytest.raises(StoreError, match="crm_account"):
            source.verify(file, held)


def test_the_hash_tells_rows_apart_and_not_their_order(build_file):
    address = assemble(build_file).file.database
    before = contents(address)
    with Crm.open(build_file) as crm, crm.system_session("test") as session:
        session.add_one(Account(name="One more"))
    with Crm.open(build_file) as crm, crm.system_session("test") as session:
        session.delete(session.list(Account, 'name == "Plain"')[0])
    changed = {problem.path for problem in differences(before, contents(address))}
    assert {"crm_account", "crm_change", "crm_change_set"} <= changed
    assert "crm_user" not in changed


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("postgresql://crm:geheim@host/db", "postgresql://crm@host/db"),
        ("postgresql://crm:geheim@host/db?sslmode=require&sslpassword=geheim", "sslmode=require"),
        ("sqlite:///crm.db", "sqlite:///crm.db"),
    ],
)
def test_no_password_is_in_it(address, kept):
    text = f'# mine\n[crm]\nname = "A"\ndatabase = "{address}"  # there\n'
    found = without_password(text)
    assert "geheim" not in found
    assert kept in found
    assert "# mine" in found


def test_a_database_that_is_not_there(tmp_path):
    file = tmp_path / "crm.toml"
    file.write_text('[crm]\ndatabase = "sqlite:///none.db"\n', encoding="utf-8")
    with pytest.raises(StoreError, match=r"There is no database .*none\.db"):
        backup(assemble(file), tmp_path / "a.zip")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StoreError, match="no file"):
        backup(assemble(file), tmp_path / "a.zip", database="sqlite://")


def test_the_command(crm, build_file, tmp_path):
    ended = crm("--build", str(build_file), "backup", str(tmp_path / "a.zip"), "--json")
    assert ended.code == 0, ended.err
    assert ended.json["manifest"]["tables"]["crm_account"]["rows"] == 4
    assert ended.json["size"] == (tmp_path / "a.zip").stat().st_size
    ended = crm("--build", str(build_file), "backup", str(tmp_path / "b.zip"))
    assert "rows in" in ended.out
    assert "Wrote" in ended.out
    assert "already" in crm("--build", str(build_file), "backup", str(tmp_path / "b.zip"), code=10).err


# -- PostgreSQL alone ------------------------------------------------------------------------------------------


def test_the_password_is_on_no_command_line(postgresql_server, monkeypatch):
    url = make_url("postgresql+psycopg://crm:geheim@db.example:5433/acme?sslmode=require&application_name=x")
    env = programs.environment(url)
    assert (env["PGPASSWORD"], env["PGHOST"], env["PGPORT"], env["PGUSER"], env["PGDATABASE"], env["PGSSLMODE"]) == (
        "geheim", "db.example", "5433", "crm", "acme", "require",
    )  # fmt: skip
    assert env["PGAPPNAME"] == "x"
    with pytest.raises(StoreError, match="sslpassword"):
        programs.environment(url.update_query_dict({"sslpassword": "geheim"}))


def test_a_missing_program_says_what_to_install(monkeypatch):
    monkeypatch.setattr(programs, "_FOLDERS", ())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StoreError, match="pg_dump of that version is not installed") as found:
        programs.find("pg_dump", 15)
    assert "apt install postgresql-client-15" in found.value.text()


def test_a_program_of_another_version_does_not_count(tmp_path, monkeypatch):
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(programs, "_FOLDERS", (str(tmp_path),))
    assert programs.find("pg_dump", 9) == program
    with pytest.raises(StoreError, match="PostgreSQL 15"):
        monkeypatch.setenv("PATH", "")
        programs.find("pg_dump", 15)


def test_a_dump_ends_with_the_one_who_wanted_it(build_file, tmp_path):
    """Else it would go on for hours, into a file that the next run has tidied up."""
    address = assemble(build_file).file.database
    if not address.startswith("postgresql"):
        pytest.skip("about PostgreSQL")
    with opened(address) as source:
        version = f"pg_dump (PostgreSQL) {source.facts.version}"
    endless, told = tmp_path / "bin" / "pg_dump", tmp_path / "process"
    endless.parent.mkdir()
    endless.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec echo "{version}"\necho $$ > "{told}"\nexec cat /dev/zero\n',
        encoding="utf-8",
    )
    endless.chmod(0o755)
    script = f"from crm_core.store.copies import programs; programs._FOLDERS = [{str(endless.parent)!r}]\n"
    script += SCRIPT.format(build=str(build_file), file=str(tmp_path / "a.zip"))
    process = subprocess.Popen([sys.executable, "-c", script])
    while not told.exists() or not told.read_text(encoding="utf-8").endswith("\n"):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    status = Path("/proc") / told.read_text(encoding="utf-8").strip() / "stat"
    # Who has ended stays known until whoever inherited it asks.
    while status.exists() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.02)


@pytest.fixture
def poor_build(postgresql_server, tmp_path):
    """A database whose owner may not create others."""
    import psycopg

    name, role = f"poor_{os.getpid()}", f"poor_role_{os.getpid()}"
    server = postgresql_server
    with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"CREATE DATABASE {name} OWNER {role}")
    file = tmp_path / "crm.toml"
    address = server.url(name).replace("postgres@", f"{role}@")
    file.write_text(f'[crm]\ndatabase = "{address}"\n', encoding="utf-8")
    yield file
    with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP ROLE {role}")


def test_without_the_right_to_create_databases_the_check_is_weaker_and_says_so(crm, poor_build, tmp_path):
    from .conftest import fill

    fill(poor_build)
    ended = crm("--build", str(poor_build), "backup", str(tmp_path / "a.zip"))
    assert "a weaker check" in ended.out
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["tables"]["crm_account"]["rows"] == 4
    # Restored into a database of its own, by the same user, it is nevertheless whole.
    address = assemble(poor_build).file.database
    restored = restore(tmp_path / "a.zip", address, force=True)
    assert restored.archive.manifest.tables["crm_account"].rows == 4
    assert contents(address)["crm_account"] == restored.archive.manifest.tables["crm_account"]


def test_a_scratch_database_of_a_killed_run_is_dropped_by_the_next(build_file, tmp_path, killed, postgresql_server):
    address = assemble(build_file).file.database
    if not address.startswith("postgresql"):
        pytest.skip("about PostgreSQL")
    killed(
        "crm_core.store.copies.rebuilding._ending",
        SCRIPT.format(build=str(build_file), file=str(tmp_path / "a.zip")),
    )
    assert not (tmp_path / "a.zip").exists()
    assert len(scratches(postgresql_server, address)) == 1
    backup(assemble(build_file), tmp_path / "a.zip")
    assert scratches(postgresql_server, address) == []


def scratches(server, address: str) -> list[str]:
    """Those of one database: others may be at work on the same server, or may have been killed."""
    import psycopg

    query = """
        SELECT scratch.datname FROM pg_database AS own, pg_database AS scratch
         WHERE own.datname = %s AND starts_with(scratch.datname, 'crm_check_' || own.oid || '_')
    """
    with psycopg.connect(server.url("postgres").replace("+psycopg", "")) as connection:
        rows = connection.execute(query, (make_url(address).database,)).fetchall()
    return [row[0] for row in rows]
