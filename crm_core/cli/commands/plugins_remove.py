"""``crm plugins remove``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.leaving.removing import RemovalPlan

__all__ = ["command"]


@command("remove")
@argument("name", metavar="NAME")
@option("--dry-run", is_flag=True, help="Only tell what would be done, and what stands in the way.")
@option(
    "--export-to",
    "folder",
    metavar="FOLDER",
    help="Where everything is exported to; else a new folder in 'removed' beside the build file.",
)
@option("--yes", is_flag=True, help="Do not ask.")
@as_json
@pass_application
def command_remove(
    application: Application, name: str, dry_run: bool, folder: str | None, yes: bool, as_json: bool
) -> None:
    """Remove a plugin with all that it has, after everything was exported and read back.

    Its tables go by its own migrations, or by their names where those are not there; its settings, the grants of its
    permissions and the like go from the build file; the journal stays. Stop workers and applications first. 'crm
    plugins restore' brings all of it back.
    """  # fmt: skip
    from crm_core.leaving.removing import plan_removal, remove

    crm = application.open_without(name)
    application.require("system.plugins")
    plan = plan_removal(crm, name, Path(folder) if folder else None, file=application.build_file())
    output = application.output
    if not as_json:
        _print(application, plan)
    if dry_run:
        if as_json:
            output.json({"done": False, **plan.as_json()})
        else:
            output.say("Nothing was changed.")
        return
    if not plan.obstacles and not yes:
        question = output.translator.format("Remove the plugin {plugin} now?", plugin=name)
        if not sys.stdin.isatty():
            raise click.UsageError(output.translator.text("Nothing was changed. Say --yes to remove it unasked."))
        click.confirm(question, abort=True, err=True)
    with output.progress() as bar:
        task = bar.add_task(name, total=None)
        done = remove(
            crm, plan, lambda what, part, rows: bar.update(task, description=f"{what} {part}", completed=rows)
        )
    if as_json:
        output.json({"done": True, "rows": done.rows if done else 0, **plan.as_json()})
    elif done is not None:
        output.say("Removed. {rows} rows are in {folder}. To have all of it back: crm plugins restore {folder}",
                   rows=done.rows, folder=str(plan.folder))  # fmt: skip
        output.note("The folder holds personal data as far as the plugin did: erasing a person does not reach it.")
    else:
        output.say("Removed. The database held nothing of it.")


command = command_remove


def _print(application: Application, plan: RemovalPlan) -> None:
    translator, output = application.translator, application.output
    for number, step in enumerate(plan.steps(), start=1):
        output.line(f"{number}. {translator.error(step)}")
    if plan.taken and plan.build_file is not None:
        output.heading(translator.text("Taken out of the build file"))
        output.line(plan.taken.strip())
        output.line()
    if plan.obstacles:
        output.table(("what",), [(translator.error(each),) for each in plan.obstacles], title="What stands in the way")
