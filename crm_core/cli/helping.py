"""Commands and options whose help is shown in the reader's language.

Nothing here imports more than click: ``crm --help`` must be quick.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import click

from crm_core.cli.application import Application
from crm_core.cli.formatting import Context
from crm_core.translation import ENGLISH, Translator

__all__ = ["Command", "Group", "Option", "argument", "command", "group", "one_line", "option", "translator_of"]

F = TypeVar("F", bound=Callable[..., Any])


def translator_of(ctx: click.Context) -> Translator:
    """The translator of the application that this command belongs to."""
    application = ctx.find_object(Application)
    return ENGLISH if application is None else application.translator


class Option(click.Option):
    """An option with translated help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Names and help of the option."""
        shown = copy.copy(self)
        shown.help = translator_of(ctx).text(one_line(self.help or ""))
        return click.Option.get_help_record(shown, ctx)


class Command(click.Command):
    """A command with translated help."""

    context_class = Context

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The line of usage."""
        prefix = translator_of(ctx).text("Usage:") + " "
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the command does, paragraph by paragraph."""
        translator = translator_of(ctx)
        for paragraph in inspect.cleandoc(self.help or "").split("\n\n"):
            formatter.write_paragraph()
            with formatter.indentation():
                raw = paragraph.startswith("\b\n")
                formatter.write_text(paragraph if raw else translator.text(one_line(paragraph)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        records = [record for each in options if (record := each.get_help_record(ctx)) is not None]
        with formatter.section(translator_of(ctx).text("Options")):
            formatter.write_dl(records)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option ``--help``."""
        found = super().get_help_option(ctx)
        if found is not None and not isinstance(found, Option):
            found = self._help_option = Option(
                found.opts, is_flag=True, is_eager=True, expose_value=False, callback=found.callback,
                help="Show this message and exit.",
            )  # fmt: skip
        return found


class Group(Command, click.Group):
    """A group of commands with translated help."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, each with one line."""
        translator = translator_of(ctx)
        rows = [(name, _first(each, translator)) for name, each in sorted(self.commands.items())]
        with formatter.section(translator.text("Commands")):
            formatter.write_dl(rows)


def _first(each: click.Command, translator: Translator) -> str:
    """The first sentence of a command's help; catalogues hold whole paragraphs."""
    paragraph = one_line(inspect.cleandoc(each.help or "").split("\n\n")[0])
    said = translator.text(paragraph)
    return translator.text(each.get_short_help_str(200)) if said == paragraph else said.partition("。")[0] + "。"


def command(name: str, cls: type[Command] = Command, **options: Any) -> Callable[[F], Command]:
    """Like :func:`click.command`, with translated help."""
    return click.command(name, cls=cls, **options)


def group(name: str, cls: type[Group] = Group, **options: Any) -> Callable[[F], Group]:
    """Like :func:`click.group`, with translated help."""
    return click.group(name, cls=cls, **options)


def option(*names: str, **options: Any) -> Callable[[F], F]:
    """Like :func:`click.option`, with translated help."""
    return click.option(*names, cls=Option, **options)


def argument(name: str, **options: Any) -> Callable[[F], F]:
    """Like :func:`click.argument`."""
    return click.argument(name, **options)


def one_line(text: str) -> str:
    """A paragraph without the line breaks of the source, as catalogues hold it."""
    return " ".join(text.split())
