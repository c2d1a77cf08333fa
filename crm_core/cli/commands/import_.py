"""``crm import``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.cli.application import PRINCIPAL, Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.imported import print_change_set, print_doubles, print_reasons, print_rejected
from crm_core.cli.lazy import WithSubcommands
from crm_core.cli.moments import MOMENT, When
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from rich.progress import TaskID

    from crm_core.exchange import ImportReport, Progress

__all__ = ["SUBCOMMANDS", "command", "import_", "print_import"]

SUBCOMMANDS: Mapping[str, str] = {
    "draft": "Propose a mapping for a table, or for a folder of tables.",
}
"""The subcommands, each with its line of help."""

_CARDS, _CALENDARS = (".vcf", ".vcard"), (".ics", ".ical")
_WITHOUT_SHEETS = (*_CARDS, *_CALENDARS)
_SHOWN = 5
_LABELS = ("read", "created", "updated", "unchanged", "skipped", "rejected")


class _Import(WithSubcommands):
    """``crm import``."""

    subcommands = SUBCOMMANDS


@command("import", cls=_Import)
@argument("mapping", metavar="MAPPING|FILE")
@option("--data", default=".", metavar="DIR", help="The folder with the data files. Else this one.")
@option("--dry-run", is_flag=True, help="Do everything, tell of it, and take it back.")
@option(
    "--rejects", metavar="FILE", help="Where rejected rows go, each with its line and reason: .csv, .jsonl or .xlsx."
)
@option(
    "--sheet", metavar="NAME", help="Of spreadsheets the sheet with this name or number, where the mapping names none."
)
@option("--system", metavar="NAME", help="Of address books and calendars: whose keys they have; else vcard, icalendar.")
@option("--known-companies", is_flag=True, help="Of address books: make no accounts; leave out places at others.")
@option("--for", "whose", metavar="LOGIN", help="Of calendars: whose activities, where none of us is among the people.")
@option(
    "--since", type=MOMENT, metavar="DATE", help="Of calendars: from when what comes again is taken; else a year back."
)
@option("--until", type=MOMENT, metavar="DATE", help="Of calendars: until when; else a year ahead.")
@option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
@as_json
@pass_application
def command_import(
    application: Application,
    mapping: str,
    data: str,
    dry_run: bool,
    rejects: str | None,
    sheet: str | None,
    system: str | None,
    known_companies: bool,
    whose: str | None,
    since: When | None,
    until: When | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Import data files as the file MAPPING says, an address book (.vcf) or a calendar (.ics).

    All of it is one change set that can be undone. A second run with newer files updates instead of doubling. Rows
    that cannot be taken are rejected, each with its reason; the others are imported. For a table without a mapping,
    'crm import draft' proposes one.
    """  # fmt: skip
    if sheet and mapping.lower().endswith(_WITHOUT_SHEETS):
        from crm_core.exchange.sources import without_sheets

        raise without_sheets([Path(mapping)])
    if mapping.lower().endswith(_CARDS):
        from crm_core.cli.address_books import import_cards

        import_cards(
            application, Path(mapping), dry_run=dry_run, rejects=Path(rejects) if rejects else None, system=system,
            known_companies=known_companies, reason=reason, as_json=as_json,
        )  # fmt: skip
        return
    if mapping.lower().endswith(_CALENDARS):
        from crm_core.cli.calendars import import_events

        import_events(
            application, Path(mapping), dry_run=dry_run, rejects=Path(rejects) if rejects else None, system=system,
            user=whose, since=since, until=until, reason=reason, as_json=as_json,
        )  # fmt: skip
        return
    report = import_(
        application,
        Path(mapping),
        Path(data),
        dry_run=dry_run,
        rejects=Path(rejects) if rejects else None,
        reason=reason,
        sheet=sheet or "",
    )
    if as_json:
        application.output.json(report.as_json())
    else:
        print_import(application, report)


command = command_import


def import_(
    application: Application,
    mapping: Path,
    data: Path,
    *,
    dry_run: bool = False,
    rejects: Path | None = None,
    reason: str | None = None,
    sheet: str = "",
) -> ImportReport:
    """Import with a bar."""
    from crm_core.exchange import run_import

    crm = application.crm
    with application.output.progress() as bar:
        tasks: dict[int, TaskID] = {}

        def tell(progress: Progress) -> None:
            if progress.number not in tasks:
                tasks[progress.number] = bar.add_task(progress.section, total=None)
            # The end of a file is known in bytes, not in rows: the total is what the rest would come to.
            total = round(progress.rows / progress.share) if progress.share > 0 else None
            bar.update(tasks[progress.number], completed=progress.rows, total=total)

        def wait(record: str) -> None:
            application.output.note(
                "Something else, such as an import, is changing records of type {record}. This begins when it has "
                "ended.",
                record=record,
            )

        return run_import(
            crm, mapping, data, dry_run=dry_run, progress=tell, waiting=wait, rejects_path=rejects, principal=PRINCIPAL,
            login=application.user, reason=reason, translate=application.translator, sheet=sheet,
        )  # fmt: skip


def print_import(application: Application, report: ImportReport) -> None:
    """What became of the rows, section by section."""
    output, translator = application.output, application.translator
    output.table(
        ("section", "record", *_LABELS),
        (
            (each.name, translator.named(each.record), *(str(getattr(each, name)) for name in _LABELS))
            for each in report.sections
        ),
    )
    print_reasons(application, report)
    for warning in report.first_warnings[:_SHOWN]:
        output.line(translator.format("{file}, line {line}: {reason}", file=warning.file, line=warning.line,
                                      reason=warning.warning))  # fmt: skip
    if report.warned > _SHOWN:
        output.say("Cells with something odd about them: {count}.", count=report.warned)
    for file, sheet in report.unread_sheets:
        output.say("The sheet {sheet} of {file} was not read.", sheet=sheet, file=file)
    print_doubles(application, report)
    print_rejected(application, report)
    if report.proposed:
        output.say("Rows with changes of key fields, which wait for a steward: {count}. 'crm quality' shows them.",
                   count=report.proposed)  # fmt: skip
    print_change_set(application, report)
