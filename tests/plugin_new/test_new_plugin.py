"""``crm plugin new`` writes a distribution whose tests pass at once."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from crm_core.authoring import checked_name, new_plugin
from crm_core.authoring.distribution import TEMPLATE
from crm_core.errors import DeclarationError


@pytest.mark.timeout(600)
def test_the_tests_of_a_new_plugin_pass_at_once(tmp_path, tests_of, in_project):
    folder = tmp_path / "crm-my-vertical"
    made = new_plugin("my_vertical", folder, label="My vertical")
    done = tests_of(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout  # conformance, and what it does
    quick = [f"--only={name}" for name in ("loads", "names", "requirements", "translations", "documentation", "drift")]
    run = "import sys; from crm_core.cli.running import run; sys.exit(run(sys.argv[1:]))"
    verified = in_project(folder, "-c", run, "plugin", "verify", made.distribution, "--json", *quick)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["plugin"] == "my_vertical"


def test_everything_that_a_distribution_needs_is_there(tmp_path):
    folder = tmp_path / "new"
    made = new_plugin("my_vertical", folder)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == set(made.files)
    package = "crm_my_vertical"
    assert there >= {
        ".ci/run", ".gitignore", "pyproject.toml", "README.md", "docs/my_vertical.md", "tests/test_conformance.py",
        f"{package}/manifest.py", f"{package}/migrations/0001_first_tables.py", f"{package}/py.typed",
        f"{package}/locale/zh_CN/LC_MESSAGES/my_vertical.po",
    }  # fmt: skip
    assert os.access(folder / ".ci" / "run", os.X_OK)
    assert not [name for name in there if "{{" in name or name.endswith(".jinja")]
    assert "check_plugin" in (folder / "tests" / "test_conformance.py").read_text()


def test_one_hook_of_each_family_is_there(tmp_path):
    new_plugin("my_vertical", tmp_path / "new")
    text = (tmp_path / "new" / "crm_my_vertical" / "plugin.py").read_text()
    for family in ("crm_register_", "crm_check_", "crm_gather_", "crm_on_"):
        assert f"\ndef {family}" in text


def test_a_label_in_quotes_and_in_chinese_does_no_harm(tmp_path):
    made = new_plugin("my_vertical", tmp_path / "new", label='设备 "租赁"')
    manifest = (tmp_path / "new" / "crm_my_vertical" / "manifest.py").read_text(encoding="utf-8")
    compile(manifest, "manifest.py", "exec")
    assert "设备" in manifest
    assert made.untranslated == ()


def test_an_empty_folder_is_used_and_another_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    new_plugin("my_vertical", tmp_path / "empty")
    before = sorted((tmp_path / "empty").rglob("*"))
    with pytest.raises(DeclarationError, match="there already, and not empty"):
        new_plugin("other", tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(DeclarationError, match="there already"):
        new_plugin("other", tmp_path / "file")
    assert sorted((tmp_path / "empty").rglob("*")) == before


def test_a_dry_run_writes_nothing(tmp_path):
    made = new_plugin("my_vertical", tmp_path / "new", dry_run=True)
    assert "pyproject.toml" in made.files
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "better"), [
    ("MyVertical", "my_vertical"), ("crm-loans", "loans"), ("crm_loans", "loans"), ("1st", "n_1st"),
    ("设备租赁", "she_bei_zu_lin"), ("a" * 31, "a" * 30), ("class", "my_class"), ("crm", "my_crm"),
    ("!", "my_vertical"),
])  # fmt: skip
def test_names_that_cannot_be_used_are_refused_with_one_that_can(name, better):
    with pytest.raises(DeclarationError) as caught:
        checked_name(name)
    assert better in str(caught.value)
    assert checked_name(better) == better


def test_the_name_of_an_installed_plugin_is_refused(tmp_path):
    with pytest.raises(DeclarationError, match="'key_accounts' is installed"):
        new_plugin("key_accounts", tmp_path / "new")


def test_without_copier_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(DeclarationError, match=r"pip install 'crm-core\[plugin-template\]'"):
        new_plugin("my_vertical", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_template_is_part_of_what_is_installed():
    """No file of it begins with a dot, which the patterns of setuptools pass over."""
    from configparser import ConfigParser

    settings = ConfigParser()
    settings.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    patterns = settings["options.package_data"]["crm_core"].split()
    root = TEMPLATE.parents[1]
    packaged = {path for pattern in patterns if "*" in pattern for path in root.glob(pattern)}
    files = {path for path in TEMPLATE.rglob("*") if path.is_file()}
    assert files - packaged == set()
    assert not [path for path in files if any(part.startswith(".") for part in path.relative_to(TEMPLATE).parts)]
    assert version("copier")
