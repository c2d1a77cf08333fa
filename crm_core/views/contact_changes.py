"""Contact data, of people and of accounts, that was changed or deleted shortly before somebody left."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, null, select

from crm_core.domain.accounts import Account, AccountAddress
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint
from crm_core.domain.dated import holds
from crm_core.domain.handovers.records import Handover, HandoverState
from crm_core.domain.organisation import User
from crm_core.store.partitions.recorded import begins
from crm_core.store.traces import Trace, deactivations, traces
from crm_core.views.risks import Risk, parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["contact_changes"]

_UNTOLD = frozenset({"confirmed_at", "consent", "consent_at", "preferred"})
"""Changes of these alone are what is expected of everybody."""

_OF_ACCOUNTS = frozenset({"phone", "email", "website", "address"})
"""The contact data that an account has itself; its other fields are no way to reach it."""

_NOBODY = (None, "", None, "")


def contact_changes(
    session: CrmSession, users: Sequence[int], before: int
) -> tuple[Mapping[int, list[Risk]], dt.datetime | None]:
    """What each of these users changed in contact data shortly before they left, or lately.

    And the moment before which it is not known, because that part of the journal is detached; ``None`` where all that
    was looked through is there.
    """
    left = _left(session, users)
    span = dt.timedelta(before)
    found: defaultdict[int, list[Risk]] = defaultdict(list)
    if not users:
        return found, None
    moments = [left.get(id_, session.at) for id_ in users]
    types = [each.crm_type for each in (Contact, ContactPoint, Affiliation, Account, AccountAddress)]
    noted = [
        trace
        for trace in traces(session, users, types, min(moments) - span, max(moments))
        if left.get(trace.user_id, session.at) - span <= trace.at <= left.get(trace.user_id, session.at)
        and _counts(trace)
    ]
    cut = begins(session)
    whom = _whom(session, noted)
    for trace in noted:
        emptied = all(trace.change.after.get(name) in (None, "") for name in _told(trace) - _UNTOLD)
        contact_id, contact, account_id, account = whom.get((trace.change.type, trace.change.id), _NOBODY)
        found[trace.user_id].append(
            Risk(
                kind="changed_before_leaving",
                account_id=account_id,
                account=account,
                contact_id=contact_id,
                contact=contact,
                user_id=trace.user_id,
                at=trace.at,
                record_type=trace.change.type,
                operation="deleted" if trace.change.operation == "delete" else "emptied" if emptied else "changed",
                fields=() if trace.change.operation == "delete" else tuple(sorted(_told(trace))),
            )
        )
    return found, cut if cut is not None and cut > min(moments) - span else None


def _told(trace: Trace) -> frozenset[str]:
    """The fields of a change that are contact data."""
    return trace.fields & _OF_ACCOUNTS if trace.change.type == "account" else trace.fields


def _counts(trace: Trace) -> bool:
    """Whether a change is one of contact data that not everybody is expected to make."""
    if trace.change.operation != "delete":
        return bool(_told(trace) - _UNTOLD)
    lost = (trace.change.before.get(name) for name in _told(trace))
    return trace.change.type != "account" or any(each not in (None, "") for each in lost)


def _left(session: CrmSession, users: Sequence[int]) -> dict[int, dt.datetime]:
    """When users left: deactivated, or a handover of theirs took effect (or will)."""
    gone: set[int] = set()
    left: dict[int, dt.datetime] = {}
    for part in parts(users):
        gone.update(session.scalars(select(User.id).where(User.id.in_(part), User.active.is_(False))))
        query = (
            select(Handover.leaver_id, func.max(func.coalesce(Handover.effective_at, Handover.created_at)))
            .where(
                Handover.leaver_id.in_(part),
                Handover.state.in_((HandoverState.DRAFTED, HandoverState.OFFERED, HandoverState.DONE)),
            )
            .group_by(Handover.leaver_id)
        )
        left.update((id_, at) for id_, at in session.execute(query))
    for id_, at in deactivations(session, gone).items():
        left[id_] = min(at, left.get(id_, at))
    return left


def _whom(
    session: CrmSession, noted: Sequence[Trace]
) -> dict[tuple[str, int], tuple[int | None, str, int | None, str]]:
    """By record that was changed: the person and the account it is about, with their names where they are seen."""
    hangs: dict[tuple[str, int], tuple[int | None, int | None]] = {}
    unknown: defaultdict[str, set[int]] = defaultdict(set)
    for trace in noted:
        key = (trace.change.type, trace.change.id)
        before = trace.change.before
        if trace.change.type == "contact":
            hangs[key] = (trace.change.id, None)
        elif trace.change.type == "account":
            hangs[key] = (None, trace.change.id)
        elif trace.change.operation == "delete":
            hangs[key] = (before.get("contact_id"), before.get("account_id"))
        elif key not in hangs:
            unknown[trace.change.type].add(trace.change.id)
    linking: tuple[Any, ...] = (ContactPoint, Affiliation, AccountAddress)
    for cls in linking:
        for part in parts(sorted(unknown[cls.crm_type.name])):
            person: Any = null() if cls is AccountAddress else cls.contact_id
            query = select(cls.id, person.label("contact_id"), cls.account_id).where(cls.id.in_(part))
            for row in session.execute(query, execution_options={"all_dates": True}):
                hangs[cls.crm_type.name, row.id] = (row.contact_id, row.account_id)
    moments = {(trace.change.type, trace.change.id): trace.at for trace in reversed(noted)}
    lone = {contact_id for contact_id, account_id in hangs.values() if contact_id is not None and account_id is None}
    places = _places(session, lone)
    for key, (contact_id, account_id) in hangs.items():
        if contact_id is not None and account_id is None:
            hangs[key] = (contact_id, _place(places[contact_id], moments[key]))
    contacts = _names(session, Contact, {contact_id for contact_id, _ in hangs.values()})
    accounts = _names(session, Account, {account_id for _, account_id in hangs.values()})
    found: dict[tuple[str, int], tuple[int | None, str, int | None, str]] = {}
    for key, (contact_id, account_id) in hangs.items():
        contact, account = contacts.get(contact_id, ""), accounts.get(account_id, "")
        found[key] = (contact_id if contact else None, contact, account_id if account else None, account)
    return found


def _places(session: CrmSession, people: set[int]) -> defaultdict[int, list[Any]]:
    """Where people work or worked, as far as the actor sees."""
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for part in parts(sorted(people)):
        query = (
            select(Affiliation.contact_id, Affiliation.account_id, Affiliation.primary, Affiliation.valid_from,
                   Affiliation.valid_to)
            .where(Affiliation.contact_id.in_(part))
            .order_by(Affiliation.id)
        )  # fmt: skip
        for row in session.execute(query, execution_options={"all_dates": True}):
            found[row.contact_id].append(row)
    return found


def _place(places: Sequence[Any], at: dt.datetime) -> int | None:
    """The account where somebody worked at a moment, rather their main place; else the one where they began last."""
    if not places:
        return None
    first = dt.datetime.min.replace(tzinfo=dt.UTC)
    chosen = max(places, key=lambda row: (holds(row, at), row.primary, row.valid_from or first))
    account_id: int = chosen.account_id
    return account_id


def _names(session: CrmSession, cls: Any, ids: set[int | None]) -> dict[int | None, str]:
    """The names of those of these records that the actor sees."""
    found: dict[int | None, str] = {}
    for part in parts(sorted(id_ for id_ in ids if id_ is not None)):
        for row in session.execute(select(cls.id, cls.name).where(cls.id.in_(part))):
            found[row.id] = row.name
    return found
