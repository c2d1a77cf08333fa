"""``crm contacts``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.cli.application import PRINCIPAL, Application, pass_application
from crm_core.cli.helping import argument, group, option
from crm_core.cli.imported import print_reasons
from crm_core.cli.moments import shown
from crm_core.cli.times import as_json
from crm_core.views.showing import kind_labels, pieces

if TYPE_CHECKING:
    from crm_core.exchange.moved import MovedReport
    from crm_core.exchange.report import Progress

__all__ = ["command"]

_SHOWN = 20
_WHAT_LABELS = {"moved": "Another employer", "changed": "Another role", "left": "Left"}


@group("contacts", no_args_is_help=True)
def command() -> None:
    """Work with many people at once."""


@command.command("moved")
@argument("file")
@option("--dry-run", is_flag=True, help="Do everything, tell of it, and take it back.")
@option(
    "--rejects", metavar="FILE", help="Where rejected rows go, each with its line and reason: .csv, .jsonl or .xlsx."
)
@option(
    "--encoding", default="auto", metavar="NAME", help="In which encoding the file is written. Else it is found out."
)
@option(
    "--sheet", metavar="NAME", help="Of a spreadsheet the sheet with this name or number. Else the first that is shown."
)
@option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
@as_json
@pass_application
def moved(
    application: Application,
    file: str,
    dry_run: bool,
    rejects: str | None,
    encoding: str,
    sheet: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Take in people who changed employer or role, from FILE (CSV, a spreadsheet or JSON lines).

    A person is found by any contact point. The old affiliation ends, the new one begins; what is open and hangs on
    the old one is put into the queue of data quality for whoever is to do it. All of it is one change set.
    """
    from crm_core.exchange import contacts_moved

    crm = application.crm
    with application.output.progress() as bar:
        task = bar.add_task("moved", total=None)

        def tell(progress: Progress) -> None:
            total = round(progress.rows / progress.share) if progress.share > 0 else None
            bar.update(task, completed=progress.rows, total=total)

        report = contacts_moved(
            crm, file, dry_run=dry_run, rejects_path=rejects, encoding=encoding, sheet=sheet or "",
            principal=PRINCIPAL, login=application.user, reason=reason, progress=tell, translate=application.translator,
        )  # fmt: skip
    if as_json:
        application.output.json(report.as_json())
    else:
        _print(application, report)


def _print(application: Application, report: MovedReport) -> None:
    from crm_core.cli.overviews import print_failed

    output, translator, tz = application.output, application.translator, application.crm.build.policy.tz
    with application.looking() as session:
        kinds = kind_labels(session, translator, {each.kind for each in report.flagged})
    if report.moves:
        output.table(
            ("line", "who", "what", "from", "to", "since"),
            (
                (
                    str(each.line), f"{each.contact_id} {each.name}", translator.text(_WHAT_LABELS[each.what]),
                    ", ".join(name for _, name in each.ended), each.account or "", shown(each.at, tz),
                )
                for each in report.moves
            ),
        )  # fmt: skip
    if report.flagged:
        ids = [] if report.dry_run else ["id"]
        output.table(
            (*ids, "who", "kind", "what", "due", "for"),
            (
                (
                    *(str(each.issue_id) for _ in ids),
                    each.name,
                    kinds[each.kind],
                    f"{translator.text(each.title)}\n{pieces(each.text, translator.text)}".rstrip(),
                    shown(each.due, tz),
                    each.user or "",
                )
                for each in report.flagged
            ),
            title="What hung on their former places",
        )
        if not report.dry_run:
            output.note("'crm quality' shows what waits; 'crm quality close ID' when it is mended.")
    print_failed(output, report.failed)
    print_reasons(application, report, _SHOWN)
    for path, sheet in report.unread_sheets:
        output.say("The sheet {sheet} of {file} was not read.", sheet=sheet, file=path)
    if report.ignored_columns:
        output.note("Columns that mean nothing here: {columns}", columns=", ".join(report.ignored_columns))
    output.say(
        "Read: {read}; moved: {moved}, unchanged: {unchanged}, rejected: {rejected}; new contact points: {points}.",
        read=report.read, moved=len(report.moves), unchanged=report.unchanged, rejected=report.rejected,
        points=report.points,
    )  # fmt: skip
    if report.dry_run:
        output.say("It was a dry run: nothing was changed.")
    elif report.change_set is None:
        output.say("Nothing was changed.")
    else:
        output.say("Done as the change set {id}. To take it back: crm undo {id}", id=report.change_set)
