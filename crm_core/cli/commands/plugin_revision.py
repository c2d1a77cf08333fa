"""``crm plugin revision``."""

from __future__ import annotations

from crm_core.cli.application import Application, pass_application
from crm_core.cli.commands.plugin_verify import config_of
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json

__all__ = ["command"]


@command("revision")
@argument("name", metavar="NAME")
@option("-m", "--message", required=True, metavar="TEXT", help="What it changes, in a few words: the file is named so.")
@option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@as_json
@pass_application
def write_revision(application: Application, name: str, message: str, dry_run: bool, as_json: bool) -> None:
    """Write the next revision of a plugin: from what its revisions make to what its records declare now.

    NAME is an installed plugin, or its distribution. Read the file before you ship it: a renamed field looks like one
    that is dropped and one that is added. With --build before the command, the settings in that build file are used.
    """
    from crm_core.authoring import next_revision

    made = next_revision(name, message, config=config_of(application), dry_run=dry_run)
    output = application.output
    if as_json:
        output.json({
            "plugin": made.plugin, "file": str(made.file), "code": made.code, "written": not dry_run,
            "notes": [text.format_map(values) for text, values in made.notes],
        })  # fmt: skip
        return
    output.line(made.code.rstrip())
    for text, values in made.notes:
        output.note(text, **values)
    if dry_run:
        output.say("It was a dry run: {file} was not written.", file=str(made.file))
    else:
        output.say("Written: {file}", file=str(made.file))
        output.say("Read it, then run 'crm migrate' and the tests of the plugin.")


command = write_revision
