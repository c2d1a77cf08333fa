"""``--without``, ``--no-plugins`` and ``[crm] disabled`` take effect before anything of the plugin is imported."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
KILLS = "import os\nos._exit(66)\n"
RAISES = "raise SystemExit('imported')\n"


def build(folder: Path, text: str = "plugins = ['deadly']") -> None:
    (folder / "crm.toml").write_text(textwrap.dedent(f"[crm]\n{text}\n"), encoding="utf-8")


@pytest.fixture(params=["package", "manifest", "plugin"])
def deadly(request: pytest.FixtureRequest, site: Any) -> str:
    """A plugin that ends the process when its package, its manifest or its hooks are imported; says which."""
    site.add("deadly", **{request.param: KILLS})
    return str(request.param)


OPTIONS = {"package": ("--without", "deadly"), "manifest": ("--without=deadly",), "plugin": ("--no-plugins",)}


def test_every_command_runs_without_it(tmp_path: Path, command: Command, deadly: str) -> None:
    build(tmp_path)
    option = OPTIONS[deadly]
    assert command("plugins", code=66)

    assert "deadly" in command(*option, "plugins").out
    command(*option, "migrate")
    assert command(*option, "list", "account", "--json").out.count('"records": []')
    command(*option, "worker", "--once")
    assert "There is no command" in command(*option, "deadly_command", code=2).err


def test_help_comes_without_it_wherever_the_option_stands(command: Command, site: Any) -> None:
    site.add("deadly", package=KILLS)
    command("--help", code=66)

    for args in (("--without", "deadly", "--help"), ("--help", "--without", "deadly")):
        assert "Usage" in command(*args).out
    assert "用法" in command("--lang", "zh_CN", "--help", "--no-plugins").out


def test_what_the_build_file_disables_is_not_imported_either(tmp_path: Path, command: Command, deadly: str) -> None:
    build(tmp_path, "plugins = ['deadly']\ndisabled = ['deadly']")

    assert "Usage" in command("--help").out
    assert "Switched off" in command("plugins").out
    command("migrate")
    assert command("list", "account", "--json").out.count('"records": []')
    assert "There is no command" in command("deadly_command", code=2).err
    named = tmp_path / "elsewhere"
    named.mkdir()
    (tmp_path / "crm.toml").rename(named / "crm.toml")
    assert "Usage" in command("--build", named / "crm.toml", "--help").out
    assert "Usage" in command("--help", CRM_BUILD=str(named / "crm.toml")).out


def test_a_plugin_that_raises_is_left_out_of_one_run_only(tmp_path: Path, command: Command, site: Any) -> None:
    site.add("deadly", plugin="raise ValueError('broken')\n")
    build(tmp_path)

    command("migrate", code=3)
    command("--without", "deadly", "migrate")
    command("list", "account", code=3)


def test_a_mistake_in_the_options_is_told_as_ever(command: Command) -> None:
    assert "--withot" in command("--withot", "deadly", "plugins", code=2).err
    assert "--without" in command("--without", code=2).err
