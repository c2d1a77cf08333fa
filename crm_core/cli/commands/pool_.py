"""``crm pool``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from crm_core.cli import cursors, pools_shown
from crm_core.cli.application import Application, pass_application
from crm_core.cli.finding import find_record
from crm_core.cli.helping import argument, group, option
from crm_core.cli.moments import MOMENT, When
from crm_core.cli.settling import settle
from crm_core.cli.times import as_json, moment_of
from crm_core.cli.usage import ConflictingOptions, Number
from crm_core.domain.accounts import Account

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["command"]

_ID = Number(1, 2**63 - 1)
_lines = option("--limit", type=Number(0, 100_000), default=50, metavar="N", help="How many lines to show. Else 50.")


@group("pool", invoke_without_command=True)
@as_json
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the pools (公海): customers without an owner, who may claim them, and what falls back."""
    if ctx.invoked_subcommand is None:
        application = ctx.find_object(Application)
        assert application is not None
        _list(application, as_json)


@command.command("list")
@as_json
@pass_application
def list_(application: Application, as_json: bool) -> None:
    """List the pools with how many accounts are in each, and warn of accounts that nobody reaches."""
    _list(application, as_json)


def _list(application: Application, as_json: bool) -> None:
    from crm_core.store import pools

    with application.looking() as session:
        found = pools.counts(session)
        alone = pools.orphans(session) if session.visibility.reach("account.read").all else None
    if as_json:
        application.output.json(pools_shown.counts_json(found, alone))
    else:
        pools_shown.print_counts(application, found, alone)


@command.command("show")
@argument("pool")
@option("--where", metavar="EXPR", help="A filter over the fields that the pool shows.")
@option("--order", metavar="FIELDS", help="What to sort by, of the fields that the pool shows. Else the id.")
@option("--limit", type=Number(1, 100_000), default=50, metavar="N", help="How many at most. Else 50.")
@option("--after", metavar="CURSOR", help="Go on after the page that ended with this cursor.")
@as_json
@pass_application
def show(
    application: Application, pool: str, where: str | None, order: str | None, limit: int, after: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show what is in a POOL: of each account the few fields that may be seen before claiming."""
    from crm_core.store import pools

    with application.looking() as session:
        page = pools.browse(
            session, pool, where, order=order, limit=limit, after=cursors.read(after) if after else None
        )
        more = None if page.after is None else cursors.write(page.after)
        if as_json:
            application.output.json(pools_shown.offers_json(pool, page, more))
        else:
            pools_shown.print_offers(application, session, pools.find(session, pool), page, more)


@command.command("claim")
@argument("pool")
@argument("account", type=_ID, metavar="ACCOUNT")
@option("--reason", metavar="TEXT", help="Why; it stands in the journal and in the log of the pool.")
@option("--dry-run", is_flag=True, help="Only tell whether it could be claimed.")
@as_json
@pass_application
def claim(application: Application, pool: str, account: int, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Take the ACCOUNT with this id from a POOL; `crm --user LOGIN` says for whom."""
    from crm_core.store import pools

    if application.user is None:
        raise ConflictingOptions("Say who claims: crm --user LOGIN pool claim {pool} {account}.", pool=pool,
                                 account=account)  # fmt: skip
    with application.session(reason=reason) as session:
        row = pools.claim(session, pool, account)
        # A rehearsal shows no more of the account than the pool does: else one could look at all of them.
        name = None if dry_run else session.require(Account, account).name
        values = {"account": account, "name": name, "pool": pool, "user": row.user_id, "scope": row.scope}
        made = settle(session, dry_run)
    if as_json:
        application.output.json(values | {"dry_run": dry_run, "change_set": made})
    elif dry_run:
        application.output.say("The account {id} can be claimed from the pool {pool}. Nothing was changed.", id=account,
                               pool=pool)  # fmt: skip
    else:
        application.output.say("{name} ({id}) is yours now. To take it back: crm undo {made}", name=name, id=account,
                               made=made)  # fmt: skip


@command.command("release")
@argument("reference", metavar="ACCOUNT")
@option("--reason", metavar="TEXT", required=True, help="Why; it stands in the log of the pool.")
@option("--scope", metavar="SCOPE", default="", help="The scope of ownership: a product line, a region.")
@option("--dry-run", is_flag=True, help="Only tell to which pool it would go back.")
@as_json
@pass_application
def release(application: Application, reference: str, reason: str, scope: str, dry_run: bool, as_json: bool) -> None:
    """Give an ACCOUNT back to its pool: everybody's responsibility for it ends."""
    from crm_core.store import pools

    with application.session(reason=reason) as session:
        account = cast(Account, find_record(session, Account.crm_type, reference))
        id_, name = account.id, account.name
        pool = pools.release(session, account, reason=reason, scope=scope).pool
        # Nobody sees it now by being responsible: to take it back is for whoever may undo anything.
        undoes = session.visibility.reach("system.undo").all
        made = settle(session, dry_run)
    if as_json:
        application.output.json({"account": id_, "name": name, "pool": pool, "dry_run": dry_run, "change_set": made})
    elif dry_run:
        application.output.say("{name} ({id}) would go back to the pool {pool}. Nothing was changed.", name=name,
                               id=id_, pool=pool)  # fmt: skip
    elif undoes:
        application.output.say("{name} ({id}) is in the pool {pool} again. To take it back: crm undo {made}",
                               name=name, id=id_, pool=pool, made=made)  # fmt: skip
    else:
        application.output.say("{name} ({id}) is in the pool {pool} again. Who has the permission system.undo takes it "
                               "back: crm undo {made}", name=name, id=id_, pool=pool, made=made)  # fmt: skip


class _Run(NamedTuple):
    """What the rules do on demand: the reason in the journal, what the bar says, the work, and how it is told."""

    reason: str
    label: str
    work: Callable[..., Any]
    json: Callable[[Any, int | None], dict[str, Any]]
    print: Callable[[Application, Any, Any, int, int | None], None]


def _now(application: Application, run: _Run, dry_run: bool, limit: int, as_json: bool) -> None:
    with application.session(reason=run.reason, read_only=dry_run) as session:
        with application.output.progress() as bar:
            task = bar.add_task(application.translator.text(run.label), total=None)
            report = run.work(session, dry_run=dry_run, progress=lambda done: bar.update(task, completed=done))
        session.commit()
        made = session.last_change_set
        if as_json:
            application.output.json(run.json(report, made))
        else:
            run.print(application, session, report, limit, made)


@command.command("recycle")
@option("--dry-run", is_flag=True, help="Only tell who would be warned and what would go back.")
@_lines
@as_json
@pass_application
def recycle(application: Application, dry_run: bool, limit: int, as_json: bool) -> None:
    """Let the rules run now: warn owners, and give back what is due. The worker does it every night."""
    from crm_core.store import pools

    run = _Run("crm pool recycle", "Looking at owned accounts", pools.recycle, pools_shown.recycled_json,
               pools_shown.print_recycled)  # fmt: skip
    _now(application, run, dry_run, limit, as_json)


@command.command("assign")
@option("--dry-run", is_flag=True, help="Only tell who would get what.")
@_lines
@as_json
@pass_application
def assign(application: Application, dry_run: bool, limit: int, as_json: bool) -> None:
    """Hand out now, in turn, what is in the pools that say so. The worker does it every night."""
    from crm_core.store import pools

    run = _Run("crm pool assign", "Handing out accounts", pools.assign, pools_shown.assigned_json,
               pools_shown.print_assigned)  # fmt: skip
    _now(application, run, dry_run, limit, as_json)


@command.command("simulate")
@option("--rules", metavar="FILE", help="The pools of another build file, in place of this one's.")
@option("--days", type=Number(1, 36_500), metavar="N", help="Over how many days up to today. Else 180.")
@option("--since", type=MOMENT, metavar="DATE", help="From this day on, instead.")
@_lines
@as_json
@pass_application
def simulate(
    application: Application, rules: str | None, days: int | None, since: When | None, limit: int, as_json: bool
) -> None:
    """Tell what the rules would have done: who would have lost which accounts, when, and which visit would have helped.

    Nothing is changed. The rules know what the CRM knew at the time: an activity that was entered late did not help
    before. What an import brought counts as known when it happened.
    """
    if days is not None and since is not None:
        raise ConflictingOptions("Give either --days or --since.")
    from crm_core.store import pools

    given = None
    if rules is not None:
        from crm_core.assembly import read_pools

        given = read_pools(application.crm.build, Path(rules))
    moment = moment_of(application, since)
    day: dt.date | None = None if moment is None else moment.astimezone(application.crm.build.policy.tz).date()
    with application.looking() as session:
        report = pools.simulate(session, given, since=day, days=180 if days is None else days)
        if as_json:
            application.output.json(pools_shown.simulation_json(session, report))
        else:
            pools_shown.print_simulation(application, session, report, limit)


@command.command("history")
@argument("reference", metavar="ACCOUNT")
@as_json
@pass_application
def history(application: Application, reference: str, as_json: bool) -> None:
    """Show what happened to an ACCOUNT at its pools: claims, warnings, and when it fell back."""
    from crm_core.store import pools

    with application.looking() as session:
        account = cast(Account, find_record(session, Account.crm_type, reference))
        events: list[Any] = pools.history(session, account)
        if as_json:
            application.output.json({"account": account.id, "events": pools_shown.events_json(session, events)})
        else:
            pools_shown.print_events(application, session, account, events)
