"""Groups whose subcommands have modules of their own, imported when they are run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import click

from crm_core.cli.helping import Command, Group, translator_of

__all__ = ["LazyGroup", "WithSubcommands", "lazy"]


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
        _write_subcommands(self.subcommands, ctx, formatter)


class WithSubcommands(Command):
    """A command with an argument of its own that has subcommands, too: ``crm import FILE``, ``crm import draft FILE``.

    A group would take the first word for a subcommand, and refuse any other. Here the first word counts as one only
    when it is the name of one; a file that is called so is written ``./draft``.
    """

    subcommands: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands by name."""
        return sorted(self.subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The subcommand, imported."""
        found: click.Command = import_module(f"crm_core.cli.commands.{self.name}_{cmd_name}").command
        return found

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """A context of this command, or of the subcommand that is meant, which is run in its place."""
        if not args or args[0] not in self.subcommands:
            return super().make_context(info_name, args, parent, **extra)
        # Not through a context of this command, whose usage would name its argument before the subcommand.
        found = self.get_command(click.Context(self), args[0])
        return found.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, then the subcommands."""
        super().format_options(ctx, formatter)
        _write_subcommands(self.subcommands, ctx, formatter)


def _write_subcommands(subcommands: Mapping[str, str], ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """The subcommands, each with one line, without importing them."""
    translator = translator_of(ctx)
    with formatter.section(translator.text("Commands")):
        formatter.write_dl([(name, translator.text(line)) for name, line in sorted(subcommands.items())])


def lazy(subcommands: Mapping[str, str]) -> type[LazyGroup]:
    """A class of group with these subcommands, each with its line of help."""
    values: dict[str, Any] = {"subcommands": subcommands, "__doc__": LazyGroup.__doc__}
    return type("Lazy", (LazyGroup,), values)
