"""What came of a handover, printed and as JSON: who got what, what was kept or not taken back, what is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.cli.handovers import names_of
from crm_core.cli.moments import shown
from crm_core.cli.records import plain
from crm_core.domain.accounts import Account
from crm_core.domain.handovers import Handover, HandoverItem, ItemState
from crm_core.domain.handovers.records import OPEN
from crm_core.domain.organisation import User
from crm_core.domain.ownership import OwnershipRole
from crm_core.errors import joined

if TYPE_CHECKING:
    from crm_core.cli.application import Application
    from crm_core.cli.output import Output
    from crm_core.domain.handovers import Deed, TakenBack, Unchanged
    from crm_core.errors import Problem
    from crm_core.store.session import CrmSession

__all__ = [
    "Names",
    "deed_json",
    "print_deed",
    "print_next",
    "print_receivers",
    "print_taken",
    "print_yours",
    "receivers",
    "taken_json",
]


@attrs.frozen
class Names:
    """Names of accounts and logins of users by id, as far as the actor sees them."""

    accounts: Mapping[int, str]
    logins: Mapping[int, str]

    @classmethod
    def of(cls, session: CrmSession, done: Deed | TakenBack) -> Names:
        """Those that are told of."""
        told = getattr(done, "unchanged", ()) or getattr(done, "left", ())
        users = [each.user_id for each in (*getattr(done, "received", ()), *getattr(done, "unchanged", ()))]
        return cls(
            names_of(session, Account, (each.account_id for each in told)), names_of(session, User, users, "login")
        )

    def account(self, id_: int) -> str:
        """An account as it stands in a table."""
        return f"{id_} {self.accounts.get(id_, '')}".rstrip()


# -- what is done ----------------------------------------------------------------------------------------------


def deed_json(deed: Deed, names: Names, change_set: int | None, dry_run: bool) -> dict[str, Any]:
    """What was done, or would be."""
    return {
        "handover": deed.handover_id,
        "dry_run": dry_run,
        "change_set": change_set,
        "effective": plain(deed.effective),
        "items": deed.items,
        "ended": deed.ended,
        "begun": deed.begun,
        "moved": dict(deed.moved),
        "followed": dict(deed.followed),
        "kept": dict(deed.kept),
        "received": [
            {
                "successor": None if each.user_id is None else names.logins.get(each.user_id),
                "to_pool": each.user_id is None,
                "accounts": each.accounts,
                "people": each.people,
                "open_work": each.open_work,
            }
            for each in deed.received
        ],
        "unchanged": [
            {
                "item": each.item_id,
                "account_id": each.account_id,
                "account": names.accounts.get(each.account_id),
                "role": each.role.value,
                "scope": each.scope,
                "owner": None if each.user_id is None else names.logins.get(each.user_id),
                "since": plain(each.since),
            }
            for each in deed.unchanged
        ],
        "open_work_later": deed.later,
        "undo": None if dry_run or not deed.items else f"crm handover undo {deed.handover_id}",
    }


def print_deed(application: Application, deed: Deed, names: Names, kinds: Mapping[str, str], dry_run: bool) -> None:
    """The same for people; ``kinds`` are the labels of what follows the accounts."""
    output, tz = application.output, application.crm.build.policy.tz
    translator = output.translator
    output.say("Accounts that go over: {count}, effective from {moment}.", count=deed.items,
               moment=shown(deed.effective, tz))  # fmt: skip
    if deed.received:
        output.table(
            ("goes to", "accounts", "people", "open work"),
            (
                (
                    translator.text("the pool") if each.user_id is None else names.logins.get(each.user_id, ""),
                    str(each.accounts), str(each.people), str(each.open_work),
                )
                for each in deed.received
            ),
        )  # fmt: skip
    _print_counts(application, deed.moved, title="Open work that goes with them")
    if deed.followed:
        output.table(
            ("kind", "count"),
            ((kinds[kind], str(count)) for kind, count in sorted(deed.followed.items())),
            title="Promises and the like that follow the accounts",
        )
    _print_counts(application, deed.kept, title="Open work that needs somebody and stays")
    if deed.unchanged:
        output.table(
            ("account", "role", "scope", "why"),
            (
                (names.account(each.account_id), translator.choice(each.role.value), each.scope,
                 _holder(application, each, names))
                for each in deed.unchanged
            ),
            title="Kept as it is",
        )  # fmt: skip
    if deed.later:
        output.say("The open work goes over on that day: the worker does it, or 'crm jobs run handover.due'.")
    if dry_run:
        output.note("It was a dry run: nothing was changed.")
    elif deed.items:
        output.note("To take it back: crm handover undo {id}. Single accounts: crm handover take-back {id} --account "
                    "REF", id=deed.handover_id)  # fmt: skip


def _holder(application: Application, each: Unchanged, names: Names) -> str:
    translator = application.translator
    if each.role is not OwnershipRole.OWNER:
        return translator.text("no longer in this role")
    if each.user_id is None:
        return translator.text("owned by nobody")
    owner = names.logins.get(each.user_id, "?")
    if each.since is None:
        return translator.format("owned by {owner}", owner=owner)
    since = shown(each.since, application.crm.build.policy.tz)
    return translator.format("owned by {owner} since {since}", owner=owner, since=since)


# -- what is taken back ----------------------------------------------------------------------------------------


def taken_json(
    taken: TakenBack, names: Names, application: Application, change_set: int | None, dry_run: bool
) -> dict[str, Any]:
    """What was taken back, or would be."""
    return {
        "dry_run": dry_run,
        "change_set": change_set,
        "items": taken.items,
        "records": dict(taken.records),
        "kept": dict(taken.kept),
        "whole": taken.whole,
        "left": [
            {
                "item": each.item_id,
                "account_id": each.account_id,
                "account": names.accounts.get(each.account_id or 0),
                "problems": [_why(application, problem) for problem in each.problems],
            }
            for each in taken.left
        ],
    }


def print_taken(application: Application, taken: TakenBack, names: Names, dry_run: bool) -> None:
    """The same for people."""
    output = application.output
    output.say("Accounts taken back: {count}.", count=taken.items)
    _print_counts(application, taken.records, title="Records that are as before")
    _print_counts(application, taken.kept, title="Finished meanwhile, and left with the successor")
    told = [each for each in taken.left if each.account_id is not None]
    if told:
        output.table(
            ("account", "why"),
            (
                (names.account(each.account_id or 0),
                 joined(dict.fromkeys(_why(application, problem) for problem in each.problems)))
                for each in told
            ),
            title="Could not be taken back",
        )  # fmt: skip
    if len(told) < len(taken.left):
        output.say("Accounts that were changed since, could not be taken back, and that you do not see: {count}.",
                   count=len(taken.left) - len(told))  # fmt: skip
    elif not taken.whole and not taken.left:
        output.say("The rest of the handover is for somebody else to take back.")
    if dry_run:
        output.note("It was a dry run: nothing was changed.")


def _why(application: Application, problem: Problem) -> str:
    """A conflict, with the labels of the record and the field that it is about."""
    translator, types = application.translator, application.crm.types
    name, _, id_ = problem.path.partition(" ")
    record_type = types.get(name)
    if record_type is None:
        return translator.error(problem)
    field = record_type.by_name.get(str(problem.values.get("field")))
    values = problem.values if field is None else {**problem.values, "field": translator.field(field, record_type)}
    return f"{translator.record(record_type)} {id_}: {translator.format(problem.problem, **values)}"


def _print_counts(application: Application, counts: Mapping[str, int], *, title: str) -> None:
    if counts:
        types, output = application.crm.types, application.output
        output.table(
            ("record", "count"),
            (
                (output.translator.record(types[name]) if name in types else name, str(count))
                for name, count in sorted(counts.items())
            ),
            title=title,
        )


# -- what is to come -------------------------------------------------------------------------------------------


def receivers(session: CrmSession, found: Sequence[HandoverItem]) -> list[dict[str, Any]]:
    """Who is to take over how many accounts; one that goes over in several roles counts once."""
    logins = names_of(session, User, (item.successor_id for item in found), "login")
    accounts = {(item.successor_id, item.to_pool, item.account_id) for item in found}
    counts = Counter((successor, to_pool) for successor, to_pool, _ in accounts)
    order = dict.fromkeys((item.successor_id, item.to_pool) for item in found)
    return [
        {
            "successor": None if successor is None else logins.get(successor),
            "to_pool": to_pool,
            "accounts": counts[successor, to_pool],
        }
        for successor, to_pool in order
    ]


def print_receivers(output: Output, found: Sequence[Mapping[str, Any]]) -> None:
    """A line for each of them."""
    say = output.translator.text
    output.table(
        ("goes to", "accounts"),
        (
            (say("the pool") if each["to_pool"] else each["successor"] or say("nobody yet"), str(each["accounts"]))
            for each in found
        ),
    )


def print_next(output: Output, handover: Handover, found: Sequence[HandoverItem]) -> None:
    """What is to be done next with a handover, and by which command."""
    states = Counter(item.state for item in found)
    nobody = sum(item.state is ItemState.DRAFTED and item.successor_id is None and not item.to_pool for item in found)
    if handover.state not in OPEN:
        return
    if nobody:
        output.note("Next: name who takes over those without a successor ({count}): crm handover assign {id} --to "
                    "LOGIN.", count=nobody, id=handover.id)  # fmt: skip
    elif states[ItemState.DRAFTED]:
        output.note("Next: offer it to the successors: crm handover offer {id}.", id=handover.id)
    elif states[ItemState.REFUSED]:
        output.note("Next: ask somebody else about what was refused ({count}): crm handover assign {id} --to LOGIN.",
                    count=states[ItemState.REFUSED], id=handover.id)  # fmt: skip
    elif states[ItemState.OFFERED]:
        output.note("Next: the successors answer: crm --user LOGIN handover accept {id} (or refuse). "
                    "Without --user you accept on behalf of all.", id=handover.id)  # fmt: skip
    elif states[ItemState.ACCEPTED]:
        output.note("Next: carry it out: crm handover do {id}.", id=handover.id)


def print_yours(output: Output, handover_id: int) -> None:
    """What whoever accepted accounts does next: get to know them."""
    output.note("Next: get to know your accounts: crm handover briefing {id} --all. Once they are handed over, "
                "'crm today' lists what is due there.", id=handover_id)  # fmt: skip
