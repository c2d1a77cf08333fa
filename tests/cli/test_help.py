"""Help is quick, in two languages, and shows the commands of plugins that it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crm_core.cli.formatting import fold, width
from crm_core.cli.root import COMMANDS, root

HEAVY = (
    "sqlalchemy",
    "rich",
    "babel",
    "alembic",
    "cattrs",
    "pluggy",
    "importlib.metadata",
    "json",
    "msgspec",
    "typing_extensions",
)
PROBE = f"""
import sys
before = set(sys.modules)  # what measures coverage is not ours
from crm_core.cli.running import run
code = run(sys.argv[1:])
heavy = [name for name in {HEAVY!r} if name in sys.modules and name not in before]
print(code, heavy, file=sys.stderr)
"""


def probe(*args, env=None):
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, *args], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    return ran.stdout, ran.stderr.splitlines()[-1]


def test_help_imports_nothing_heavy():
    shown, ended = probe("--help")
    assert ended == "0 []"
    for name, line in COMMANDS.items():
        assert name in shown
        assert line.split()[0] in shown


def test_neither_does_the_version_nor_a_mistake():
    assert probe("--version")[1] == "0 []"
    assert probe("--nonsense")[1] == "2 []"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_in_both_languages(crm, name):
    english = crm(name, "--help").out
    assert english.startswith(f"Usage: crm {name} [OPTIONS]")
    assert "Options:" in english
    chinese = crm("--lang", "zh_CN", name, "--help").out
    assert chinese.startswith(f"用法： crm {name}")
    assert "显示此帮助并退出。" in chinese
    for text in (english, chinese):
        assert all(width(line) <= 80 for line in text.splitlines())


def test_the_language_of_the_environment(crm):
    assert "命令:" in crm("--help", environ={"LANG": "zh_CN.UTF-8"}).out
    assert "Commands:" in crm("--help", environ={"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}).out
    assert "命令:" in crm("--help", environ={"LC_MESSAGES": "zh-Hans"}).out
    assert "Commands:" in crm("--help", environ={"LANG": "de_DE.UTF-8"}).out
    assert "Commands:" in crm("--lang", "en", "--help", environ={"LANG": "zh_CN"}).out


def test_a_command_of_a_manifest_is_shown_without_importing_its_plugin(crm, install_plugin):
    install_plugin("cli_shown", 'commands={"scores": ("crm_cli_shown.commands:scores", "Show the scores.")}')
    shown = crm("--help").out
    assert "Commands of installed plugins:" in shown
    assert "scores" in shown
    assert "Show the scores." in shown
    assert "crm_cli_shown.plugin" not in sys.modules
    assert "crm_cli_shown.commands" not in sys.modules


def test_its_help_is_translated(crm, install_plugin):
    package = install_plugin(
        "cli_translated",
        'locale="locale", commands={"points": ("crm_cli_translated.commands:points", "Show the points.")}',
        commands="""
            from crm_core.cli import command, option, pass_application

            @command("points")
            @option("--all", "everything", is_flag=True, help="Show all points.")
            @pass_application
            def points(application, everything):
                \"\"\"Show the points.\"\"\"
            """,
    )
    catalogue = package / "locale" / "zh_CN" / "LC_MESSAGES" / "cli_translated.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Show the points."\nmsgstr "显示积分。"\n\nmsgid "Show all points."\nmsgstr "显示全部积分。"\n',
        encoding="utf-8",
    )
    assert "显示积分。" in crm("--lang", "zh_CN", "--help").out
    shown = crm("--lang", "zh_CN", "points", "--help").out
    assert "显示积分。" in shown
    assert "显示全部积分。" in shown


def test_a_manifest_that_is_broken_does_not_break_the_help(crm, install_plugin):
    install_plugin("cli_broken", "nonsense=1")
    assert "cli_broken" not in crm("--help").out
    crm("--lang", "zh_CN", "--help")


def test_a_folder_that_is_no_package_does_not_break_the_help(crm, tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "odd-1.0.dist-info").mkdir(parents=True)
    (site / "odd-1.0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe")
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(tmp_path / "nowhere")
    crm("--help")


def test_lines_are_counted_in_columns():
    assert width("abc") == 3
    assert width("名字a") == 5
    assert fold("一二三四五六", 4) == ["一二", "三四", "五六"]
    assert fold("一二，三四", 4) == ["一二，", "三四"]
    assert fold("one two three", 7) == ["one two", "three"]
    assert fold("a" * 20, 5) == ["a" * 20]
    assert fold("", 5) == [""]


def test_a_paragraph_that_is_to_stay_as_it_is():
    import click

    from crm_core.cli import argument, command, group

    @group("outer")
    def outer():
        """A group."""

    @outer.command("inner")
    @click.argument("what", metavar="WHAT")
    def inner(what):
        """First.

        \b
        a   b
        """

    @command("other")
    @argument("it")
    def other(it):
        """Other."""

    outer.add_command(other)
    from click.testing import CliRunner

    shown = CliRunner().invoke(outer, ["inner", "--help"]).output
    assert "\n  a   b\n" in shown
    listed = CliRunner().invoke(outer, ["--help"]).output
    assert "inner  First." in listed
    assert "other  Other." in listed


def test_names_that_are_too_long_stand_on_a_line_of_their_own():
    from crm_core.cli.formatting import Formatter

    formatter = Formatter(width=60)
    formatter.write_dl([("x" * 40, "What it is."), ("y", "Another.")])
    assert formatter.getvalue().splitlines() == ["x" * 40, " " * 32 + "What it is.", "y" + " " * 31 + "Another."]


def test_the_root_without_an_application():
    import click

    assert root.get_command(click.Context(root), "nonsense") is None
