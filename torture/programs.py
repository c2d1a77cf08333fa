"""The programs of this package, imported when they are run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

__all__ = ["APART", "PROGRAMS", "Programs"]

PROGRAMS: Mapping[str, str] = {
    "faults": "Kill, fill the disk, cut connections, stop the server; nothing may be lost, doubled or half there.",
    "writers": "Write with many processes at once; no update, owner or entry of the feed may be lost or doubled.",
    "leaks": "Ask as random people in every way there is; nobody may see more, or less, than they should.",
    "mutation": "Change the code that decides about sight, owners and history in small ways; tests must notice.",
    "fuzz": "Bring what nobody should bring: nothing may break, hang, grow or be lost in silence.",
}
"""What each does, in the order in which they are run; ``torture.<name>.command`` is its module."""

APART = frozenset({"mutation"})
"""Those that are not run with all the others, because it is the kernel that they change, not a CRM."""


class Programs(click.Group):
    """Knows its programs by name; each has a module ``torture.<name>.command`` with a ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The programs, and what this group has of its own."""
        return [*PROGRAMS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The program of this name, imported."""
        if cmd_name not in PROGRAMS:
            return super().get_command(ctx, cmd_name)
        found: click.Command = import_module(f"torture.{cmd_name}.command").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The programs, each with one line, without importing them."""
        own = [(name, each.get_short_help_str(90)) for name, each in sorted(self.commands.items())]
        with formatter.section("Programs"):
            formatter.write_dl([*PROGRAMS.items(), *own])
