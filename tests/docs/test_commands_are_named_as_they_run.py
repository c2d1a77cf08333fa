"""Options of ``crm`` itself stand before the command wherever one is named: in pages, in hints, in translations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from crm_core.cli.root import root

from .examples import ROOT

OPTIONS = {name for each in root.params for name in each.opts} - {"--version"}
NAMED = re.compile(r"\bcrm((?: [a-z][a-z-]*)+)([^`\n]*)")


def misplaced(text: str) -> Iterator[str]:
    """Commands that are named with an option behind them that only stands before them."""
    for found in NAMED.finditer(text):
        command: click.Command | None = root
        ctx = click.Context(root, info_name="crm")
        for word in found[1].split():
            if not isinstance(command, click.Group):
                break
            command = command.get_command(ctx, word)
        if command is None:
            continue  # words of a sentence
        own = {name for each in command.params for name in each.opts}
        said = re.split(r"[;|]|\bcrm\b", found[2])[0]
        yield from (f"{found[0]!r}: {name}" for name in re.findall(r"(?<!\S)--[a-z-]+", said)
                    if name in OPTIONS - own)  # fmt: skip


def texts() -> Iterator[Path]:
    for pattern in ("docs/**/*.md", "*.md", "examples/**/*.md", "plugins/*/*.md", "contrib/**/*.md", "crm_core/**/*.py",
                    "crm_core/**/*.po", "plugins/*/crm_*/**/*.py", "plugins/*/crm_*/**/*.po"):  # fmt: skip
        yield from ROOT.glob(pattern)


def test_commands_are_named_as_they_run() -> None:
    read = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in texts()}
    assert sum("crm --user" in text for text in read.values()) > 10
    assert {str(path): wrong for path, text in read.items() if (wrong := list(misplaced(text)))} == {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("crm today --user li.wei", True), ("`crm quality propose x --user li`", True), ("crm --user li.wei today", False),
     ("crm calendar --user LOGIN", False), ("crm list account; or crm --user li today", False),
     ("the command crm without --user", False)],
)  # fmt: skip
def test_a_misplaced_option_is_seen(text: str, wrong: bool) -> None:
    assert bool(list(misplaced(text))) == wrong
