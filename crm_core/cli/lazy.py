"""Groups whose subcommands have modules of their own, imported when they are run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import click

from crm_core.cli.helping import Group, translator_of

__all__ = ["LazyGroup", "lazy"]


class LazyGroup(Group):
    """Knows its subcommands by name; ``crm build lock`` lies in the module ``build_lock``."""

    subcommands: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands by name."""
        return sorted(self.subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand, imported."""
        if cmd_name not in self.subcommands:
            return None
        found: click.Command = import_module(f"crm_core.cli.commands.{self.name}_{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The subcommands, each with one line, without importing them."""
        translator = translator_of(ctx)
        with formatter.section(translator.text("Commands")):
            formatter.write_dl([(name, translator.text(line)) for name, line in sorted(self.subcommands.items())])


def lazy(subcommands: Mapping[str, str]) -> type[LazyGroup]:
    """A class of group with these subcommands, each with its line of help."""
    values: dict[str, Any] = {"subcommands": subcommands, "__doc__": LazyGroup.__doc__}
    return type("Lazy", (LazyGroup,), values)
