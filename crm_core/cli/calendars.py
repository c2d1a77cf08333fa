"""Calendars on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.cli.application import PRINCIPAL, Application
from crm_core.cli.imported import print_change_set, print_reasons, print_rejected, print_untaken
from crm_core.cli.moments import When

if TYPE_CHECKING:
    from crm_core.exchange.calendars import EventReport
    from crm_core.store.session import CrmSession

__all__ = ["export_calendar", "import_events", "print_events"]


def export_calendar(
    application: Application,
    session: CrmSession,
    to: Path,
    *,
    where: str | None = None,
    user: str | None = None,
    system: str | None = None,
) -> int:
    """Write a calendar with a bar; returns how many events."""
    from crm_core.exchange import calendars
    from crm_core.exchange.calendars.report import SYSTEM

    with application.output.progress() as bar:
        task = bar.add_task("activity", total=None)
        return calendars.export_calendar(
            session,
            to,
            where=where,
            user=user,
            system=system or SYSTEM,
            progress=lambda progress: bar.update(task, completed=progress.rows),
        )


def import_events(
    application: Application,
    file: Path,
    *,
    dry_run: bool,
    rejects: Path | None,
    system: str | None,
    user: str | None,
    since: When | None,
    until: When | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Import a calendar with a bar, and say what became of it."""
    from crm_core.cli.times import moment_of
    from crm_core.exchange import calendars
    from crm_core.exchange.calendars.importing import SYSTEM

    crm = application.crm
    with application.output.progress() as bar:
        task = bar.add_task(file.name, total=None)
        report = calendars.import_events(
            crm, file, dry_run=dry_run, rejects_path=rejects, system=system or SYSTEM, user=user,
            since=moment_of(application, since), until=moment_of(application, until), principal=PRINCIPAL,
            login=application.user, reason=reason, translate=application.translator,
            progress=lambda progress: bar.update(task, completed=progress.rows),
        )  # fmt: skip
    if as_json:
        application.output.json(report.as_json())
    else:
        print_events(application, report)


def print_events(application: Application, report: EventReport) -> None:
    """What became of the events, and what of them has no place here."""
    numbers = (report.read, report.created, report.updated, report.unchanged, report.rejected)
    application.output.table(
        ("events", "created", "updated", "unchanged", "rejected"), [[str(number) for number in numbers]]
    )
    print_reasons(application, report)
    untaken = [(line, "VCALENDAR", texts) for line, texts in report.about]
    untaken += [(event.line, event.subject, event.untaken) for event in report.events]
    print_untaken(application, "subject", untaken)
    print_rejected(application, report)
    print_change_set(application, report)
