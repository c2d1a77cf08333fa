"""Commands that plugins bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_core import Crm

COMMANDS = """
import click
from crm_core.cli import command, option, pass_application
from crm_core.domain.accounts import Account


@command("{name}")
@option("--loud", is_flag=True, help="Loudly.")
@pass_application
def said(application, loud):
    \"\"\"Count the accounts.\"\"\"
    with application.session(read_only=True) as session:
        application.output.line(str(session.count(Account)) + ("!" if loud else ""))
"""
REGISTERED = """
from crm_core import hookimpl
from crm_{plugin}.commands import said


@hookimpl
def crm_register_commands():
    return [said]
"""


@pytest.fixture
def listed(company):
    """Lists plugins in the build file."""

    def make(*names):
        file = company / "crm.toml"
        text = file.read_text(encoding="utf-8").replace("[crm]", f"[crm]\nplugins = {list(names)!r}", 1)
        file.write_text(text, encoding="utf-8")

    return make


def test_a_command_of_the_manifest(company, crm, install_plugin, listed):
    install_plugin(
        "cli_one", 'commands={"one": ("crm_cli_one.commands:said", "Count.")}', commands=COMMANDS.format(name="one")
    )
    said = crm("one", code=3).err
    assert "This command belongs to the plugin cli_one, which is not part of" in said
    listed("cli_one")
    assert crm("one").out == "4\n"
    assert crm("--user", "zhao.min", "one", "--loud").out == "0!\n"


def test_a_command_that_is_registered(company, crm, install_plugin, listed):
    install_plugin("cli_two", commands=COMMANDS.format(name="two"), plugin=REGISTERED.format(plugin="cli_two"))
    assert "There is no command 'two'" in crm("two", code=2).err
    listed("cli_two")
    assert crm("two").out == "4\n"


def test_a_build_that_is_broken_answers_for_the_misspelt_name(company, crm):
    (company / "crm.toml").write_text("[crm\n", encoding="utf-8")
    assert "There is no command 'nothing'" in crm("nothing", code=2).err


def test_the_locale_of_a_plugin_is_used_for_its_words(company, crm, install_plugin, listed):
    package = install_plugin(
        "cli_words", 'locale="locale", label="Words"', commands=COMMANDS.format(name="words"),
        plugin=REGISTERED.format(plugin="cli_words") + """

@hookimpl
def crm_register_vocabularies():
    return {"account.kind": {"mill": "Paper mill"}}
""")  # fmt: skip
    catalogue = package / "locale" / "zh_CN" / "LC_MESSAGES" / "cli_words.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Paper mill"\nmsgstr "造纸厂"\n\nmsgid "Words"\nmsgstr "词语"\n',
        encoding="utf-8",
    )
    listed("cli_words")
    crm("shell", "-c", "session.add(Account(name='M', kind='mill')); session.commit()")
    assert "Paper mill" in crm("show", "account", "M").out
    assert "造纸厂" in crm("--lang", "zh_CN", "show", "account", "M").out
    assert "词语" in crm("--lang", "zh_CN", "plugins").out


PANELS = """
from crm_core import Panel, TimelineEntry, hookimpl


@hookimpl
def crm_gather_overview(session, accounts):
    for id_ in accounts:
        yield Panel(account_id=id_, name="a", title="Health", lines=(("Pulse", "70"),), severity="warning")
        yield Panel(account_id=id_, name="b", title="Table", rows=(("day", "what"), ("1", "[x]")))


@hookimpl
def crm_gather_timeline(session, accounts, since, until, limit):
    raise RuntimeError("broken part")
"""


def test_panels_and_failures_of_plugins(company, crm, install_plugin, listed):
    install_plugin("cli_panels", plugin=PANELS)
    listed("cli_panels")
    ended = crm("show", "account", "Acme Bearings")
    assert "Health !  [cli_panels]" in ended.out
    assert "Pulse  70" in ended.out
    assert "[x]" in ended.out
    assert "The part of the plugin cli_panels could not be had (crm_gather_timeline): " in ended.err
    shown = crm("show", "account", "Acme Bearings", "--json").json["overview"]
    assert shown["panels"][0]["lines"] == [["Pulse", "70"]]
    assert shown["failed"][0]["plugin"] == "cli_panels"
    assert crm("timeline", "Acme Bearings", "--json").json["failed"] == ["cli_panels"]
    assert "Traceback" not in ended.err
    assert "Traceback" in crm("--debug", "timeline", "Acme Bearings").err


REFUSING = """
from sqlalchemy import func, select

from crm_core import Objection, User, hookimpl
from crm_core.errors import PermissionDenied


@hookimpl
def crm_gather_overview(session, accounts):
    raise PermissionDenied("This session is read-only.", mend="Open one without read_only=True.")


@hookimpl
def crm_gather_handover(session, accounts, user_id):
    raise Objection("Not <now>.")


@hookimpl
def crm_gather_actions(session, accounts):
    session.execute(select(func.abs(User.id * 0 + -(2**63)))).all()


@hookimpl
def crm_gather_timeline(session):
    return 1 / 0


@hookimpl
def crm_gather_signals(session):
    return 1 / 0
"""


def test_why_a_part_could_not_be_had_is_said_in_the_readers_language(company, crm, install_plugin, listed):
    """In the terminal, on pages and where a failure stands in the way of something."""
    install_plugin("cli_refusing", plugin=REFUSING)
    listed("cli_refusing")
    chinese = ("--lang", "zh_CN")
    said = (
        "cli_refusing：crm_gather_overview 失败：PermissionDenied: 该会话是只读的。",
        "cli_refusing：crm_gather_timeline 失败：ZeroDivisionError: division by zero",
    )
    ended = crm(*chinese, "show", "account", "Acme Bearings", "--html", "account.html")
    for each in (crm(*chinese, "show", "account", "Acme Bearings").err, Path("account.html").read_text("utf-8")):
        assert [text for text in said if text not in each] == []
        assert "failed:" not in each and "Report it" not in each
    assert "Objection: Not &lt;now&gt;." in Path("account.html").read_text("utf-8")
    today = crm(*chinese, "--user", "zhao.min", "today", "--html", "today.html").err
    today += crm(*chinese, "--user", "zhao.min", "today").err
    for each in (today, Path("today.html").read_text("utf-8")):
        # What the database said, without the statement.
        assert "crm_gather_actions 失败：OperationalError: integer overflow" in each
        assert "SELECT" not in each and "Report it" not in each
    # Data are not for readers: they stay as they are in every language.
    shown = crm(*chinese, "show", "account", "Acme Bearings", "--json").json["overview"]["failed"]
    assert {each["hook"]: each["error"] for each in shown}["crm_gather_timeline"] == (
        "cli_refusing: crm_gather_timeline failed: ZeroDivisionError: division by zero "
        "Report it to the plugin's author; until then, leave the plugin out of the build."
    )
    assert ended.code == 0


LISTENER = """
from crm_core import hookimpl


@hookimpl
def crm_on_changes(session, batch):
    raise RuntimeError("broken part")
"""


def test_a_plugin_that_fails_on_changes_is_told_of_once(company, crm, install_plugin, listed):
    install_plugin("cli_listening", plugin=LISTENER)
    listed("cli_listening")
    ended = crm("undo", "--last")
    assert ended.err.count("cli_listening: crm_on_changes failed: RuntimeError: broken part") == 1
    assert "What was changed stands, without what the plugin does on it" in ended.err
    assert "Traceback" not in ended.err and "crm_on_changes" not in ended.out
    assert "crm_on_changes" not in crm("list", "account").err


EXTENSION = """
from crm_core import Mapped, Record, extends, hookimpl, text


@extends("account", "cli_tier.tier")
class Tier(Record):
    \"\"\"How dear it is to us.\"\"\"

    level: Mapped[str] = text(20)


@hookimpl
def crm_register_records():
    return [Tier]
"""


def test_extensions_are_shown_with_their_record(company, crm, install_plugin, listed):
    install_plugin("cli_tier", plugin=EXTENSION)
    listed("cli_tier")
    with Crm.open("crm.toml") as opened:
        opened.store.create_all()
    crm("shell", "-c", "t = Tier(level='gold'); t.id = session.list(Account, 'grade == \"C\"')[0].id\n"
        "session.add(t); session.commit()")  # fmt: skip
    assert "gold" in crm("show", "account", "Acme Bearings").out
    shown = crm("show", "account", "Acme Bearings", "--json").json
    assert shown["extensions"]["cli_tier.tier"]["level"] == "gold"
