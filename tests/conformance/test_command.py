"""``crm plugin verify``: what it prints, and what it ends with."""

from __future__ import annotations

import json

import pytest

from crm_core.cli.running import run


@pytest.fixture
def broken(twins):
    (twin,) = [each for each in twins if each.folder.name == "documentation"]
    with twin.installed():
        yield twin


def test_it_ends_with_one_when_something_was_found(broken, capsys):
    assert run(["plugin", "verify", broken.plugin, "--only", "documentation"]) == 1
    printed = capsys.readouterr().out
    assert "documentation: twin_documentation/plugin.py" in printed
    assert "-> Say in README.md what it is for" in printed


def test_the_report_is_json_and_a_page(broken, capsys, tmp_path):
    page = tmp_path / "report.html"
    arguments = ["plugin", "verify", "twin-documentation", "--skip", "translations", "--json", "--html", str(page)]
    only = [f"--only={name}" for name in ("documentation", "translations", "names")]
    assert run([*arguments, *only]) == 1
    ended = capsys.readouterr()
    report = json.loads(ended.out)
    assert report["plugin"] == "twin_documentation" and report["ok"] is False
    outcomes = {each["check"]: each["outcome"] for each in report["checks"]}
    assert outcomes["documentation"] == "failed"
    assert outcomes["names"] == "passed"
    assert outcomes["translations"] == outcomes["loads"] == "skipped"
    assert str(page) in ended.err
    assert "is not documented" in page.read_text(encoding="utf-8")


def test_it_speaks_chinese(broken, capsys):
    assert run(["--lang", "zh_CN", "plugin", "verify", broken.plugin, "--only", "documentation"]) == 1
    assert "没有文档" in capsys.readouterr().out


def test_it_ends_well_when_nothing_was_found(capsys):
    assert run(["plugin", "verify", "crm-stakeholders", "--only", "names"]) == 0
    assert "stakeholders 0.1.0.dev0: 0 findings in 1 checks." in capsys.readouterr().out


def test_unknown_names_are_told(capsys):
    assert run(["plugin", "verify", "stakeholder"]) > 1
    assert "stakeholders" in capsys.readouterr().err
    assert run(["plugin", "verify", "stakeholders", "--only", "name"]) > 1
    assert "Did you mean names?" in capsys.readouterr().err


def test_settings_come_from_a_build_file_that_is_named(capsys, tmp_path):
    build = tmp_path / "crm.toml"
    build.write_text("[plugins.stakeholders]\nneeded_scopes = []\n", encoding="utf-8")
    arguments = ["plugin", "verify", "stakeholders", "--only", "loads"]
    assert run(["--build", str(build), *arguments]) == 1
    assert "plugins.stakeholders" in capsys.readouterr().out
    assert run(arguments) == 0


def test_checks_that_use_a_database_run_on_postgresql_as_well(postgresql_server, capsys):
    address = postgresql_server.create_database("verify_command")
    try:
        arguments = ["plugin", "verify", "stakeholders", "--only", "drift", "--only", "names", "--json"]
        assert run([*arguments, "--postgresql", address]) == 0
        report = json.loads(capsys.readouterr().out)
        ran = [(each["check"], each["database"]) for each in report["checks"] if each["outcome"] == "passed"]
        assert ran == [("names", None), ("drift", "SQLite"), ("drift", "PostgreSQL")]
    finally:
        postgresql_server.drop_database("verify_command")
