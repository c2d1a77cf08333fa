"""The reference of commands: every command and option is in it, and every example runs."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import openpyxl
import pytest

import crm_core
from crm_core.cli.helping import one_line
from crm_core.cli.root import COMMANDS, root

PAGE = (Path(crm_core.__file__).parents[1] / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\$ crm (.*)$", PAGE, re.MULTILINE)
CALENDAR = """\
BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1
SUMMARY:Visit
DTSTART:20260901T010000Z
END:VEVENT
END:VCALENDAR
"""
MAPPING = """\
[source]
system = "old"

[[section]]
record = "account"
file = "customers.csv"
key = "no"
fields = { name = "name" }
"""


def section(name):
    match = re.search(rf"^## crm {name}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"{name} is not documented"
    return match[1]


def command(name):
    return import_module(f"crm_core.cli.commands.{name}_").command


def subcommands(name):
    found = command(name)
    if not isinstance(found, click.Group):
        return []
    context = click.Context(found)  # a group may import its commands one at a time
    return [(each, found.get_command(context, each)) for each in sorted(found.list_commands(context))]


def options(given):
    return {max(param.opts, key=len) for param in given.params if isinstance(param, click.Option)} - {"--help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_with_each_option(name):
    text = section(name)
    if options(command(name)) & {"--json"}:
        assert "--json" in text or "JSON" in text
    missing = {each for each in options(command(name)) if each not in text and each != "--json"}
    assert missing == set()
    if isinstance(command(name), click.Group) and not command(name).invoke_without_command:
        return
    assert f"$ crm {name}" in text or re.search(rf"^\$ crm .*\b{name} ", text, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in COMMANDS if subcommands(name)])
def test_each_subcommand_with_each_option(name):
    text = section(name)
    for sub, each in subcommands(name):
        match = re.search(rf"^### crm {name} {sub}$(.*?)(?=^###? |\Z)", text, re.MULTILINE | re.DOTALL)
        assert match, f"{name} {sub} is not documented"
        missing = {option for option in options(each) if option not in match[1] and option != "--json"}
        assert missing == set()
        assert f"$ crm {name} {sub}" in match[1] or f"`crm {name} {sub} " in match[1]


def test_the_options_of_the_command_itself():
    head = PAGE.split("\n## ")[0]
    assert {each for each in options(root) if f"`{each}" not in head} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_can_print_json_if_it_prints_data(name):
    each = (
        [found for _, found in subcommands(name)]
        if name in ("handover", "user", "unit", "contacts", "build", "plugin")
        else [command(name)]
    )
    assert {"--json" in options(found) for found in each} == {name not in ("init", "shell", "demo")}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_has_the_name_it_is_listed_by(name):
    assert command(name).name == name
    assert one_line(COMMANDS[name]).endswith(".")


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(company, crm, example):
    (company / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    (company / "customers.csv").write_text("no,name\n1,Northern Mill\n", encoding="utf-8")
    if "--sheet" in example:
        (company / "mapping.toml").write_text(MAPPING.replace("customers.csv", "customers.xlsx"), encoding="utf-8")
        book = openpyxl.Workbook()
        book.active.title = "Customers"
        for row in (["no", "name"], ["1", "Northern Mill"]):
            book.active.append(row)
        book.save(company / "customers.xlsx")
    (company / "moved.csv").write_text("mobile,employer\n13800138000,华东轴承\n", encoding="utf-8")
    if "restore " in example:
        crm("backup", "monday.zip")
    (company / "people.vcf").write_text("BEGIN:VCARD\nFN:Wei Li\nEND:VCARD\n", encoding="utf-8")
    (company / "calendar.ics").write_text(CALENDAR, encoding="utf-8")
    ended = crm(*shlex.split(example))
    assert ended.out or "--command" in example
    assert "Traceback" not in ended.err


def test_the_command_of_a_plugin_runs(company, crm, install_plugin):
    source = re.search(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
    install_plugin("cli_mine", 'commands={"grades": ("crm_cli_mine.commands:grades", "Count.")}', commands=source)
    file = company / "crm.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("[crm]", '[crm]\nplugins = ["cli_mine"]', 1), "utf-8")
    assert crm("grades").out == "4\n"
    assert crm("grades", "--grade", "C").out == "1\n"
