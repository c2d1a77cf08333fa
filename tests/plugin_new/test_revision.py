"""``crm plugin revision``: what the records declare becomes the next revision, without a line of Python."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from crm_core.authoring import new_plugin, next_revision
from crm_core.errors import MigrationError, NotFound

from .test_from_a_table import RUN


@pytest.fixture
def shelves(tmp_path, in_project):
    """A new plugin, and a way to run ``crm`` where it is installed."""
    folder = tmp_path / "crm-shelves"
    new_plugin("shelves", folder)

    def crm(*arguments, code=0):
        done = in_project(folder, "-c", RUN, *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return folder, crm


def declare(folder, old, new):
    records = folder / "crm_shelves" / "records.py"
    text = records.read_text(encoding="utf-8")
    assert old in text
    records.write_text(text.replace(old, new), encoding="utf-8")


def test_the_next_revision_is_written_from_the_records(shelves, tmp_path):
    folder, crm = shelves
    revisions = folder / "crm_shelves" / "migrations"
    before = sorted(path.name for path in revisions.glob("*.py"))
    refused = crm("plugin", "revision", "shelves", "-m", "No change", code=10)
    assert "already make all that it declares" in refused.stderr
    declare(folder, "    worth: ", "    height: Mapped[int] = number(0)\n    worth: ")
    shown = crm("plugin", "revision", "crm-shelves", "-m", "Measure them", "--dry-run")
    assert 'op.add_column("shelves__item", sa.Column("height"' in shown.stdout
    assert "was not written" in shown.stdout
    assert "Answer what it asks where it raises NotImplementedError" in shown.stderr
    assert sorted(path.name for path in revisions.glob("*.py")) == before
    told = json.loads(crm("plugin", "revision", "shelves", "-m", "Measure them", "--json").stdout)
    file = revisions / "0002_measure_them.py"
    assert (told["file"], told["written"], told["code"]) == (str(file), True, file.read_text(encoding="utf-8"))
    lines = told["code"].splitlines(keepends=True)
    asks = next(number for number, line in enumerate(lines) if "raise NotImplementedError" in line)
    file.write_text("".join([*lines[:asks], *lines[asks + 3 :]]), encoding="utf-8")
    assert "already make all" in crm("plugin", "revision", "shelves", "-m", "Again", code=10).stderr


def test_what_may_be_a_new_name_is_pointed_at(shelves):
    folder, crm = shelves
    declare(folder, "    worth: ", "    value: ")
    said = crm("plugin", "revision", "shelves", "-m", "Another word", "--dry-run")
    assert "rename it instead, or the data are lost" in said.stderr
    assert "rename it instead" not in crm("plugin", "revision", "shelves", "-m", "x", "--dry-run", "--json").stderr


def test_the_first_one_is_written_into_a_folder_that_is_not_there_yet(shelves):
    import shutil

    folder, crm = shelves
    shutil.rmtree(folder / "crm_shelves" / "migrations")
    crm("plugin", "revision", "shelves", "-m", "First tables", "--dry-run")
    assert not (folder / "crm_shelves" / "migrations").exists()
    crm("plugin", "revision", "shelves", "-m", "First tables")
    assert (folder / "crm_shelves" / "migrations" / "0001_first_tables.py").is_file()


def test_what_has_no_folder_for_revisions_is_told_so(shelves):
    folder, crm = shelves
    manifest = folder / "crm_shelves" / "manifest.py"
    text = manifest.read_text(encoding="utf-8")
    assert 'migrations="migrations"' in text
    manifest.write_text(text.replace('migrations="migrations"', "migrations=None"), encoding="utf-8")
    assert 'Write migrations="migrations" in it' in crm("plugin", "revision", "shelves", "-m", "x", code=10).stderr


def test_a_plugin_that_is_not_installed_is_not_found():
    with pytest.raises(NotFound, match="did you mean stakeholders"):
        next_revision("stakeholder", "x")
    with pytest.raises(MigrationError, match="already make all"):
        next_revision("stakeholders", "x", dry_run=True)


def test_it_needs_to_be_said_what_it_changes():
    from crm_core.cli import Application
    from crm_core.cli.commands.plugin_revision import command

    ended = CliRunner().invoke(command, ["stakeholders"], obj=Application({}))
    assert ended.exit_code == 2
