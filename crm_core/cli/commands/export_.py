"""``crm export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.moments import When
from crm_core.cli.times import as_json, looking, time_options

if TYPE_CHECKING:
    from crm_core.exchange import Progress
    from crm_core.exchange.cards.writing import Version
    from crm_core.exchange.writers import Format

__all__ = ["command"]


@command("export")
@argument("type_name", metavar="TYPE")
@option(
    "--to",
    "to",
    required=True,
    metavar="FILE",
    help="Where to: a name that ends in .csv, .jsonl, .xlsx; of contacts .vcf, of activities .ics.",
)
@option("--where", metavar="EXPR", help="Only records that match this filter expression.")
@option(
    "--format",
    "kind",
    type=click.Choice(["csv", "jsonl", "xlsx"]),
    help="CSV, a spreadsheet, or JSON lines, which lose nothing. Else by the name of the file.",
)
@option("--fields", metavar="FIELDS", help="Which fields, with commas between them. Else all that may be read.")
@option("--order", metavar="FIELDS", help='What to sort by: "name, created_at desc". Else the id.')
@option("--keys", metavar="SYSTEM", help="Write the keys of this other system, too; as the UID of cards and events.")
@option("--card-version", type=click.Choice(["3.0", "4.0"]), help="Of vCards. Else 4.0.")
@option("--all-dates", is_flag=True, help="Of dated records also those that hold no more, or not yet.")
@time_options
@as_json
@pass_application
def command_export(
    application: Application,
    type_name: str,
    to: str,
    where: str | None,
    kind: str | None,
    fields: str | None,
    order: str | None,
    keys: str | None,
    card_version: str | None,
    all_dates: bool,
    at: When | None,
    as_of: When | None,
    login: str | None,
    as_json: bool,
) -> None:
    """Write the records of a TYPE to a file.

    What a spreadsheet would take for a formula is disarmed in CSV, and an import takes that off again. In a spreadsheet
    it is a text, as are ids and telephone numbers; moments are those of the organisation's time zone.
    """  # fmt: skip
    if to.lower().endswith((".vcf", ".vcard")) and kind is None:
        _export_cards(application, type_name, to, where, order, card_version, keys, at, as_of, login, as_json)
        return
    if to.lower().endswith(".ics") and kind is None:
        _export_events(application, type_name, to, where, keys, at, as_of, login, as_json)
        return
    from crm_core.exchange import run_export

    names = None if fields is None else [name.strip() for name in fields.split(",") if name.strip()]
    with looking(application, at, as_of, login) as session, application.output.progress() as bar:
        task = bar.add_task(type_name, total=None)

        def tell(progress: Progress) -> None:
            total = round(progress.rows / progress.share) if progress.share > 0 else None
            bar.update(task, completed=progress.rows, total=total)

        count = run_export(
            session, type_name, where, Path(to), format=cast("Format | None", kind), fields=names,
            all_dates=all_dates, with_keys=keys, order=order, progress=tell,
        )  # fmt: skip
    if as_json:
        application.output.json({"type": type_name, "file": to, "records": count})
    else:
        application.output.say("Wrote {count} records to {file}.", count=count, file=to)


def _export_cards(
    application: Application,
    type_name: str,
    to: str,
    where: str | None,
    order: str | None,
    version: str | None,
    keys: str | None,
    at: When | None,
    as_of: When | None,
    login: str | None,
    as_json: bool,
) -> None:
    from crm_core.errors import ExchangeError
    from crm_core.exchange.cards import export_cards
    from crm_core.exchange.cards.report import SYSTEM

    if type_name != "contact":
        raise ExchangeError(
            "Only contacts become vCards, not records of type {record}.",
            mend="Let the name of the file end in .csv, .jsonl or .xlsx.",
            record=type_name,
        )
    with looking(application, at, as_of, login) as session:
        count = export_cards(
            session, where, Path(to), version=cast("Version", version or "4.0"), order=order, system=keys or SYSTEM
        )
    if as_json:
        application.output.json({"type": type_name, "file": to, "records": count})
    else:
        application.output.say("Wrote {count} records to {file}.", count=count, file=to)


def _export_events(
    application: Application,
    type_name: str,
    to: str,
    where: str | None,
    keys: str | None,
    at: When | None,
    as_of: When | None,
    login: str | None,
    as_json: bool,
) -> None:
    from crm_core.cli.calendars import export_calendar
    from crm_core.errors import ExchangeError

    if type_name != "activity" or as_of is not None:
        raise ExchangeError(
            "Only activities of today become a calendar, not records of type {record} or of another time.",
            mend="Let the name of the file end in .csv, .jsonl or .xlsx.",
            record=type_name,
        )
    with looking(application, at, as_of, login) as session:
        count = export_calendar(application, session, Path(to), where=where, system=keys)
    if as_json:
        application.output.json({"type": type_name, "file": to, "records": count})
    else:
        application.output.say("Wrote {count} records to {file}.", count=count, file=to)


command = command_export
