"""Mistakes in how a command was written, in the reader's language.

click says them in English unless the whole process speaks another language; here only this application does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from crm_core.cli.helping import translator_of
from crm_core.errors import joined

__all__ = ["ConflictingOptions", "InvalidValue", "Number", "Written", "no_such_command", "usage_text"]


class InvalidValue(click.BadParameter):
    """A value that a parameter cannot take: a template and its values."""

    def __init__(self, template: str, ctx: click.Context | None, param: click.Parameter | None, **values: Any) -> None:
        super().__init__(template.format(**values), ctx, param)
        self.template = template
        self.values = values


class Number(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """A whole number between two others."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        try:
            number = int(str(value))
        except ValueError:
            number = self.least - 1
        if not self.least <= number <= self.most:
            raise InvalidValue(
                "{value!r} is no whole number from {least} to {most}.",
                ctx, param, value=str(value), least=self.least, most=self.most,
            )  # fmt: skip
        return number


class Written(click.Path):
    """A file that a command writes, and that may replace what is there: refused before anything is done if it may not.

    See :func:`crm_core.exchange.sparing.spared`.
    """

    def __init__(self, path_type: type[Any] | None = None) -> None:
        super().__init__(dir_okay=False, path_type=path_type)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, and look at what is there."""
        from crm_core.exchange.sparing import spared

        found: Any = super().convert(value, param, ctx)
        spared(Path(found))
        return found


class ConflictingOptions(click.UsageError):
    """Options that do not go together, or that need another."""

    def __init__(self, template: str, /, **values: Any) -> None:
        super().__init__(template.format(**values), click.get_current_context(silent=True))
        self.template = template
        self.values = values


def no_such_command(name: str, known: Iterable[str], ctx: click.Context) -> click.UsageError:
    """A command that nobody knows, with the nearest ones."""
    from crm_core.errors import nearest

    near = nearest(name, known, strict=True)
    if near:
        return ConflictingOptions("There is no command {name!r}. Did you mean {near}?", name=name,
                                  near=near)  # fmt: skip
    return ConflictingOptions(
        "There is no command {name!r}. '{program} --help' shows all; a plugin's commands are there when it is "
        "installed and in the build.",
        name=name,
        program=ctx.command_path,
    )


def usage_text(error: click.UsageError) -> str:
    """The line of usage, what is wrong, and where help is."""
    ctx = error.ctx
    if ctx is None:
        return error.format_message()
    translator = translator_of(ctx)
    hint = translator.format("'{program} --help' shows how it is written.", program=ctx.command_path)
    return f"{ctx.command.get_usage(ctx)}\n{joined([_what(error, ctx), hint])}"


def _before(name: str, ctx: click.Context) -> str:
    """How an option of the whole program is written that was put behind a command; empty for any other."""
    root = ctx.find_root()
    found = next((each for each in root.command.params if name in each.opts), None)
    if found is None or ctx is root:
        return ""
    program, _, rest = ctx.command_path.partition(" ")
    value = "" if getattr(found, "is_flag", False) else f" {found.metavar}"
    return f"{program} {name}{value} {rest}"


def _what(error: click.UsageError, ctx: click.Context) -> str:
    translator = translator_of(ctx)
    if isinstance(error, ConflictingOptions):
        return translator.format(error.template, **error.values)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return translator.format("{parameter} is missing.", parameter=error.param.get_error_hint(ctx))
    if isinstance(error, click.NoSuchOption):
        near = ", ".join((error.possibilities or ())[:3])
        said = translator.format("There is no option {name}.", name=error.option_name)
        if example := _before(error.option_name, ctx):
            return joined([said, translator.format("It stands before the command: {example} ...", example=example)])
        return joined([said, translator.format("Did you mean {near}?", near=near)]) if near else said
    if isinstance(error, InvalidValue):
        reason = translator.format(error.template, **error.values)
    elif isinstance(error, click.BadParameter):
        reason = error.message
    else:
        return error.format_message()
    where = error.param.get_error_hint(ctx) if error.param is not None else ""
    return f"{where}: {reason}" if where else reason
