"""Calendars on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.cli.application import PRINCIPAL, Application
from crm_core.cli.imported import print_change_set, print_rejected
from crm_core.cli.moments import When

if TYPE_CHECKING:
    from crm_core.exchange.calendars import EventReport
    from crm_core.store.session import CrmSession

__all__ = ["export_calendar", "import_events", "print_events"]

_EVENTS = 20
_REJECTS = 5


def export_calendar(
    application: Application, session: CrmSession, to: Path, *, where: str | None = None, user: str | None = None
) -> int:
    """Write a calendar with a bar; returns how many events."""
    from crm_core.exchange import calendars

    with application.output.progress() as bar:
        task = bar.add_task("activity", total=None)
        return calendars.export_calendar(
            session, to, where=where, user=user, progress=lambda progress: bar.update(task, completed=progress.rows)
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
    output, translator = application.output, application.translator
    numbers = (report.read, report.created, report.updated, report.unchanged, report.rejected)
    output.table(("events", "created", "updated", "unchanged", "rejected"), [[str(number) for number in numbers]])
    for each in report.first_rejects[:_REJECTS]:
        output.line(translator.format("{file}, line {line}: {reason}", file=each.file, line=each.line,
                                      reason=each.reason))  # fmt: skip
    left = [event for event in report.events if event.untaken]
    if left:
        output.table(
            ("line", "subject", "what was not taken"),
            ((str(event.line), event.subject, "; ".join(event.untaken)) for event in left[:_EVENTS]),
            title="What has no place here",
        )
    if len(left) > _EVENTS:
        output.say("Events with something that was not taken: {count}. '--json' tells of each.", count=len(left))
    print_rejected(application, report)
    print_change_set(application, report)
