"""``crm quality``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, group, option
from crm_core.cli.quality_shown import entry_json, labels, print_queue, sayer, settle_issues, show_issues
from crm_core.cli.settling import dry_run_option
from crm_core.cli.times import as_json
from crm_core.cli.usage import InvalidValue, Number, Written

if TYPE_CHECKING:
    from crm_core.domain.quality import QualityIssue
    from crm_core.fields import Field
    from crm_core.store.session import CrmSession

__all__ = ["command"]

_ID = Number(1, 2**63 - 1)
_note = option("--note", metavar="TEXT", help="A note to whoever proposed it.")


@group("quality", invoke_without_command=True)
@option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind of matter or check; repeatable.")
@option("--where", metavar="EXPRESSION", help="Only about accounts for which this holds.")
@option("--mine", is_flag=True, help="What became of one's own proposals.")
@option("--limit", type=Number(1, 100_000), default=50, metavar="N", help="How many of each kind. Else 50.")
@option("--html", metavar="FILE", type=Written(), help="Write a page that stands by itself.")
@as_json
@click.pass_context
def command(
    ctx: click.Context,
    kinds: tuple[str, ...],
    where: str | None,
    mine: bool,
    limit: int,
    html: str | None,
    as_json: bool,
) -> None:
    """Show the queue of data quality: proposals to decide, matters to mend, and what is stale or contradicts itself.

    As far as the acting user sees it. Findings go by themselves when what they are about is mended.
    """
    if ctx.invoked_subcommand is not None:
        return
    application = ctx.find_object(Application)
    assert application is not None
    from crm_core.views import stewardship as quality

    if mine:
        with application.looking() as session:
            show_issues(application, session, quality.proposals(session, state=None, mine=True), as_json)
        return
    with application.looking() as session:
        page = quality.queue_page(session, where=where, kinds=kinds or None, limit=limit)
    words = labels(application)
    more = ", ".join(words.get(kind, kind) for kind in page.more)
    if html is not None:
        from crm_core.cli.pages import write_page

        title = application.translator.text("Data quality")
        name = application.crm.build.file.crm.name
        write_page(
            application, html, "quality.html", title, entries=page.entries, name=name, kinds=words, more=more,
            cut=set(page.more), said=sayer(application),
        )  # fmt: skip
    elif as_json:
        application.output.json({"queue": [entry_json(each) for each in page.entries], "more": list(page.more)})
    else:
        print_queue(application, page.entries)
        if more:
            application.output.note(
                "There is more than {limit} of {kinds}; '--limit N' shows it.", limit=limit, kinds=more
            )


@command.command("propose")
@argument("record")
@argument("reference", metavar="NAME|ID")
@argument("values", metavar="FIELD=VALUE...", nargs=-1, required=True)
@option("--reason", metavar="TEXT", help="Why; the steward reads it.")
@dry_run_option
@as_json
@pass_application
def propose(
    application: Application,
    record: str,
    reference: str,
    values: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Propose other values for fields of an account or a contact; a steward decides.

    An empty value takes the field's value away.
    """  # fmt: skip
    from crm_core.cli.finding import find_record
    from crm_core.views import stewardship as quality

    with application.session() as session:
        found: Any = find_record(session, session.store.find_type(record), reference)
        made = quality.propose(session, found, _values(session, record, values), reason=reason)
        settle_issues(application, session, made, dry_run, as_json)


@command.command("approve")
@argument("ids", metavar="ID...", nargs=-1, required=True, type=_ID)
@_note
@dry_run_option
@as_json
@pass_application
def approve(application: Application, ids: tuple[int, ...], note: str | None, dry_run: bool, as_json: bool) -> None:
    """Carry out proposals, all of them or none; a value that changed meanwhile is a conflict."""
    from crm_core.views import stewardship as quality

    with application.session() as session:
        issues = quality.approve(session, *_issues(session, ids), note=note)
        settle_issues(application, session, issues, dry_run, as_json)


def _deciding(
    application: Application,
    ids: Sequence[int],
    dry_run: bool,
    as_json: bool,
    decide: Callable[[CrmSession, QualityIssue], Any],
) -> None:
    with application.session() as session:
        issues = _issues(session, ids)
        for issue in issues:
            decide(session, issue)
        settle_issues(application, session, issues, dry_run, as_json)


@command.command("refuse")
@argument("ids", metavar="ID...", nargs=-1, required=True, type=_ID)
@option("--note", metavar="TEXT", required=True, help="Why; whoever proposed it reads it.")
@dry_run_option
@as_json
@pass_application
def refuse(application: Application, ids: tuple[int, ...], note: str, dry_run: bool, as_json: bool) -> None:
    """Decline proposals."""
    from crm_core.views import stewardship as quality

    _deciding(application, ids, dry_run, as_json, lambda session, issue: quality.refuse(session, issue, note=note))


@command.command("withdraw")
@argument("ids", metavar="ID...", nargs=-1, required=True, type=_ID)
@_note
@dry_run_option
@as_json
@pass_application
def withdraw(application: Application, ids: tuple[int, ...], note: str | None, dry_run: bool, as_json: bool) -> None:
    """Take one's own proposals back."""
    from crm_core.views import stewardship as quality

    _deciding(application, ids, dry_run, as_json, lambda session, issue: quality.withdraw(session, issue, note=note))


@command.command("close")
@argument("ids", metavar="ID...", nargs=-1, required=True, type=_ID)
@_note
@dry_run_option
@as_json
@pass_application
def close(application: Application, ids: tuple[int, ...], note: str | None, dry_run: bool, as_json: bool) -> None:
    """Say that matters are mended, which are no proposals."""
    from crm_core.views import stewardship as quality

    _deciding(application, ids, dry_run, as_json, lambda session, issue: quality.close(session, issue, note=note))


def _issues(session: CrmSession, ids: Sequence[int]) -> list[QualityIssue]:
    from crm_core.domain.quality import QualityIssue

    return [session.require(QualityIssue, id_) for id_ in dict.fromkeys(ids)]


def _values(session: CrmSession, record: str, given: Sequence[str]) -> dict[str, Any]:
    """``FIELD=VALUE`` as values of the fields' kinds."""
    record_type = session.store.find_type(record)
    custom = session.policy.custom.get(record, {})
    values: dict[str, Any] = {}
    for each in given:
        name, sign, text = each.partition("=")
        if not sign:
            raise InvalidValue("{value!r} is no FIELD=VALUE.", click.get_current_context(), None, value=each)
        field: Field = custom.get(name) or record_type.field(name)
        values[name] = field.kind.parse(text) if text else None
    return values
