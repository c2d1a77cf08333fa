"""An activity that names a person and no account belongs to the account at which that person worked then.

Everything that looks at a customer asks by the account: news, timeline, promises, signs of life. See decision 0061.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Affiliation
from crm_core.domain.dated import holds
from crm_core.records import RecordType
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["name_accounts", "stays"]


def name_accounts(session: CrmSession, _type: RecordType, entries: Sequence[Entry]) -> None:
    """Fill the account of activities that name a person alone, where there is one that it can only be.

    That is the person's only place at that moment, or the only main one, among those that the actor sees and where they
    might have written the activity themselves.
    """
    if session.writer.expected is not None or session.writer.closed:
        return  # an undo restores what was, and a merge moves it
    before = {entry.id: entry.before.get("account_id") for entry in entries if _open(entry)}
    changes: list[dict[str, Any]] = []
    for part in in_parts(before):
        changes += _found(session, part, before)
    if changes:
        with session.writer.as_kernel():
            session.update_many(Activity, changes)


def stays(record_type: RecordType, old: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    """Whether a file that gives no account would only take away what was filled here: it names the same person."""
    return (
        record_type is Activity.crm_type
        and change.get("account_id", ...) is None
        and old["contact_id"] is not None
        and "contact_id" not in change
    )


def _open(entry: Entry) -> bool:
    """Whether a person was written without an account, or an account was taken away."""
    if entry.operation == "delete" or entry.after.get("account_id") is not None:
        return False
    if entry.operation == "create":
        return entry.after.get("contact_id") is not None
    return "account_id" in entry.after or entry.after.get("contact_id") is not None


def _found(session: CrmSession, ids: Sequence[int], before: Mapping[int, int | None]) -> list[dict[str, Any]]:
    table = Activity.crm_type.table
    query = select(table.c.id, table.c.contact_id, table.c.started_at, table.c.planned_start, table.c.created_at).where(
        table.c.id.in_(ids), table.c.account_id.is_(None), table.c.contact_id.is_not(None)
    )
    rows = session.core(query).all()
    places = _places(session, {row.contact_id for row in rows})
    # One without a date is of the day on which it was written: today would move it along with the person.
    found = (
        (row.id, _only(places[row.contact_id], row.started_at or row.planned_start or row.created_at, before[row.id]))
        for row in rows
    )
    return [{"id": id_, "account_id": account_id} for id_, account_id in found if account_id is not None]


def _places(session: CrmSession, people: Iterable[int]) -> defaultdict[int, list[Any]]:
    """Where people work, worked or will work, as far as the actor might write activities there."""
    visibility = session.visibility
    place, account = Affiliation.crm_type.table, Account.crm_type.table
    needed = (
        Account.crm_type.permission("read"),
        Affiliation.crm_type.permission("read"),
        Activity.crm_type.permission("read"),
        Activity.crm_type.permission("create"),
    )
    reaches = (visibility.reach(permission) for permission in needed)
    within = visibility.accounts_within(account, frozenset(each for each in reaches if not each.all))
    query = (
        select(place.c.contact_id, place.c.account_id, place.c.primary, place.c.valid_from, place.c.valid_to)
        .join(account, account.c.id == place.c.account_id)
        .where(place.c.contact_id.in_(sorted(people)), *([] if within is None else [within]))
    )
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in session.core(query):
        found[row.contact_id].append(row)
    return found


def _only(places: Iterable[Any], at: dt.datetime, before: int | None) -> int | None:
    """The account where it stood before, or the one that it can only be; of several none, since a guess would tell one
    customer of another.
    """
    there = [each for each in places if holds(each, at)]
    if before is not None and any(each.account_id == before for each in there):
        return before
    for rows in (there, [each for each in there if each.primary]):
        accounts: set[int] = {each.account_id for each in rows}
        if len(accounts) == 1:
            return accounts.pop()
    return None
