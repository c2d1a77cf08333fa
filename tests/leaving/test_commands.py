"""``crm plugins``: footprint, disable, enable, remove and restore, also of plugins that are broken or gone."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .leaver import Company, rows

Opened = Callable[..., Any]
Command = Callable[..., Any]

BUILD = """\
# Our CRM.
[crm]
name = "Test"
database = "{database}"
plugins = ["leaver"]  # on trial
time_zone = "Asia/Shanghai"

[plugins.leaver]
often = 5  # a week

[roles.clerk.permissions]
"*.read" = "own"
"account.update" = "own"
"leaver.visit.update" = "own"

[custom_fields."leaver.visit".weight]
kind = "number"
scale = 2

[custom_fields."leaver.visit".nick]
kind = "text"
personal = true

[custom_fields.account.club]
kind = "text"
"""


@pytest.fixture
def file(company: Company, database_url: str, site: Any, tmp_path: Path) -> Path:
    """The build file of the company, whose plugin is installed."""
    site.add_leaver()
    path = tmp_path / "crm.toml"
    path.write_text(BUILD.format(database=database_url), encoding="utf-8")
    return path


def test_a_plugin_leaves_and_comes_back(
    company: Company, file: Path, command: Command, opened: Opened, tmp_path: Path
) -> None:
    before, written = rows(company.crm), file.read_text(encoding="utf-8")

    shown = command("plugins", "footprint", "leaver").out
    for text in ("leaver__visit", "crm_share.because_id", "leaver.visit.sign", "Nothing depends on it."):
        assert text in shown
    found = json.loads(command("plugins", "footprint", "leaver", "--json").out)
    assert (found["state"], found["distribution"], found["revision"]) == ("loaded", "crm-leaver", "0002")
    assert sum(each["rows"] for each in found["tables"]) == 7
    assert all(each["bytes"] > 0 for each in found["tables"])

    assert command("plugins", "remove", "leaver", "--dry-run").out.endswith("Nothing was changed.\n")
    assert "--yes" in command("plugins", "remove", "leaver", code=2).err
    assert file.read_text(encoding="utf-8") == written
    assert rows(company.crm) == before
    assert not (tmp_path / "removed").exists()

    shown = command("plugins", "remove", "leaver", "--yes").out
    [folder] = (tmp_path / "removed").iterdir()
    assert f"Removed. 7 rows are in {folder}." in shown
    left = file.read_text(encoding="utf-8")
    assert "leaver" not in left
    assert "# Our CRM." in left
    assert command("list", "account").code == 0
    shown = command("history", "leaver.visit", company.ids["full"])
    assert "(inactive)" in shown.out
    assert "leaver is not loaded" in shown.err
    assert "is no id" in command("history", "leaver.visit", "Full", code=6).err
    events = json.loads(command("history", "leaver.visit", company.ids["full"], "--json").out)["events"]
    assert [each["inactive"] for each in events] == ["leaver", "leaver"]
    assert json.loads(command("plugins", "footprint", "leaver", "--json").out)["state"] == "absent"
    assert "held nothing" in command("plugins", "remove", "leaver", "--yes").out

    assert "leaver__tie" in command("plugins", "restore", folder, "--dry-run").out
    assert file.read_text(encoding="utf-8") == left
    assert "is back, with 7 rows" in command("plugins", "restore", folder).out
    assert tomllib.loads(file.read_text(encoding="utf-8")) == tomllib.loads(written)
    assert rows(opened()) == before
    assert command("list", "leaver.visit").code == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".crm")] == []


def test_switching_off_and_on(file: Path, command: Command) -> None:
    written = file.read_text(encoding="utf-8")
    assert "Ignored meanwhile" in command("plugins", "disable", "leaver", "--dry-run").out
    assert file.read_text(encoding="utf-8") == written
    assert json.loads(command("plugins", "disable", "leaver", "--json").out)["changed"]
    assert "off already" in command("plugins", "disable", "leaver").out
    assert json.loads(command("plugins", "footprint", "leaver", "--json").out)["state"] == "off"
    assert "is switched off. Switch it on" in command("list", "leaver.visit", code=6).err
    assert "Nothing was changed" in command("plugins", "enable", "leaver", "--dry-run").out
    assert json.loads(command("plugins", "enable", "leaver", "--json").out)["changed"]
    assert file.read_text(encoding="utf-8") == written
    assert "on already" in command("plugins", "enable", "leaver").out
    assert command("list", "leaver.visit").code == 0
    assert "does not list" in command("plugins", "disable", "nobody", code=3).err
    assert "no plugin 'nobody'" in command("plugins", "footprint", "nobody", code=6).err


def test_what_requires_it_is_switched_off_first(file: Path, site: Any, command: Command) -> None:
    site.add("above", requires={"leaver": ">=1"})
    file.write_text(file.read_text(encoding="utf-8").replace('["leaver"]', '["leaver", "above"]'), encoding="utf-8")

    assert "above: It requires leaver >=1" in command("plugins", "disable", "leaver", code=3).err
    assert "above: The plugin requires leaver >=1" in command("plugins", "remove", "leaver", "--yes", code=3).err
    command("plugins", "disable", "above")
    command("plugins", "disable", "leaver")
    assert "switched off" in command("plugins", "enable", "above", code=3).err
    assert "requires leaver" in command("plugins", "remove", "leaver", "--yes", code=3).err, "though it is off"


BREAKS = {
    "hooks": ("plugin.py", "raise ValueError('broken')\n", ()),
    "manifest": ("manifest.py", "raise ValueError('broken')\n", ()),
    "killing": ("__init__.py", "import os\nos._exit(66)\n", ("--without", "leaver")),
    "killing, all": ("__init__.py", "import os\nos._exit(66)\n", ("--no-plugins",)),
}


@pytest.mark.any_database
@pytest.mark.parametrize("how", BREAKS)
def test_a_plugin_whose_code_is_broken(
    company: Company, file: Path, site: Any, command: Command, opened: Opened, tmp_path: Path, how: str
) -> None:
    before = rows(company.crm)
    module, text, options = BREAKS[how]
    broken = site.folder / "crm_leaver" / module
    whole = broken.read_text(encoding="utf-8")
    broken.write_text(text + whole, encoding="utf-8")

    shown = command(*options, "plugins", "footprint", "leaver").out
    assert "leaver__visit" in shown
    assert ("It is switched off." if options else "It is in the build, and cannot be loaded.") in shown
    assert "Migrate down from revision 0002" in command(*options, "plugins", "remove", "leaver", "--dry-run").out
    command(*options, "plugins", "remove", "leaver", "--yes", "--export-to", tmp_path / "out")
    assert command("list", "account").code == 0
    broken.write_text(whole, encoding="utf-8")
    command("plugins", "restore", tmp_path / "out")
    assert rows(opened()) == before


def test_a_plugin_beside_a_broken_one(file: Path, site: Any, command: Command) -> None:
    site.add("broken", plugin="raise ValueError('broken')\n")
    file.write_text(file.read_text(encoding="utf-8").replace('["leaver"]', '["leaver", "broken"]'), encoding="utf-8")

    refused = command("list", "account", code=3).err
    assert "'crm --without broken ...' or 'crm --tolerant ...' goes on without it" in refused
    shown = command("plugins", "footprint", "leaver")
    assert "The plugin broken was left out" in shown.err
    assert "It is loaded." in shown.out


def test_a_plugin_that_is_gone(
    company: Company, file: Path, site: Any, command: Command, opened: Opened, tmp_path: Path
) -> None:
    before = rows(company.crm)
    site.take("leaver")

    command("list", "account", code=3)
    shown = command("plugins", "footprint", "leaver").out
    assert "not installed" in shown
    assert "leaver__visit" in shown
    assert "Drop its tables by their names" in command("plugins", "remove", "leaver", "--dry-run").out
    command("plugins", "remove", "leaver", "--yes", "--export-to", tmp_path / "out")
    assert command("list", "account").code == 0
    assert "nstall its distribution" in command("plugins", "restore", tmp_path / "out", code=3).err
    assert "leaver" not in file.read_text(encoding="utf-8")

    site.add_leaver()
    command("plugins", "restore", tmp_path / "out")
    assert rows(opened()) == before


@pytest.mark.any_database
def test_only_those_in_charge_see_it(company: Company, file: Path, command: Command) -> None:
    assert "may not do this" in command("--user", "wang.fang", "plugins", "footprint", "leaver", code=5).err
    assert "may not do this" in command("--user", "wang.fang", "plugins", "remove", "leaver", "--yes", code=5).err
    assert "leaver__visit" in command("--user", "li.wei", "plugins", "footprint", "leaver").out


@pytest.mark.any_database
def test_in_chinese(file: Path, command: Command) -> None:
    assert "已加载" in command("--lang", "zh_CN", "plugins", "footprint", "leaver").out
    assert "未作任何更改" in command("--lang", "zh_CN", "plugins", "remove", "leaver", "--dry-run").out
