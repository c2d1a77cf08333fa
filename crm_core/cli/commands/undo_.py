"""``crm undo``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.moments import shown
from crm_core.cli.records import plain
from crm_core.cli.times import as_json
from crm_core.cli.usage import ConflictingOptions, Number
from crm_core.errors import NotFound
from crm_core.store.history import change_sets

if TYPE_CHECKING:
    from crm_core.store.changes import ChangeSet
    from crm_core.store.undo import UndoReport

__all__ = ["command", "print_undo", "undo_json"]


_LABELS = ("deleted", "restored", "reverted")
_SOURCE_LABELS = {
    "cli": "command", "import": "import", "merge": "merge", "undo": "undo", "job": "job", "init": "set up",
    "shell": "shell", "reindex": "reindex", "schedule": "schedule",
}  # fmt: skip
"""What made a change set, by the name that the journal keeps."""


@command("undo")
@argument("change_set", metavar="[CHANGE_SET]", type=Number(1, 2**63 - 1), required=False)
@option("--last", is_flag=True, help="Undo the latest change set.")
@option("--dry-run", is_flag=True, help="Only tell what would be done, and what stands in the way.")
@option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
@option("--limit", type=Number(1, 1000), default=20, metavar="N", help="How many to list. Else 20.")
@as_json
@pass_application
def command_undo(
    application: Application,
    change_set: int | None,
    last: bool,
    dry_run: bool,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Undo a change set as a whole, as a new one; without CHANGE_SET list the latest.

    Later changes of the same fields stand in the way; then nothing is changed, and each of them is told. An undo can
    be undone.
    """
    if change_set is not None and last:
        raise ConflictingOptions("Give either a change set or --last.")
    if change_set is None and not last:
        _list(application, limit, as_json)
        return
    with application.session(reason=reason) as session:
        if change_set is None:
            latest = change_sets(session, 1)
            if not latest:
                raise NotFound("There is no change set yet.", mend="'crm import' makes one.")
            change_set = latest[0].id
        report: UndoReport = session.undo(change_set, dry_run=dry_run)
    made = None if dry_run else session.last_change_set
    if as_json:
        application.output.json(undo_json(report, made))
    else:
        print_undo(application, report, made)


command = command_undo


def _list(application: Application, limit: int, as_json: bool) -> None:
    tz = application.crm.build.policy.tz
    with application.looking() as session:
        found = change_sets(session, limit)
    if as_json:
        application.output.json({"change_sets": [_head(each) for each in found]})
        return
    translator = application.translator
    application.output.table(
        ("change set", "when", "who", "source", "undoes", "reason"),
        (
            (str(each.id), shown(each.at, tz), each.principal,
             translator.word(each.source, _SOURCE_LABELS.get(each.source)), str(each.undoes or ""), each.reason or "")
            for each in found
        ),
    )  # fmt: skip
    application.output.note("'crm undo CHANGE_SET --dry-run' tells what an undo would do.")


def _head(each: ChangeSet) -> dict[str, Any]:
    return {
        "id": each.id,
        "at": plain(each.at),
        "principal": each.principal,
        "reason": each.reason,
        "source": each.source,
        "undoes": each.undoes,
    }


def undo_json(report: UndoReport, made: int | None) -> dict[str, Any]:
    """What an undo did, as JSON."""
    return {
        "undone": _head(report.undone),
        "dry_run": report.dry_run,
        "change_set": made,
        "deleted": report.deleted,
        "restored": report.restored,
        "reverted": report.reverted,
        "conflicts": [str(each) for each in report.conflicts],
    }


def print_undo(application: Application, report: UndoReport, made: int | None) -> None:
    """What an undo did, for people."""
    output, translator = application.output, application.translator
    rows = [
        (translator.text(what), translator.named(name), str(count))
        for what in _LABELS for name, count in sorted(getattr(report, what).items())
    ]  # fmt: skip
    if rows:
        output.table(("what", "record", "count"), rows)
    for conflict in report.conflicts:
        output.line(f"  - {translator.error(conflict)}")
    if report.dry_run and report.conflicts:
        output.say("The change set {id} cannot be undone: later changes stand on it ({count}).", id=report.undone.id,
                   count=len(report.conflicts))  # fmt: skip
    elif report.dry_run:
        output.say("The change set {id} can be undone. Nothing was changed.", id=report.undone.id)
    elif made is None:
        output.say("There was nothing left to undo in the change set {id}.", id=report.undone.id)
    else:
        output.say("Undone: the change set {id}. To bring it back: crm undo {made}", id=report.undone.id, made=made)
