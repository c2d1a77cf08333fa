"""Pools as people read them, and as JSON."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.cli.moments import shown
from crm_core.cli.records import Shower, plain
from crm_core.domain.accounts import Account
from crm_core.domain.pools import SIGNALS, Pool, PoolEvent, PoolEventKind
from crm_core.fields import Address, Money

if TYPE_CHECKING:
    from crm_core.cli.application import Application
    from crm_core.store.pools import AssignReport, Loss, Offers, Orphans, PoolCount, RecycleReport, Simulation
    from crm_core.store.session import CrmSession

__all__ = [
    "assigned_json", "counts_json", "events_json", "offers_json", "print_assigned", "print_counts", "print_events",
    "print_offers", "print_recycled", "print_simulation", "recycled_json", "rule_text", "simulation_json",
]  # fmt: skip

_PART_LABELS = {
    "street": "Street", "city": "City", "region": "Province or state", "postal_code": "Postal code",
    "country": "Country", "amount": "Amount", "currency": "Currency",
}  # fmt: skip
_WOULD_LABELS = {PoolEventKind.WARNED: "would be warned", PoolEventKind.RECYCLED: "would go back"}
_BAR = 40
"""Columns of the longest bar."""


def rule_text(application: Application, key: str | None) -> str:
    """A rule as people read it: ``without held_activity 90`` as "no held activity for 90 days"."""
    if key is None:
        return ""
    how, signal, days = key.split(" ")
    translator = application.translator
    label = application.crm.build.policy.vocabularies.get(SIGNALS, {}).get(signal, signal)
    label = _low(translator.text(label))
    if how == "without":
        if days == "1":
            return translator.format("no {signal} for one day", signal=label)
        return translator.format("no {signal} for {days} days", signal=label, days=days)
    if days == "1":
        return translator.format("one day after: {signal}", signal=label)
    return translator.format("{days} days after: {signal}", signal=label, days=days)


def _low(label: str) -> str:
    return label[:1].lower() + label[1:]


def _names(session: CrmSession, accounts: Iterable[int], users: Iterable[int | None]) -> Shower:
    """Reads the names that will be shown, at once: only of what the actor may see."""
    from crm_core.translation import ENGLISH

    shower = Shower(session, ENGLISH)
    shower.prepare("account", accounts)
    shower.prepare("user", [user for user in users if user is not None])
    return shower


# -- which pools there are, and what is in them -----------------------------------------------------------------


def counts_json(found: Sequence[PoolCount], alone: Orphans | None) -> dict[str, Any]:
    """The pools, and accounts that nobody reaches, to whom may know of them."""
    return {
        "pools": [
            {
                "pool": each.pool.name, "label": each.pool.title, "scope": each.pool.scope, "accounts": each.free,
                "mine": each.mine, "unknown": list(each.unknown),
            }
            for each in found
        ],
        "orphans": None if alone is None else {"count": alone.count, "accounts": list(alone.ids)},
    }  # fmt: skip


def print_counts(application: Application, found: Sequence[PoolCount], alone: Orphans | None) -> None:
    """A table of the pools, and what deserves a look."""
    output, translator = application.output, application.translator
    if found:
        output.table(
            ("pool", "label", "scope", "accounts", "you may claim"),
            [
                (each.pool.name, each.pool.title, each.pool.scope, str(each.free),
                 translator.text("yes" if each.mine else "no"))
                for each in found
            ],
        )  # fmt: skip
    else:
        output.say("There is no pool that you may look into.")
    for each in found:
        if each.unknown:
            output.note("The pool {pool} names units or members that are not there: {names}.", pool=each.pool.name,
                        names=", ".join(each.unknown))  # fmt: skip
    if alone is not None and alone.count:
        output.note(
            "Accounts without an owner that are in no pool, so that only who sees all accounts reaches them: {count} "
            "({ids}).",
            count=alone.count, ids=", ".join(map(str, alone.ids)) + (" ..." if alone.count > len(alone.ids) else ""),
        )  # fmt: skip


def _value(value: Any) -> Any:
    if isinstance(value, Money):
        return {"amount": plain(value.amount), "currency": value.currency}
    if isinstance(value, Address):
        return attrs.asdict(value)
    return sorted(value) if isinstance(value, frozenset) else plain(value)


def offers_json(pool: str, page: Offers, more: str | None) -> dict[str, Any]:
    """A page of a pool."""
    return {
        "pool": pool,
        "accounts": [{"id": each.id, **{name: _value(value) for name, value in each.values.items()}} for each in page],
        "next": more,
    }


def print_offers(application: Application, session: CrmSession, pool: Pool, page: Offers, more: str | None) -> None:
    """A page of a pool as a table."""
    output = application.output
    shower = Shower(session, application.translator)
    output.table(
        ("id", *(_label(shower, name) for name in pool.show)),
        [(str(each.id), *(_text(shower, name, each.values) for name in pool.show)) for each in page],
    )
    if more is not None:
        output.note("There are more. The next page: --after {cursor}", cursor=more)
    if len(page):
        output.note("'crm pool claim {pool} ID' takes one.", pool=pool.name)


def _label(shower: Shower, name: str) -> str:
    whole, _, part = name.partition(".")
    field = Account.crm_type.by_name.get(whole) or shower.session.policy.custom.get("account", {}).get(whole)
    translator = shower.translator
    if field is None:
        return name
    if part:
        return translator.word(name, _PART_LABELS.get(part))
    return translator.field(field, Account.crm_type)


def _text(shower: Shower, name: str, values: Mapping[str, Any]) -> str:
    field = Account.crm_type.by_name.get(name) or shower.session.policy.custom.get("account", {}).get(name)
    value = values[name]
    if field is None or value is None:
        return "" if value is None else str(value)
    return shower.text(field, value, Account.crm_type)


# -- what the rules do ------------------------------------------------------------------------------------------


def recycled_json(report: RecycleReport, made: int | None) -> dict[str, Any]:
    """What the rules did, or would do."""
    return {
        "dry_run": report.dry_run,
        "owned": report.looked_at,
        "steps": [
            {"account": each.account_id, "user": each.user_id, "pool": each.pool, "rule": each.rule,
             "kind": each.kind.value, "due": plain(each.due)}
            for each in report.steps
        ],
        "change_set": made,
    }  # fmt: skip


def print_recycled(
    application: Application, session: CrmSession, report: RecycleReport, limit: int, made: int | None
) -> None:
    """What the rules did, or would do, as a table."""
    output, translator = application.output, application.translator
    steps = report.steps[:limit]
    today = session.clock().astimezone(session.policy.tz).date()
    names = _names(session, (each.account_id for each in steps), (each.user_id for each in steps))
    if steps:
        output.table(
            ("account", "owner", "what", "goes back on", "pool", "rule"),
            [
                (names.reference("account", each.account_id), names.reference("user", each.user_id),
                 translator.text(_WOULD_LABELS[each.kind]) if report.dry_run else translator.choice(each.kind.value),
                 translator.text("today") if each.due <= today else each.due.isoformat(), each.pool,
                 rule_text(application, each.rule))
                for each in steps
            ],
        )  # fmt: skip
    _left_out(application, len(report.steps), len(steps))
    counts = {"warned": len(report.warned), "recycled": len(report.recycled), "owned": report.looked_at}
    if report.dry_run:
        output.say("Owned accounts: {owned}. Would go back: {recycled}; warnings that would be given: {warned}. "
                   "Nothing was changed.", **counts)  # fmt: skip
        return
    output.say("Owned accounts: {owned}. Went back: {recycled}; warnings that were given: {warned}.", **counts)
    _undoable(application, made)


def assigned_json(report: AssignReport, made: int | None) -> dict[str, Any]:
    """What was handed out, or would be."""
    return {
        "dry_run": report.dry_run,
        "steps": [{"account": each.account_id, "user": each.user_id, "pool": each.pool} for each in report.steps],
        "left": dict(report.left),
        "change_set": made,
    }


def print_assigned(
    application: Application, session: CrmSession, report: AssignReport, limit: int, made: int | None
) -> None:
    """What was handed out, or would be, as a table."""
    output = application.output
    steps = report.steps[:limit]
    names = _names(session, (each.account_id for each in steps), (each.user_id for each in steps))
    if steps:
        output.table(
            ("account", "new owner", "pool"),
            [(names.reference("account", each.account_id), names.reference("user", each.user_id), each.pool)
             for each in steps],
        )  # fmt: skip
    _left_out(application, len(report.steps), len(steps))
    for pool, count in report.left.items():
        output.note("Accounts of the pool {pool} for which nobody has room: {count}.", count=count, pool=pool)
    if report.dry_run:
        output.say("Accounts that would be handed out: {count}. Nothing was changed.", count=len(report.steps))
        return
    output.say("Accounts that were handed out: {count}.", count=len(report.steps))
    _undoable(application, made)


def _left_out(application: Application, all_: int, shown_: int) -> None:
    if all_ > shown_:
        application.output.note("Lines that are not shown: {count}. --limit {all} or --json shows them.",
                                count=all_ - shown_, all=all_)  # fmt: skip


def _undoable(application: Application, made: int | None) -> None:
    if made is not None:
        application.output.note("To take it back: crm undo {made}", made=made)


def events_json(session: CrmSession, events: Iterable[PoolEvent]) -> list[dict[str, Any]]:
    """The log of an account."""
    return [
        {"at": plain(each.at), "pool": each.pool, "kind": each.kind.value, "user": each.user_id, "rule": each.rule,
         "reason": each.reason}
        for each in events
    ]  # fmt: skip


def print_events(application: Application, session: CrmSession, account: Account, events: Sequence[PoolEvent]) -> None:
    """The log of an account as a table."""
    output, translator = application.output, application.translator
    output.heading(f"{account.id}  {account.name}")
    if not events:
        output.say("It was never in a pool, as far as the log goes.")
        return
    names = _names(session, (), (each.user_id for each in events))
    output.table(
        ("when", "what", "pool", "who", "rule", "reason"),
        [
            (shown(each.at, session.policy.tz), translator.choice(each.kind.value), each.pool,
             "" if each.user_id is None else names.reference("user", each.user_id), rule_text(application, each.rule),
             each.reason or "")
            for each in events
        ],
    )  # fmt: skip


# -- the simulator ----------------------------------------------------------------------------------------------


def simulation_json(session: CrmSession, report: Simulation) -> dict[str, Any]:
    """Everything that would have happened."""
    return {
        "since": plain(report.since),
        "until": plain(report.until),
        "owned": report.owned,
        "as_of_today": list(report.notes),
        "losses": [
            {
                "account": each.account_id, "user": each.user_id, "day": plain(each.day), "pool": each.pool,
                "rule": each.rule, "grade": each.grade, "warned_on": plain(each.warned_on), "sign": each.sign,
                "last_chance": plain(each.last_chance), "lost_then": plain(each.lost_then),
            }
            for each in report.losses
        ],
    }  # fmt: skip


def print_simulation(application: Application, session: CrmSession, report: Simulation, limit: int) -> None:
    """A picture over the weeks, sums by person, and the losses themselves."""
    output = application.output
    for pool in report.notes:
        output.note("The condition of the pool {pool} looks at other records or at the day: it was asked of today, "
                    "not of the past.", pool=pool)  # fmt: skip
    if not report.losses:
        output.say("From {since} to {until} nobody would have lost an account, of {owned} times of owners.",
                   since=report.since, until=report.until, owned=report.owned)  # fmt: skip
        return
    shown_ = report.losses[:limit]
    names = _names(session, (each.account_id for each in shown_), (each.user_id for each in report.losses))
    _picture(application, report)
    output.table(
        ("who", "would have lost", "saved by one sign of life", "first", "last"),
        [
            (names.reference("user", user_id), str(len(losses)),
             str(sum(each.saved for each in losses)), losses[0].day.isoformat(),
             losses[-1].day.isoformat())
            for user_id, losses in report.by_user().items()
        ],
        title="By person",
    )  # fmt: skip
    if shown_:
        output.table(
            ("on", "account", "owner", "rule", "warned on", "last chance", "lost then"),
            [_loss(application, names, each) for each in shown_],
            title="Accounts that would have gone back",
        )
    _left_out(application, len(report.losses), len(shown_))
    output.say(
        "Accounts that would have gone back from {since} to {until}: {count}, of {owned} times of owners. Saved to the "
        "end by one more sign of life by the last chance: {saved}.",
        since=report.since, until=report.until, count=len(report.losses), owned=report.owned,
        saved=sum(each.saved for each in report.losses),
    )  # fmt: skip


def _loss(application: Application, names: Shower, each: Loss) -> tuple[str, ...]:
    days = (each.warned_on, each.last_chance, each.lost_then)
    return (
        each.day.isoformat(),
        names.reference("account", each.account_id),
        names.reference("user", each.user_id),
        rule_text(application, each.rule),
        *("" if day is None else day.isoformat() for day in days),
    )


def _picture(application: Application, report: Simulation) -> None:
    """A bar for each week, from the first to the last in which something would have gone back."""
    weeks: Counter[dt.date] = Counter()
    for day, count in report.by_day().items():
        weeks[day - dt.timedelta(day.weekday())] += count
    most = max(weeks.values())
    first, last = min(weeks), max(weeks)
    rows = []
    while first <= last:
        count = weeks[first]
        bar = "█" * max(1, round(count * _BAR / most)) if count else ""
        rows.append((first.isoformat(), str(count), bar))
        first += dt.timedelta(7)
    application.output.table(("week", "accounts", ""), rows, title="Accounts that would have gone back, by week")
