"""``crm plugin``: for authors of plugins. Each subcommand has a module of its own, imported when it is run."""

from __future__ import annotations

from collections.abc import Mapping

import click

from crm_core.cli.helping import Group, group, translator_of

__all__ = ["SUBCOMMANDS", "command"]

SUBCOMMANDS: Mapping[str, str] = {
    "new": "Write a complete distribution for a new plugin, whose tests pass at once.",
    "verify": "Check that a plugin conforms, by the conformance kit.",
}
"""The subcommands, each with its line of help."""


class _Lazy(Group):
    """Imports a subcommand when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands by name."""
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand, imported."""
        if cmd_name not in SUBCOMMANDS:
            return None
        return _load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The subcommands, each with one line, without importing them."""
        translator = translator_of(ctx)
        with formatter.section(translator.text("Commands")):
            formatter.write_dl([(name, translator.text(line)) for name, line in sorted(SUBCOMMANDS.items())])


def _load(name: str) -> click.Command:
    from importlib import import_module

    found: click.Command = import_module(f"crm_core.cli.commands.plugin_{name}").command
    return found


@group("plugin", cls=_Lazy, no_args_is_help=True)
def command() -> None:
    """Make a plugin, and check that it conforms."""
