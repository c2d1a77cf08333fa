"""``crm split``."""

from __future__ import annotations

from crm_core.cli.application import Application, pass_application
from crm_core.cli.commands.undo_ import print_undo, undo_json
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json
from crm_core.cli.usage import Number
from crm_core.store import merging

__all__ = ["command"]


@command("split")
@argument("type_name", metavar="TYPE")
@argument("source", metavar="SOURCE", type=Number(1, 2**63 - 1))
@option("--dry-run", is_flag=True, help="Only tell what would be done, and what stands in the way.")
@option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
@as_json
@pass_application
def command_split(
    application: Application, type_name: str, source: int, dry_run: bool, reason: str | None, as_json: bool
) -> None:
    """Take apart what was merged: SOURCE is the id of the record of this TYPE that went into another.

    All that the merge changed is as it was before. What was changed since stands in the way; then nothing is changed.
    """
    record_type = application.crm.store.find_type(type_name)
    with application.session(reason=reason) as session:
        report = merging.split(session, source, dry_run=dry_run, record_type=record_type)
    made = None if dry_run else session.last_change_set
    if as_json:
        application.output.json(undo_json(report, made))
    else:
        print_undo(application, report, made)


command = command_split
