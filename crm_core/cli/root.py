"""The command ``crm`` itself: what holds for all commands, and which commands there are.

A command's module is imported when the command is run. Help shows the lines below, and for plugins those of their
manifests.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from crm_core.cli.application import Application
from crm_core.cli.helping import Group, Option, option, translator_of

__all__ = ["COMMANDS", "root"]

_BUILD_VARIABLE = "CRM_BUILD"

COMMANDS: Mapping[str, str] = {
    "init": "Start a CRM: write its build file and make its database.",
    "migrate": "Bring the database up to date with the build.",
    "backup": "Save the database with its build file, verified by reading it back.",
    "restore": "Put a backup back, or verify one.",
    "journal": "Keep years of history: show the parts of the journal, begin, detach and attach them.",
    "plugins": "Show what is loaded and who is called when; switch plugins off and on, remove and restore them.",
    "plugin": "Make a plugin, and check that it conforms.",
    "import": "Import data files by a mapping, as one change set that can be undone.",
    "export": "Write records to a file.",
    "calendar": "Write somebody's activities as a calendar.",
    "undo": "Undo a change set, or list the latest ones.",
    "show": "Show one record; of an account its overview.",
    "list": "List records that match a filter.",
    "search": "Find records by any part of a text, by pinyin, initials or digits.",
    "duplicates": "List records that might be the same; work out their match keys anew.",
    "merge": "Merge two records that are the same.",
    "split": "Take apart what was merged.",
    "history": "Show who changed a record, when and why.",
    "timeline": "Show what happened with an account, and what is planned.",
    "pool": "Look into the pools of customers without an owner; claim, recycle, simulate.",
    "today": "Say what is new about my accounts, and what to do next.",
    "worker": "Do what is due: tell plugins what was committed, keep schedules, run jobs.",
    "jobs": "Show the queue of jobs; repeat, run and drop them.",
    "handover": "Hand customers over, brief the successors, and take it back.",
    "transfer": "Give accounts another owner.",
    "user": "Show our own people and their places; let them come and go.",
    "unit": "Show the units of our own company as a tree; make and move them.",
    "duties": "Show how reporting duties are met, and what is overdue; confirm that nothing changed.",
    "quality": "Show what is to be decided or mended in the data; propose, approve, refuse.",
    "contacts": "Take in people who changed employer or role, from a file.",
    "build": "Look at the build as a whole: fields that people must fill and nobody uses.",
    "shell": "Work with the CRM in Python.",
    "demo": "Import a demo company and look around.",
}
"""The commands of the kernel, each with its line of help."""


class Root(Group):
    """Knows its commands by name, and imports them one at a time."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """A context with an application of its own."""
        extra.setdefault("obj", Application())
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Learn which plugins stay untouched before anything looks at one: ``--help`` would come first otherwise."""
        application = _application(ctx)
        try:
            given, _, _ = self.make_parser(ctx).parse_args(list(args))
        except click.UsageError:
            given = {}  # told in a moment
        application.without = ("*",) if given.get("no_plugins") else tuple(given.get("without") or ())
        build = given.get("build") or os.environ.get(_BUILD_VARIABLE)
        application.build = Path(build) if build else None
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The kernel's commands, then those of installed plugins."""
        return [*COMMANDS, *_of_plugins(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported."""
        if cmd_name in COMMANDS:
            from importlib import import_module

            found: click.Command = import_module(f"crm_core.cli.commands.{cmd_name}_").command
            return found
        application = ctx.find_object(Application)
        if application is None:
            return None
        from crm_core.cli.plugin_commands import command_of

        return command_of(application, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a misspelt one is answered by the nearest names."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from crm_core.cli.usage import no_such_command

            raise no_such_command(name, self.list_commands(ctx), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """All commands, without importing one of them."""
        translator = translator_of(ctx)
        with formatter.section(translator.text("Commands")):
            formatter.write_dl([(name, translator.text(line)) for name, line in COMMANDS.items()])
        plugins = _of_plugins(ctx)
        if plugins:
            if translator.language != "en":
                from crm_core.cli.plugin_commands import catalogues

                translator = translator.also(catalogues(_application(ctx)))
            with formatter.section(translator.text("Commands of installed plugins")):
                formatter.write_dl(
                    [(name, translator.text(each.help, plugin)) for name, (plugin, each) in sorted(plugins.items())]
                )


def _application(ctx: click.Context) -> Application:
    return ctx.find_object(Application) or Application()


def _of_plugins(ctx: click.Context) -> Mapping[str, Any]:
    from crm_core.assembly.discovery import commands

    return {name: each for name, each in commands(_application(ctx).installed).items() if name not in COMMANDS}


def _speak(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    from crm_core.translation import LANGUAGES, language_of

    language = language_of(value)
    application = ctx.find_object(Application)
    if language is None:
        raise click.BadParameter(
            translator_of(ctx).format(
                "{value!r} is not among the languages of crm-core: {known}.", value=value, known=", ".join(LANGUAGES)
            ),
            ctx,
        )
    if application is not None:
        application.speak(language)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from crm_core import __version__

        click.echo(f"crm-core {__version__}")
        ctx.exit()


@click.group("crm", cls=Root, no_args_is_help=True)
@option(
    "--build",
    metavar="PATH",
    envvar=_BUILD_VARIABLE,
    show_envvar=True,
    expose_value=False,
    help="The build file; else the nearest crm.toml in this folder or above.",
)
@option("--user", metavar="LOGIN", help="Act as this user, with their rights; else as the system principal cli.")
@option(
    "--lang",
    metavar="zh_CN|en",
    is_eager=True,
    expose_value=False,
    callback=_speak,
    help="The language of the output; else that of the environment (LC_ALL, LC_MESSAGES, LANG).",
)
@option("--tolerant", is_flag=True, help="Leave out plugins that are broken, rather than refuse to start.")
@option(
    "--without",
    metavar="PLUGIN",
    multiple=True,
    expose_value=False,
    help="Leave out this plugin and what requires it, before anything of it is imported; may be repeated.",
)
@option(
    "--no-plugins",
    is_flag=True,
    expose_value=False,
    help="Leave out all plugins, before anything of them is imported.",
)
@option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version",
    cls=Option,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_obj
def root(application: Application, user: str | None, tolerant: bool, debug: bool) -> None:
    """A CRM made of plugins: ask it, fill it, take things back.

    Every command that prints data can print JSON instead (--json).
    """  # fmt: skip
    application.user = user
    application.tolerant = tolerant
    application.debug = debug
