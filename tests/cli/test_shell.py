import builtins

import pytest


def test_code(company, crm):
    assert crm("shell", "-c", "print(len(session.list(Account)), crm.build.file.crm.name)").out == "4 Test\n"
    crm(
        "--user",
        "li.wei",
        "shell",
        "--reason",
        "because",
        "-c",
        "session.list(Account)[0].note = 'x'; session.commit()",
    )
    latest = crm("undo", "--json").json["change_sets"][0]
    assert (latest["principal"], latest["reason"], latest["source"]) == ("li.wei", "because", "shell")


def test_nothing_is_kept_without_commit(company, crm):
    crm("shell", "-c", "session.add(Account(name='Lost')); session.flush()")
    assert "There is no account" in crm("show", "account", "Lost", code=6).err


def test_errors_of_the_code(company, crm):
    assert "account cannot be written" in crm("shell", "-c", "Account(name='x' * 300)", code=4).err
    crm("shell", "-c", "1/0", code=70)


@pytest.mark.parametrize("prompt", [True, False])
def test_interactive(company, crm, monkeypatch, prompt):
    import sys

    lines = iter(["print(select.__name__, Account.crm_type.name)"])
    if prompt:
        monkeypatch.setattr(sys, "ps1", ">> ", raising=False)
    else:
        monkeypatch.delattr(sys, "ps1", raising=False)

    def ask(_prompt=""):
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(builtins, "input", ask)
    ended = crm("shell")
    assert "select account" in ended.out
    assert "Test as cli: crm, session, select" in ended.err


@pytest.mark.parametrize(("code", "ended"), [("exit()", 0), ("exit(3)", 3), ("exit('no')", 1)])
def test_leaving(company, crm, code, ended):
    crm("shell", "-c", f"raise SystemExit{code.removeprefix('exit')}", code=ended)
