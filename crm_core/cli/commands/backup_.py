"""``crm backup``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.telling import telling
from crm_core.cli.times import as_json

__all__ = ["command"]

_WORDS = {
    "opened": "Read back: the database opens, it is sound, and all {rows} rows in {tables} tables are those that "
    "were saved.",
    "restored": "Read back: restored into a database of its own, all {rows} rows in {tables} tables are those that "
    "were saved.",
    "listed": "Read back: the dump is whole and names all {tables} tables. It was not restored anywhere, because the "
    "user may not create databases; that is a weaker check.",
}


@command("backup")
@argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("--database", metavar="URL", help="The database to save; else that of the build file.")
@as_json
@pass_application
def command_backup(application: Application, file: Path, database: str | None, as_json: bool) -> None:
    """Save the database with its build file and lock in FILE, while others go on working.

    One moment of the database, written to another name, read back and compared, and only then called FILE. A file that
    is there is not replaced. On PostgreSQL the programs pg_dump and pg_restore of the server's version are needed.
    """
    from crm_core.builds.backing_up import backup

    application.as_no_user()
    build = application.assemble(strict=False, locked=False)
    with telling(application.output) as tell:
        made = backup(build, file, tell, database=database)
    manifest = made.archive.manifest
    output = application.output
    for left in made.left:
        output.note("An interrupted run had left {path}; it was removed.", path=left.path)
    if as_json:
        found: dict[str, Any] = {
            "file": str(made.file), "sha256": made.sha256, "size": made.size, "verified": made.verified,
            "manifest": manifest.as_json(),
        }  # fmt: skip
        output.json(found)
        return
    output.say(_WORDS[made.verified], rows=manifest.rows, tables=len(manifest.tables))
    output.say("Wrote {file} ({size} bytes, SHA-256 {sha256}).", file=str(file), size=made.size, sha256=made.sha256)


command = command_backup
