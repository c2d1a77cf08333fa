"""``crm duties``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, group, option
from crm_core.cli.moments import MOMENT, When, shown
from crm_core.cli.records import plain
from crm_core.cli.settling import dry_run_option, print_settled, settle
from crm_core.cli.times import as_json, moment_of
from crm_core.cli.usage import Number, Written

if TYPE_CHECKING:
    from crm_core.views.duties import Compliance, DutyReport, Obligation, UnitCompliance

__all__ = ["command"]


@group("duties", invoke_without_command=True)
@option("--person", metavar="LOGIN", help="Only what this colleague must do.")
@option("--unit", metavar="UNIT", help="Only what the people of this unit, and of those below it, must do.")
@option("--due-within", type=Number(0, 3650), metavar="DAYS", help="List what is due within so many days, too.")
@option("--at", type=MOMENT, metavar="DATE", help="As it stood on this day or at this moment.")
@option("--html", metavar="FILE", type=Written(), help="Write a page that stands by itself.")
@as_json
@click.pass_context
def command(
    ctx: click.Context,
    person: str | None,
    unit: str | None,
    due_within: int | None,
    at: When | None,
    html: str | None,
    as_json: bool,
) -> None:
    """Show how the reporting duties are met, by duty, person and unit, and what is overdue.

    About the accounts that the acting user sees. The duties are rules of the build file.
    """
    if ctx.invoked_subcommand is not None:
        return
    application = ctx.find_object(Application)
    assert application is not None
    from crm_core.views import duties

    with application.looking() as session:
        moment = moment_of(application, at)
        report = duties.report(session, user=person, unit=unit, at=moment, within_days=due_within or 0)
    if html is not None:
        from crm_core.cli.pages import write_page

        title = application.translator.text("Reporting duties")
        write_page(application, html, "duties.html", title, report=report, name=application.crm.build.file.crm.name)
    elif as_json:
        application.output.json(_json(report))
    else:
        _print(application, report)


@command.command("confirm")
@argument("duty")
@argument("account")
@option("--note", metavar="TEXT", help="How it was checked.")
@dry_run_option
@as_json
@pass_application
def confirm(application: Application, duty: str, account: str, note: str | None, dry_run: bool, as_json: bool) -> None:
    """Say that somebody looked, and that what DUTY asks about ACCOUNT is still right."""
    from crm_core.cli.finding import find_record
    from crm_core.domain.accounts import Account
    from crm_core.views import duties

    with application.session() as session:
        found = find_record(session, Account.crm_type, account)
        assert isinstance(found, Account)
        made = duties.confirm(session, duty, found, note=note)
        name = found.name
        values = {"account_id": made.account_id, "duty": made.duty, "confirmed_at": plain(made.confirmed_at)}
        change_set = settle(session, dry_run)
    if as_json:
        application.output.json(values | {"dry_run": dry_run, "change_set": change_set})
    else:
        application.output.say("Confirmed: {duty} of {account}.", duty=duty, account=name)
        print_settled(application, change_set, dry_run)


def _json(report: DutyReport) -> dict[str, Any]:
    return {
        "at": plain(report.at),
        "whole": _count_json(report.whole),
        "duties": [_count_json(each) for each in report.duties],
        "people": [_count_json(each) for each in report.people],
        "units": [_unit_json(each) for each in report.units],
        "due": [_obligation_json(each) for each in report.due],
    }


def _count_json(each: Compliance) -> dict[str, Any]:
    return {
        "id": each.id, "name": each.name, "total": each.total, "fulfilled": each.fulfilled, "overdue": each.overdue,
        "share": each.share, "worst_days": each.worst_days,
    }  # fmt: skip


def _unit_json(each: UnitCompliance) -> dict[str, Any]:
    return {
        "id": each.unit_id, "name": each.name, "depth": each.depth, "own": _count_json(each.own),
        "whole": _count_json(each.whole),
    }  # fmt: skip


def _obligation_json(each: Obligation) -> dict[str, Any]:
    return {
        "duty": each.duty, "account_id": each.account_id, "account": each.account, "user_id": each.user_id,
        "user": each.user, "last": plain(each.last), "due": plain(each.due), "overdue_days": each.overdue_days,
    }  # fmt: skip


def _print(application: Application, report: DutyReport) -> None:
    output, tz = application.output, application.crm.build.policy.tz
    translator = application.translator
    if not application.crm.build.policy.duties:
        output.say("This build has no duties. They are declared under [duties.<name>] in the build file.")
        return
    header = ("who", "to do", "fulfilled", "overdue", "worst (days)", "share")
    output.table(("duty", *header[1:]), (_row(each.name, each) for each in report.duties), title="By duty")
    nobody = translator.text("nobody")
    output.table(header, (_row(each.name or nobody, each) for each in report.people), title="By person")
    if report.units:
        output.table(
            ("unit", *header[1:]),
            (_row("  " * each.depth + each.name, each.whole) for each in report.units),
            title="By unit, with those below it",
        )
    if report.due:
        output.table(
            ("due", "overdue (days)", "account", "duty", "who", "last"),
            (
                (shown(each.due, tz), str(each.overdue_days or ""), each.account, each.label, each.user or nobody,
                 shown(each.last, tz))
                for each in report.due
            ),
            title="Due",
        )  # fmt: skip
        output.note("If nothing changed: crm duties confirm DUTY ACCOUNT")


def _row(name: str, each: Compliance) -> tuple[str, ...]:
    share = "" if each.share is None else f"{each.share:.0%}"
    return name, str(each.total), str(each.fulfilled), str(each.overdue), str(each.worst_days or ""), share
