"""Handovers printed and as JSON, and which of their items a command means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.cli.finding import record_id
from crm_core.cli.moments import shown
from crm_core.cli.output import Output
from crm_core.cli.records import plain
from crm_core.domain import handovers
from crm_core.domain.accounts import Account
from crm_core.domain.handovers import Handover, HandoverItem, ItemState
from crm_core.domain.handovers.records import READ_DETAILS
from crm_core.domain.organisation import User
from crm_core.errors import NotFound

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["chosen", "handover_json", "items_json", "names_of", "print_handovers", "print_items", "share_kept"]

_CHUNK = 1000


def chosen(
    session: CrmSession, handover: Handover, references: Sequence[str], *states: ItemState
) -> list[HandoverItem]:
    """The items of the named accounts, or without names those in one of ``states``.

    Raises :class:`NotFound` for an account that is no part of the handover, and where nothing is left.
    """
    found = handovers.items(session, handover, *(() if references else states))
    if references:
        wanted = {record_id(session, Account.crm_type, reference): reference for reference in references}
        known = {item.account_id for item in found}
        for id_, reference in wanted.items():
            if id_ not in known:
                raise NotFound(
                    "The account {reference!r} is no part of the handover {id}.",
                    mend="'crm handover show {id}' lists its accounts.",
                    record="handover_item",
                    reference=reference,
                    id=handover.id,
                )
        found = [item for item in found if item.account_id in wanted]
    if not found:
        raise NotFound(
            "The handover {id} has nothing for that.",
            mend="'crm handover show {id}' lists the states.",
            record="handover_item",
            id=handover.id,
        )
    return found


def names_of(session: CrmSession, cls: Any, ids: Iterable[int | None], field: str = "name") -> dict[int, str]:
    """A text field of records by id, of those that the actor sees."""
    wanted = sorted({id_ for id_ in ids if id_ is not None})
    names: dict[int, str] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = select(cls.id, getattr(cls, field)).where(cls.id.in_(wanted[start : start + _CHUNK]))
        names.update((id_, name) for id_, name in session.execute(query))
    return names


def handover_json(session: CrmSession, found: Sequence[Handover]) -> list[dict[str, Any]]:
    """Handovers, without their items."""
    logins = names_of(session, User, (each.leaver_id for each in found), "login")
    return [
        {
            "id": each.id,
            "leaver": logins.get(each.leaver_id),
            "state": each.state.value,
            "effective_at": plain(each.effective_at),
            "message": each.message,
            "reason": each.reason if session.can(READ_DETAILS) else None,
            "split_share": plain(each.split_share),
            "split_until": plain(each.split_until),
        }
        for each in found
    ]


def items_json(session: CrmSession, found: Sequence[HandoverItem]) -> list[dict[str, Any]]:
    """Items, with the names of accounts and the logins of successors."""
    accounts = names_of(session, Account, (item.account_id for item in found))
    logins = names_of(session, User, (item.successor_id for item in found), "login")
    return [
        {
            "id": item.id,
            "account_id": item.account_id,
            "account": accounts.get(item.account_id),
            "role": item.role.value,
            "scope": item.scope,
            "successor": logins.get(item.successor_id or 0),
            "to_pool": item.to_pool,
            "state": item.state.value,
            "note": item.note,
            "answered_at": plain(item.answered_at),
            "done_at": plain(item.done_at),
            "settled_at": plain(item.settled_at),
            "split_share": plain(item.split_share),
            "split_until": plain(item.split_until),
        }
        for item in found
    ]


def print_handovers(output: Output, session: CrmSession, found: Sequence[Handover]) -> None:
    """A line for each handover, with how many of its items are in which state."""
    translator, tz = output.translator, session.policy.tz
    logins = names_of(session, User, (each.leaver_id for each in found), "login")
    states: dict[int, Counter[str]] = {each.id: Counter() for each in found}
    ids = sorted(states)
    for start in range(0, len(ids), _CHUNK):
        query = select(HandoverItem.handover_id, HandoverItem.state).where(
            HandoverItem.handover_id.in_(ids[start : start + _CHUNK])
        )
        for id_, state in session.execute(query):
            states[id_][state.value] += 1
    output.table(
        ("handover", "who leaves", "state", "effective from", "accounts", "message"),
        (
            (
                str(each.id),
                logins.get(each.leaver_id, ""),
                translator.choice(each.state.value),
                shown(each.effective_at, tz),
                ", ".join(f"{count} {translator.choice(state)}" for state, count in sorted(states[each.id].items())),
                each.message or "",
            )
            for each in found
        ),
    )


def print_items(output: Output, session: CrmSession, found: Sequence[HandoverItem]) -> None:
    """A line for each item; the share of later commission that stays is told where any does."""
    translator, tz = output.translator, session.policy.tz
    shares = any(item.split_share for item in found)
    accounts = names_of(session, Account, (item.account_id for item in found))
    logins = names_of(session, User, (item.successor_id for item in found), "login")
    output.table(
        ("account", "role", "scope", "goes to", *(("share kept", "until") if shares else ()), "state", "answer"),
        (
            (
                f"{item.account_id} {accounts.get(item.account_id, '')}".rstrip(),
                translator.choice(item.role.value),
                item.scope,
                translator.text("the pool") if item.to_pool else logins.get(item.successor_id or 0, ""),
                *((share_kept(item.split_share), shown(item.split_until, tz)) if shares else ()),
                translator.choice(item.state.value),
                item.note or "",
            )
            for item in found
        ),
    )


def share_kept(share: Decimal | None) -> str:
    """A part of one as people write it, without noughts at its end; nothing where nothing is kept."""
    return f"{share.normalize():f}" if share else ""
