"""Every way in which a command can end."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import click
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

import crm_core.errors
from crm_core.cli import running
from crm_core.cli.application import Application
from crm_core.errors import CrmError

REFERENCE = Path(crm_core.__file__).parents[1] / "docs" / "reference" / "errors.md"


@pytest.fixture
def raising(monkeypatch):
    """Lets `crm plugins` raise."""

    def make(error):
        def fail(*args, **kwargs):
            raise error

        monkeypatch.setattr(Application, "assemble", fail)

    return make


def classes():
    found = [each for each in vars(crm_core.errors).values() if isinstance(each, type) and issubclass(each, CrmError)]
    return {each.__name__: each.exit_code for each in found if not each.__name__.startswith("_")}


def test_the_exit_codes_are_documented():
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: int(code) for code, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented == classes()
    assert {int(code) for code, _ in rows} == {*classes().values(), *running.EXIT_CODES}


@pytest.mark.parametrize("name", sorted(classes()))
def test_an_error_ends_with_the_code_of_its_class(company, crm, raising, name):
    raising(getattr(crm_core.errors, name)("Something is wrong with {what}.", mend="Mend it.", what="this"))
    ended = crm("plugins", code=classes()[name])
    assert ended.err == "Something is wrong with this. Mend it.\n"
    assert ended.out == ""


def test_a_bug_says_so_and_how_to_see_more(company, crm, raising):
    raising(RuntimeError("no such thing."))
    ended = crm("plugins", code=70)
    assert ended.err.startswith("This is a bug in crm-core or in a plugin: RuntimeError: no such thing. Run ")
    assert "Traceback" not in ended.err
    assert "Traceback" in crm("--debug", "plugins", code=70).err


def test_an_error_of_the_database(company, crm, raising):
    raising(OperationalError("SELECT secret", {}, Exception("server closed\nthe connection.")))
    ended = crm("plugins", code=10)
    assert ended.err.startswith("The database cannot be used: server closed the connection. Check its address")
    assert "secret" not in ended.err
    raising(OperationalError("", {}, Exception('connection failed: FATAL:  database "acme" does not exist\n')))
    assert "Create it ('createdb acme'), or correct its address." in crm("plugins", code=10).err
    raising(ProgrammingError("SELECT 1", {}, Exception("no such column")))
    crm("plugins", code=70)


def test_an_error_of_the_system(company, crm, raising):
    raising(PermissionError(13, "Permission denied", "/etc/x"))
    assert crm("plugins", code=1).err.startswith("The system refuses: Permission denied (/etc/x). Check the path")
    raising(OSError("odd"))
    assert crm("plugins", code=1).err.startswith("The system refuses: odd. ")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption(company, crm, raising, error):
    raising(error)
    assert crm("plugins", code=130).err == "Interrupted. What was not committed is as before.\n"


def test_the_reader_of_the_output_goes_away(company, crm, raising, monkeypatch):
    raising(BrokenPipeError())
    monkeypatch.setattr(running.os, "dup2", lambda *args: None)
    assert crm("plugins", code=141).err == ""


def test_other_errors_of_click(company, crm, raising):
    raising(click.ClickException("odd"))
    assert crm("plugins", code=1).err == "odd\n"
    raising(click.UsageError("odd"))
    assert crm("plugins", code=2).err.startswith("Usage: crm plugins [OPTIONS] [COMMAND] [ARGS]...\nodd ")


@pytest.mark.parametrize(("args", "said"), [
    (["lst"], "There is no command 'lst'. Did you mean list?"),
    (["nonsense"], "There is no command 'nonsense'. 'crm --help' shows all"),
    (["list"], "'TYPE' is missing."),
    (["list", "account", "--wher", "x"], "There is no option --wher. Did you mean --where"),
    (["list", "account", "--zzz", "x"], "There is no option --zzz. '"),
    (["today", "--user", "li"], "no option --user. It stands before the command: crm --user LOGIN today ... '"),
    (["build", "check", "--debug"], "no option --debug. It stands before the command: crm --debug build check"),
    (["list", "account", "--limit", "0"], "'--limit': '0' is no whole number from 1 to 100000."),
    (["list", "account", "--limit", "many"], "'--limit': 'many' is no whole number"),
    (["list", "account", "--at", "tomorrow"], "'--at': 'tomorrow' is neither a day nor a moment."),
    (["list", "account", "--at", "0001-01-01"], "is neither a day nor a moment."),
    (["list", "account", "more"], "Got unexpected extra argument"),
    (["--lang", "fr", "list", "account"], "'fr' is not among the languages of crm-core: en, zh_CN."),
    (["export", "account"], "'--to' is missing."),
    (["init", "--admin-name", "x"], "--admin-name needs --admin."),
    (["--zzz"], "There is no option --zzz."),
])  # fmt: skip
def test_a_command_that_is_written_wrongly(company, crm, args, said):
    ended = crm(*args, code=2)
    assert ended.err.startswith("Usage: crm ")
    assert said in ended.err
    assert "shows how it is written." in ended.err


def test_nothing_at_all_is_answered_by_the_help(crm):
    assert "Commands:" in crm(code=2).err


def test_without_a_build_file(crm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "There is no crm.toml in" in crm("list", "account", code=3).err
    assert "There is no build file nope.toml." in crm("--build", "nope.toml", "list", "account", code=3).err
    assert "There is no command 'nonsense'" in crm("nonsense", code=2).err


def test_the_build_file_is_looked_for_upwards_and_in_the_environment(company, crm, tmp_path, monkeypatch):
    (company / "below" / "it").mkdir(parents=True)
    monkeypatch.chdir(company / "below" / "it")
    crm("list", "account")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRM_BUILD", str(company / "crm.toml"))
    assert running.run(["list", "account"], Application({})) == 0


def test_a_build_file_with_many_mistakes_lists_all(company, crm):
    (company / "crm.toml").write_text('[crm]\ntime_zone = "Asia/Shangai"\nplugin = []\n[rols]\n', encoding="utf-8")
    said = crm("list", "account", code=3).err
    assert "Did you mean plugins?" in said
    assert "Did you mean roles?" in said


def test_a_database_that_is_not_migrated_or_not_there(company, crm):
    (company / "crm.db").unlink()
    assert "There is no database" in crm("list", "account", code=10).err
    (company / "crm.db").touch()
    assert "Run crm migrate" in crm("list", "account", code=10).err
    (company / "crm.db").write_bytes(b"this is no database at all" * 100)
    assert "The database cannot be used: file is not a database." in crm("list", "account", code=10).err
    text = (company / "crm.toml").read_text(encoding="utf-8")
    (company / "crm.toml").write_text(text.replace("[crm]", '[crm]\ndatabase = "sqlite:///no/such/folder/x.db"', 1))
    assert "does not exist" in crm("list", "account", code=10).err


def test_tolerant_mode_tells_what_is_left_out(company, crm):
    text = (company / "crm.toml").read_text(encoding="utf-8")
    (company / "crm.toml").write_text(text.replace("[crm]", '[crm]\nplugins = ["nobody"]', 1), encoding="utf-8")
    assert "There is no plugin 'nobody'." in crm("list", "account", code=3).err
    ended = crm("--tolerant", "list", "account")
    assert ended.err.startswith("The plugin nobody was left out")
    assert "nobody" in crm("--tolerant", "plugins").out


def test_a_terminal_that_cannot_show_a_character(company, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert running.run(["list", "account"], Application({})) == 0
    assert running.run(["list", "account", "--json"], Application({})) == 0
    out.flush()
    written = out.buffer.getvalue().decode("ascii")
    assert "\\u534e\\u4e1c" in written


def test_what_data_hold_does_not_steer_the_terminal(company, crm):
    crm("shell", "-c", "session.add(Account(name='Evil\\x1b[2J\\u202eeman')); session.commit()")
    shown = crm("list", "account", "--where", 'startswith(name, "Evil")').out
    assert "\x1b" not in shown
    assert "Evil\\x1b[2J\\u202eeman" in shown
    assert "\\x1b" in crm("show", "account", "Evil\x1b", code=6).err


@pytest.mark.parametrize("name", ['"', "\\", "a\nb\tc\r", "\udcff", "\0", "'", "{x}", "名[/b]", "%"])
def test_any_name_can_be_asked_for(company, crm, name):
    assert crm("show", "account", name, code=6).err.startswith("There is no account ")
    assert crm("show", "activity", name, code=6).err.startswith("There is no activity ")
