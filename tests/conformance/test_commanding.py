"""Running the commands of a plugin, and the build file for it."""

from __future__ import annotations

import datetime as dt
import tomllib
from decimal import Decimal

import click

from crm_core.testing.conformance import commanding
from crm_core.testing.conformance.commanding import toml


def test_a_build_file_reads_as_what_it_was_written_from():
    content = {
        "crm": {"name": 'A "quoted" \\ name\n中文\x01', "plugins": ["one", "two"], "strict": True},
        "roles": {"a b": {"permissions": {"*.read": "all"}}, "none": {"permissions": {}}},
        "plugins": {
            "one": {"weight": Decimal("1.50"), "day": dt.date(2025, 3, 1), "many": [1, {"two": 2}], "low": -1.5}
        },
    }
    assert tomllib.loads(toml(content), parse_float=Decimal) == {
        **content, "plugins": {"one": {**content["plugins"]["one"], "low": Decimal("-1.5")}}
    }  # fmt: skip


def test_what_a_command_needs_is_guessed_or_left():
    def lines(*params):
        return commanding._guessed(click.Command("x", params=list(params)), [3, 4])

    flag = click.Option(["--json", "as_json"], is_flag=True)
    assert lines(click.Option(["--loud"], is_flag=True)) == [[]]
    assert lines(flag) == [[], ["--json"]]
    assert lines(click.Argument(["account"])) == [["3"], ["4"]]
    assert lines(click.Option(["--account", "account"], required=True)) == [["--account", "3"], ["--account", "4"]]
    assert lines(click.Argument(["account"]), flag) == [["3"], ["4"], ["3", "--json"], ["4", "--json"]]
    assert lines(click.Argument(["file"])) == []
    assert lines(click.Argument(["account"]), click.Argument(["file"])) == []
