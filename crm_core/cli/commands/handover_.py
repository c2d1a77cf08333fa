"""``crm handover``: draft, assign, offer, answer, do, take back, undo, cancel. What is read is beside it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.handover_deeds import (
    Names,
    deed_json,
    print_deed,
    print_next,
    print_receivers,
    print_taken,
    print_yours,
    receivers,
    taken_json,
)
from crm_core.cli.handovers import chosen, handover_json, items_json, print_items
from crm_core.cli.helping import argument, group, option
from crm_core.cli.moments import MOMENT, When
from crm_core.cli.ordered import Ordered, in_order
from crm_core.cli.settling import dry_run_option, settle
from crm_core.cli.times import as_json, moment_of
from crm_core.cli.usage import ConflictingOptions, InvalidValue, Number
from crm_core.domain import handovers
from crm_core.domain.handovers import Handover, HandoverItem, ItemState
from crm_core.errors import Conflict
from crm_core.views.showing import kind_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crm_core.store.session import CrmSession

__all__ = ["command"]

ID = Number(1, 2**63 - 1)


class Share(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """A part of one, such as ``0.3``."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read it."""
        try:
            share = Decimal(str(value))
        except InvalidOperation:
            share = Decimal(-1)
        if not 0 <= share <= 1:
            raise InvalidValue("{value!r} is no share from 0 to 1.", ctx, param, value=str(value))
        return share


reason_option = option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
account_option = option(
    "--account", "references", metavar="REF", multiple=True, help="Only this account of it; repeatable."
)
note_option = option("--note", metavar="TEXT", help="What to say to it.")
split_options = (
    option("--split", type=Share(), metavar="SHARE",
           help="The part (0 to 1) of later commission that stays with whoever gives up."),
    option("--split-until", type=MOMENT, metavar="DATE", help="When that ends."),
)  # fmt: skip


@group("handover")
def command() -> None:
    """Hand customers over: nothing that is open stays behind, and all of it can be taken back.

    Draft it, offer it to the successors, let them accept or refuse account by account, and do it.
    """


@command.command("draft", cls=Ordered)
@argument("leaver", metavar="LOGIN")
@option("--where", "scope", metavar="EXPR", help="Only accounts for which this expression holds.")
@option("--rule", "rules", metavar="EXPR LOGIN", nargs=2, multiple=True,
        help="Accounts for which EXPR holds go to LOGIN; the first rule that matches counts. Repeatable.")  # fmt: skip
@option("--rule-to-pool", "pool_rules", metavar="EXPR", multiple=True,
        help="A rule by which accounts go back to the pool. Rules count in the order given.")  # fmt: skip
@option("--to", "successor", metavar="LOGIN", help="Who takes over what no rule decides.")
@option("--in-turn", "in_turn", metavar="LOGIN", multiple=True,
        help="Several take over in turn what no rule decides; repeatable.")  # fmt: skip
@option("--to-pool", is_flag=True, help="What no rule decides goes back to the pool.")
@option("--effective", type=MOMENT, metavar="DATE", help="When it takes effect; else when it is done.")
@option("--message", metavar="TEXT", help="What whoever gives up and the successors are told.")
@option("--reason", metavar="TEXT", help="Why; only those in charge of handovers read it.")
@split_options[0]
@split_options[1]
@option("--offer", "offers", is_flag=True, help="Offer it at once.")
@dry_run_option
@as_json
@pass_application
def draft(
    application: Application,
    leaver: str,
    scope: str | None,
    rules: Sequence[tuple[str, str]],
    pool_rules: Sequence[str],
    successor: str | None,
    in_turn: Sequence[str],
    to_pool: bool,
    effective: When | None,
    message: str | None,
    reason: str | None,
    split: Decimal | None,
    split_until: When | None,
    offers: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Draft a handover of all that LOGIN is responsible for now or later, in every role."""
    if sum((successor is not None, bool(in_turn), to_pool)) > 1:
        raise ConflictingOptions("Give only one of --to, --in-turn and --to-pool.")
    _both_of_split(split, split_until)
    to_pools: list[tuple[str, str | None]] = [(expression, None) for expression in pool_rules]
    # The journal is read by whoever sees the accounts, so that the reason does not belong there.
    with application.session(reason=message) as session:
        handover = handovers.draft(
            session,
            leaver,
            scope=scope,
            to=successor,
            rules=in_order({"rules": rules, "pool_rules": to_pools}),
            round_robin=in_turn,
            to_pool=to_pool,
            effective=moment_of(application, effective),
            message=message,
            reason=reason,
            split=split,
            split_until=moment_of(application, split_until),
        )
        if offers:
            handovers.offer(session, handover)
        _finish(application, session, handover, handovers.items(session, handover), dry_run, as_json)


@command.command("assign")
@argument("handover_id", metavar="HANDOVER", type=ID)
@option("--to", "successor", metavar="LOGIN", help="Who is to take over.")
@option("--to-pool", is_flag=True, help="Let it go back to the pool.")
@account_option
@split_options[0]
@split_options[1]
@dry_run_option
@as_json
@pass_application
def assign(
    application: Application,
    handover_id: int,
    successor: str | None,
    to_pool: bool,
    references: Sequence[str],
    split: Decimal | None,
    split_until: When | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Name another successor: of the named accounts, or of all that are refused or have none. Offer it then."""
    if (successor is None) == (not to_pool):
        raise ConflictingOptions("Give either --to or --to-pool.")
    _both_of_split(split, split_until)
    with application.session() as session:
        handover = session.require(Handover, handover_id)
        found = chosen(session, handover, references, ItemState.DRAFTED, ItemState.REFUSED)
        if not references:
            found = [item for item in found if item.state is ItemState.REFUSED or item.successor_id is None]
        handovers.assign(
            session, found, successor, to_pool=to_pool, split=split, split_until=moment_of(application, split_until)
        )
        _finish(application, session, handover, found, dry_run, as_json)


@command.command("offer")
@argument("handover_id", metavar="HANDOVER", type=ID)
@dry_run_option
@as_json
@pass_application
def offer(application: Application, handover_id: int, dry_run: bool, as_json: bool) -> None:
    """Offer what is drafted to the successors; they see those accounts from now on."""
    with application.session() as session:
        handover = session.require(Handover, handover_id)
        _finish(application, session, handover, handovers.offer(session, handover), dry_run, as_json)


@command.command("accept")
@argument("handover_id", metavar="HANDOVER", type=ID)
@account_option
@note_option
@dry_run_option
@as_json
@pass_application
def accept(
    application: Application,
    handover_id: int,
    references: Sequence[str],
    note: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take over what is offered to you; whoever may change the handover accepts for all."""
    _answer(application, handover_id, references, note, dry_run, as_json, handovers.accept, ItemState.OFFERED)


@command.command("refuse")
@argument("handover_id", metavar="HANDOVER", type=ID)
@account_option
@note_option
@dry_run_option
@as_json
@pass_application
def refuse(
    application: Application,
    handover_id: int,
    references: Sequence[str],
    note: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Refuse what is offered to you; somebody else may be asked then."""
    _answer(application, handover_id, references, note, dry_run, as_json, handovers.refuse, ItemState.OFFERED)


@command.command("do")
@argument("handover_id", metavar="HANDOVER", type=ID)
@option("--partial", is_flag=True, help="Do what is accepted, though not all is.")
@reason_option
@dry_run_option
@as_json
@pass_application
def do(
    application: Application, handover_id: int, partial: bool, reason: str | None, dry_run: bool, as_json: bool
) -> None:
    """Carry it out in one step: responsibilities end and begin, and all open work goes with them."""
    with application.session(reason=reason) as session:
        deed = handovers.do(session, session.require(Handover, handover_id), partial=partial)
        session.check()
        names = Names.of(session, deed)
        kinds = kind_labels(session, application.translator, deed.followed)
        made = settle(session, dry_run)
    if as_json:
        application.output.json(deed_json(deed, names, made, dry_run))
    else:
        print_deed(application, deed, names, kinds, dry_run)


@command.command("take-back")
@argument("handover_id", metavar="HANDOVER", type=ID)
@account_option
@reason_option
@dry_run_option
@as_json
@pass_application
def take_back(
    application: Application,
    handover_id: int,
    references: Sequence[str],
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give the named accounts of a handover that is done back to whoever had them before."""
    if not references:
        raise ConflictingOptions("Name the accounts with --account; 'crm handover undo' takes back all.")
    with application.session(reason=reason) as session:
        found = chosen(session, session.require(Handover, handover_id), references)
        taken = handovers.take_back(session, found)
        names = Names.of(session, taken)
        made = settle(session, dry_run)
    _print_taken(application, taken, names, made, dry_run, as_json)


@command.command("undo")
@argument("handover_id", metavar="HANDOVER", type=ID)
@reason_option
@dry_run_option
@as_json
@pass_application
def undo(application: Application, handover_id: int, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Take back all that a handover has done, and give up what of it waits.

    Accounts that were changed since are left as they are, and told; the exit code is 7 then.
    """
    with application.session(reason=reason) as session:
        taken = handovers.undo(session, handover_id)
        session.check()
        names = Names.of(session, taken)
        made = settle(session, dry_run)
    _print_taken(application, taken, names, made, dry_run, as_json)
    if not taken.whole:
        raise click.exceptions.Exit(Conflict.exit_code)


@command.command("cancel")
@argument("handover_id", metavar="HANDOVER", type=ID)
@reason_option
@dry_run_option
@as_json
@pass_application
def cancel(application: Application, handover_id: int, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Give a handover up that is not done: what waits stays where it is."""
    with application.session(reason=reason) as session:
        handover = session.require(Handover, handover_id)
        _finish(application, session, handover, handovers.cancel(session, handover), dry_run, as_json)


def _both_of_split(split: Decimal | None, until: When | None) -> None:
    if (split is None) != (until is None):
        raise ConflictingOptions("A share of later commission ends one day: give --split and --split-until.")


def _answer(
    application: Application,
    handover_id: int,
    references: Sequence[str],
    note: str | None,
    dry_run: bool,
    as_json: bool,
    verb: Callable[..., list[HandoverItem]],
    *states: ItemState,
) -> None:
    with application.session() as session:
        handover = session.require(Handover, handover_id)
        found = chosen(session, handover, references, *states)
        mine = [item for item in found if item.successor_id == session.actor.user_id]
        # A manager who is asked as well answers for themselves, unless they name accounts.
        found = verb(session, found if references else mine or found, note=note)
        _finish(application, session, handover, found, dry_run, as_json)
        if verb is handovers.accept and mine and not (dry_run or as_json):
            print_yours(application.output, handover_id)


def _finish(
    application: Application,
    session: CrmSession,
    handover: Handover,
    found: Sequence[HandoverItem],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Tell what the items are like now, while the session still sees them."""
    output = application.output
    session.check()
    data: dict[str, Any] = handover_json(session, [handover])[0] | {"dry_run": dry_run}
    counts = receivers(session, found)
    if as_json:
        output.json(data | {"successors": counts, "items": items_json(session, found)})
    else:
        print_items(output, session, found)
        print_receivers(output, counts)
        output.say("The handover {id} of {login} is {state}.", id=handover.id, login=data["leaver"],
                   state=output.translator.choice(handover.state.value))  # fmt: skip
        if dry_run:
            output.note("It was a dry run: nothing was changed.")
        elif session.can("handover_item.update"):
            print_next(output, handover, handovers.items(session, handover))
    if dry_run:
        session.rollback()


def _print_taken(
    application: Application,
    taken: handovers.TakenBack,
    names: Names,
    made: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    if as_json:
        application.output.json(taken_json(taken, names, application, made, dry_run))
    else:
        print_taken(application, taken, names, dry_run)


def _register() -> None:
    from crm_core.cli.handover_reports import REPORTS
    from crm_core.cli.handover_splits import splits

    for each in (*REPORTS, splits):
        command.add_command(each)


_register()
