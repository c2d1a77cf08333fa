"""``crm plugins restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.assembly import Crm
    from crm_core.leaving.restoring import Restored
    from crm_core.store.leaving.exported import Exported

__all__ = ["command"]

_LABELS = {
    "followed": "now refer to what theirs was merged into",
    "emptied": "lost a reference to what is gone",
    "erased": "came back without the personal values of people who were erased",
    "rejected": "were not brought back, as what they hang on is gone",
}


@command("restore")
@argument("folder", metavar="FOLDER")
@option("--dry-run", is_flag=True, help="Only tell what the folder holds, and what would be put into the build file.")
@as_json
@pass_application
def command_restore(application: Application, folder: str, dry_run: bool, as_json: bool) -> None:
    """Bring back a plugin that 'crm plugins remove' has exported to FOLDER; it must be installed.

    Its rows come back with their ids and histories, its sections into the build file. What was merged, deleted or
    erased meanwhile is respected.
    """
    from crm_core.leaving import editing
    from crm_core.leaving.restoring import build_with, restore
    from crm_core.leaving.switching import beside

    file = application.build_file()
    exported, text = build_with(file, Path(folder))
    output = application.output
    if dry_run:
        application.open_without(exported.plugin)
        application.require("system.plugins")
        _tell(application, exported, as_json)
        return
    trial = beside(file)
    trial.write_text(editing.unlocked(text), encoding="utf-8")
    try:
        application.build = trial
        crm = _opened(application, exported)
        application.require("system.plugins")
        with output.progress() as bar:
            task = bar.add_task(exported.plugin, total=None)
            done = restore(
                crm,
                Path(folder),
                lambda what, part, rows: bar.update(task, description=f"{what} {part}", completed=rows),
            )
        editing.write(file, text)
    finally:
        trial.unlink(missing_ok=True)
    _print(application, done, as_json)


command = command_restore


def _opened(application: Application, exported: Exported) -> Crm:
    from crm_core.errors import BuildError

    try:
        return application.open(check=False)
    except BuildError as error:
        raise BuildError(
            "The plugin {plugin} ({origin}) cannot be brought back into this build:",
            error.problems,
            plugin=exported.plugin,
            origin=f"{exported.distribution} {exported.version}",
        ) from error


def _tell(application: Application, exported: Exported, as_json: bool) -> None:
    output = application.output
    rows = [(each.table, each.record or "", each.rows) for each in exported.tables]
    if as_json:
        tables = [{"name": table, "record": record, "rows": count} for table, record, count in rows]
        output.json({"done": False, "plugin": exported.plugin, "revision": exported.revision, "tables": tables})
        return
    output.table(("table", "record", "rows"), [(table, record, str(count)) for table, record, count in rows],
                 title=exported.plugin)  # fmt: skip
    output.say("Nothing was changed.")


def _print(application: Application, done: Restored, as_json: bool) -> None:
    output, brought = application.output, done.brought
    counts = {name: dict(getattr(brought, name)) for name in _LABELS}
    if as_json:
        output.json({
            "done": True, "plugin": done.exported.plugin, "rows": dict(brought.rows), **counts,
            "rejects": str(brought.rejects) if brought.rejects else None,
        })  # fmt: skip
        return
    rows = [
        (record, output.translator.text(_LABELS[what]), str(count))
        for what, found in counts.items() for record, count in sorted(found.items())
    ]  # fmt: skip
    if rows:
        output.table(("record", "what", "count"), rows)
    if brought.rejects is not None:
        output.say("What was not brought back is in {file}.", file=str(brought.rejects))
    output.say("The plugin {plugin} is back, with {rows} rows.", plugin=done.exported.plugin,
               rows=sum(brought.rows.values()) - sum(brought.rejected.values()))  # fmt: skip
