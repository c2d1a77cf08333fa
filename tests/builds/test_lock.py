"""The lock: what a build was tried with, and whether it is what is here."""

from __future__ import annotations

import pytest

from crm_core import BuildError, Crm
from crm_core.assembly import assemble
from crm_core.assembly.lock import check_lock, lock_file, lock_of, read_lock, written

BUILD = '[crm]\nplugins = ["locked_one", "locked_two"]\ndatabase = "sqlite:///crm.db"\n'


@pytest.fixture
def build_file(tmp_path, install):
    install("locked_one")
    install("locked_two", "2.1")
    file = tmp_path / "crm.toml"
    file.write_text(BUILD, encoding="utf-8")
    return file


def test_it_names_versions_and_contents_and_no_address(build_file):
    build = assemble(build_file)
    lock = lock_of(build)
    text = written(lock)
    lock_file(build).write_text(text, encoding="utf-8")
    assert read_lock(lock_file(build)) == lock
    assert check_lock(build) == []
    assert {name: (each.version, each.distribution) for name, each in lock.plugins.items() if name != "crm"} == {
        "locked_one": ("1.0", "crm-locked-one"), "locked_two": ("2.1", "crm-locked-two"),
    }  # fmt: skip
    assert {"sqlalchemy", "attrs", "pluggy"} <= lock.libraries.keys()
    assert "://" not in text
    assert str(build_file.parent) not in text


def test_constraints_are_every_version_and_no_address(crm, build_file, tmp_path):
    from importlib import metadata

    file = tmp_path / "constraints.txt"
    crm("--build", build_file, "build", "lock", "--constraints", file, "--dry-run")
    assert not file.exists()
    told = crm("--build", build_file, "build", "lock", "--constraints", file, "--json").json
    assert told["constraints"] == str(file)
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines == sorted(lines)
    versions = dict(line.split("==") for line in lines)
    assert {"crm-core", "crm-locked-one", "sqlalchemy", "babel"} <= versions.keys()
    assert versions["crm-locked-two"] == "2.1"
    assert versions["sqlalchemy"] == metadata.version("sqlalchemy")


def test_each_difference_is_told(crm, build_file, install):
    crm("--build", build_file, "build", "lock")
    crm("--build", build_file, "build", "verify")
    install("locked_one", data="changed")
    install("locked_two", "2.2")
    found = crm("--build", build_file, "build", "verify", code=1)
    assert "locked_one: Its files are not those that were locked, though the version 1.0 is the same." in found.out
    assert "locked_two: Version 2.1 is locked, and 2.2 is here. Install what is locked" in found.out
    report = crm("--build", build_file, "build", "verify", "--json", code=1).json
    assert report["same"] is False
    assert len(report["differences"]) == 2
    build_file.write_text('[crm]\nplugins = ["locked_one"]\n', encoding="utf-8")
    found = crm("--build", build_file, "build", "verify", code=1)
    assert "locked_two: The plugin is in the lock and not in the build." in found.out


def test_a_locked_build_does_not_open_with_anything_else(crm, build_file, install):
    build_file.write_text(BUILD.replace("[crm]", "[crm]\nlocked = true"), encoding="utf-8")
    with pytest.raises(BuildError, match=r"There is no lock .*crm\.lock\. Write one by 'crm build lock'"):
        assemble(build_file)
    crm("--build", build_file, "build", "lock")
    Crm.open(build_file, check=False).close()
    install("locked_one", extra="here")
    with pytest.raises(BuildError, match="locked_one: Its files are not those that were locked"):
        Crm.open(build_file, check=False)
    tolerant = assemble(build_file, strict=False)
    assert any("locked_one" in str(each) for each in tolerant.report.warnings)
    assert assemble(build_file, without=["locked_one"]).plugin("locked_two") is not None
    crm("--build", build_file, "build", "lock")
    assert assemble(build_file).plugin("locked_one") is not None


def test_a_tolerant_run_tells_each_difference(crm, build_file, install):
    build_file.write_text(BUILD.replace("[crm]", "[crm]\nlocked = true"), encoding="utf-8")
    crm("--build", build_file, "build", "lock")
    crm("--build", build_file, "migrate")
    assert crm("--build", build_file, "--tolerant", "list", "account", "--json").err == ""
    install("locked_one", extra="here")
    crm("--build", build_file, "list", "account", code=3)
    listed = crm("--build", build_file, "--tolerant", "list", "account", "--json")
    assert listed.json["records"] == []
    assert "Not as locked: locked_one: Its files are not those that were locked" in listed.err


def test_everything_that_the_distribution_brings_is_locked(build_file, install):
    """Not only the package of the manifest: another package, a module, and what Python reads at its start."""
    site = install("locked_one").parent
    info = next(site.glob("crm_locked_one-*.dist-info"))
    brought = {"locked_helpers/rates.py": "rate = 1\n", "locked_tool.py": "x = 1\n", "locked.pth": "# nothing\n"}
    for name, text in brought.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
    (info / "RECORD").write_text(
        "".join(f"{name},,\n" for name in ("crm_locked_one/__init__.py", *brought, f"{info.name}/METADATA")), "utf-8"
    )
    build = assemble(build_file)
    lock_file(build).write_text(written(lock_of(build)), encoding="utf-8")
    assert check_lock(build) == []
    for name, text in brought.items():
        (site / name).write_text(text + "changed = 2\n", encoding="utf-8")
        assert [each.path for each in check_lock(build)] == ["locked_one"], name
        (site / name).write_text(text, encoding="utf-8")
    assert check_lock(build) == []


def test_a_package_that_is_installed_in_place_is_known_by_its_top_level_names(build_file, install):
    site = install("locked_one").parent
    info = next(site.glob("crm_locked_one-*.dist-info"))
    (info / "top_level.txt").write_text("crm_locked_one\nlocked_beside\n", encoding="utf-8")
    (info / "RECORD").write_text(f"__editable__.crm_locked_one-1.0.pth,,\n{info.name}/METADATA,,\n", encoding="utf-8")
    (site / "locked_beside").mkdir()
    (site / "locked_beside" / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    build = assemble(build_file)
    lock_file(build).write_text(written(lock_of(build)), encoding="utf-8")
    (site / "locked_beside" / "__init__.py").write_text("x = 2\n", encoding="utf-8")
    assert [each.path for each in check_lock(build)] == ["locked_one"]


def test_compiled_files_are_no_difference(build_file, install):
    build = assemble(build_file)
    lock_file(build).write_text(written(lock_of(build)), encoding="utf-8")
    cache = build.plugin("locked_one").folder / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "other.cpython-311.pyc").write_bytes(b"compiled")
    assert check_lock(build) == []


def test_a_dry_run_writes_nothing_and_says_what_would_change(crm, build_file, install):
    crm("--build", build_file, "build", "lock")
    before = build_file.with_suffix(".lock").read_bytes()
    install("locked_two", "2.2")
    found = crm("--build", build_file, "build", "lock", "--dry-run")
    assert "Version 2.1 is locked, and 2.2 is here." in found.out
    assert "dry run" in found.out
    assert build_file.with_suffix(".lock").read_bytes() == before


@pytest.mark.parametrize("content", ["", "format = 1", "format = 2\ncontract = '1'\nplugins = 3", "\x00", "format = ["])
def test_a_file_that_is_no_lock_says_so(tmp_path, content):
    file = tmp_path / "crm.lock"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BuildError, match="is no lock of a build"):
        read_lock(file)
