"""``crm restore``."""

from __future__ import annotations

from pathlib import Path

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.telling import telling
from crm_core.cli.times import as_json
from crm_core.cli.usage import ConflictingOptions

__all__ = ["command"]


@command("restore")
@argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("--to", "database", metavar="URL", help="The database to restore into; a new one, or one without tables.")
@option("--force", is_flag=True, help="Replace what is in that database.")
@option("--check", is_flag=True, help="Only verify the file.")
@as_json
@pass_application
def command_restore(
    application: Application, file: Path, database: str | None, force: bool, check: bool, as_json: bool
) -> None:
    """Put a backup back, or verify it.

    The file is verified first, and the tables are compared before anybody sees them. Where something is not right, or
    the command is interrupted, the database stays as it was. No build file is needed: the one in the backup can be
    taken out of it by any tool that knows zip archives.
    """
    from crm_core.builds.restoring import check_backup, restore

    application.as_no_user()
    if check == (database is not None):
        raise ConflictingOptions("Give either --to, or --check.")
    output = application.output
    with telling(output) as tell:
        done = None if database is None else restore(file, database, tell, force=force)
        manifest = (check_backup(file, tell) if done is None else done.archive).manifest
    place = None if done is None else done.database
    for each in () if done is None else done.left:
        output.note("An interrupted run had left {path}; it was removed.", path=each.path)
    if as_json:
        output.json({"file": str(file), "restored_to": place, "manifest": manifest.as_json()})
    elif place is None:
        output.say(
            "{file} is whole: {name} of {made_at}, {rows} rows in {tables} tables.",
            file=str(file), name=manifest.name, made_at=manifest.made_at.isoformat(timespec="seconds"),
            rows=manifest.rows, tables=len(manifest.tables),
        )  # fmt: skip
    else:
        output.say(
            "Restored into {database}: {name} of {made_at}. All {rows} rows in {tables} tables are those that were "
            "saved.",
            database=place, name=manifest.name, made_at=manifest.made_at.isoformat(timespec="seconds"),
            rows=manifest.rows, tables=len(manifest.tables),
        )  # fmt: skip
        output.say("Let the build file name this database, and run 'crm migrate --plan'.")


command = command_restore
