"""``crm calendar``."""

from __future__ import annotations

from pathlib import Path

from crm_core.cli.application import Application, pass_application
from crm_core.cli.calendars import export_calendar
from crm_core.cli.helping import command, option
from crm_core.cli.times import as_json

__all__ = ["command"]


@command("calendar")
@option("--to", "to", required=True, metavar="FILE", help="Where to: a name that ends in .ics.")
@option("--user", "whose", metavar="LOGIN", help="Whose activities; else those of the acting user.")
@option("--where", metavar="EXPR", help="Only records that match this filter expression.")
@option("--keys", metavar="SYSTEM", help="What came from this system has the UID that it came with. Else icalendar.")
@as_json
@pass_application
def command_calendar(
    application: Application, to: str, whose: str | None, where: str | None, keys: str | None, as_json: bool
) -> None:
    """Write somebody's activities as a calendar.

    It holds what they are responsible for or take part in, as far as the acting user sees it. Each activity keeps its
    UID, so that a calendar program updates instead of doubling.
    """  # fmt: skip
    whose = whose or application.user
    if whose is None:
        from crm_core.errors import ExchangeError

        raise ExchangeError(
            "Nobody is named whose calendar is wanted.",
            mend="Name them: crm calendar --user LOGIN; or export all: crm export activity --to FILE.ics.",
        )
    with application.looking() as session:
        count = export_calendar(application, session, Path(to), where=where, user=whose, system=keys)
    if as_json:
        application.output.json({"type": "activity", "file": to, "records": count})
    else:
        application.output.say("Wrote {count} records to {file}.", count=count, file=to)


command = command_calendar
