"""What others wrote about somebody's accounts since a look: read from the journal, by recorded time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, func, or_, select

from crm_core.domain.contacts import Affiliation, Contact, ContactPoint
from crm_core.domain.ownership import Ownership
from crm_core.domain.redirects import Redirect
from crm_core.records import RecordType
from crm_core.store.actor import valid_at
from crm_core.store.looks import LATE, Look, committed_since
from crm_core.store.parts import id_parts
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values
from crm_core.store.visibility import bare

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = [
    "Written",
    "by_others",
    "held_accounts",
    "merging",
    "places_of",
    "written",
    "written_by_others",
    "written_people",
    "written_points",
]


@attrs.frozen(kw_only=True)
class Written:
    """What others wrote in one record since a look, taken together; ``created`` where it was not there before.

    ``before`` and ``after`` hold the fields whose values differ in the end, without those that the reader may not read;
    ``values`` are the record's present ones that were asked for. ``user_id`` is who wrote last.
    """

    record_id: int
    account_ids: tuple[int, ...]
    created: bool
    at: dt.datetime
    user_id: int | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    values: Mapping[str, Any]


def held_accounts(user_id: int, now: dt.datetime) -> Select[Any]:
    """The accounts that a user is responsible for in any role, as a query of ids."""
    own = bare(Ownership.crm_type.table).alias("mine")
    return select(own.c.account_id).where(own.c.user_id == user_id, valid_at(own, now))


def written(
    session: CrmSession, record_type: RecordType, reader: int, since: Look, *names: str, account: str = "account_id"
) -> list[Written]:
    """What others wrote in records of a type at the reader's accounts, oldest first, as far as the actor sees them.

    ``names`` are columns of the record to bring along, ``account`` the one that says which account it is.
    """
    table = record_type.table
    mine = table.c[account].in_(held_accounts(reader, session.now))
    query = _journal(session, record_type, reader, since, mine).add_columns(
        table.c[account].label("_account"), *(table.c[name].label(f"_{name}") for name in names)
    )
    rows = session.core(query).all()
    return _taken_together(session, record_type, rows, names, {row.record_id: (row._account,) for row in rows})


def written_points(session: CrmSession, reader: int, since: Look) -> list[Written]:
    """What others wrote in the contact points of the reader's accounts, and of the people who work there."""
    record_type, now = ContactPoint.crm_type, session.now
    table, person = record_type.table, bare(Contact.crm_type.table).alias("person")
    mine = or_(table.c.account_id.in_(held_accounts(reader, now)), table.c.contact_id.in_(_working(reader, now)))
    query = _journal(session, record_type, reader, since, mine).outerjoin(person, person.c.id == table.c.contact_id)
    query = query.add_columns(
        table.c.account_id.label("_account"), table.c.contact_id.label("_contact"), table.c.kind.label("_kind"),
        table.c.value.label("_value"), person.c.name.label("_name"),
    )  # fmt: skip
    rows = session.core(query).all()
    places = places_of(session, reader, since, (row._contact for row in rows if row._contact is not None))
    where = {
        row.record_id: (row._account,) if row._contact is None else tuple(places.get(row._contact, ())) for row in rows
    }
    return _taken_together(session, record_type, rows, ("kind", "value", "name"), where)


def written_people(session: CrmSession, reader: int, since: Look, *names: str) -> list[Written]:
    """What others wrote in the people who work at the reader's accounts; ``names`` are columns to bring along.

    Told only where they worked there when the reader looked: of others the reader did not know what is different now.
    """
    record_type = Contact.crm_type
    table = record_type.table
    query = _journal(session, record_type, reader, since, table.c.id.in_(_working(reader, session.now)))
    rows = session.core(query.add_columns(*(table.c[name].label(f"_{name}") for name in names))).all()
    places = places_of(session, reader, since, (row.record_id for row in rows))
    where = {id_: tuple(each for each, known in found.items() if known is None) for id_, found in places.items()}
    return _taken_together(session, record_type, rows, names, where)


def _working(reader: int, now: dt.datetime) -> Select[Any]:
    """Who works at the reader's accounts, as a query of ids."""
    place = bare(Affiliation.crm_type.table).alias("place")
    return select(place.c.contact_id).where(place.c.account_id.in_(held_accounts(reader, now)), valid_at(place, now))


def places_of(
    session: CrmSession, reader: int, since: Look, people: Iterable[int]
) -> dict[int, dict[int, dt.datetime | None]]:
    """At which of the reader's accounts some people work: by person and account, since when the reader may know of it.

    ``None`` is since before the look. What others wrote before that moment is not the reader's to know.
    """
    place, now = bare(Affiliation.crm_type.table).alias("place"), session.now
    found: dict[int, dict[int, dt.datetime | None]] = {}
    for part in id_parts(people):
        query = select(
            place.c.contact_id, place.c.account_id, place.c.valid_from, place.c.created_at,
            _arrived(session, since, place).label("arrived"),
        ).where(
            place.c.contact_id.in_(part), place.c.account_id.in_(held_accounts(reader, now)), valid_at(place, now)
        )  # fmt: skip
        for row in session.core(query.order_by(place.c.id)):
            known: dt.datetime | None = max(each for each in (row.valid_from, row.created_at, row.arrived) if each)
            if row.arrived is None and known is not None and known <= since.at:
                known = None
            accounts = found.setdefault(row.contact_id, {})
            # Of two places at one account the earlier counts.
            earlier = accounts.get(row.account_id, known)
            accounts[row.account_id] = None if earlier is None or known is None else min(earlier, known)
    return found


_BRINGING = ('"account_id":', '"contact_id":', '"valid_from":', '"valid_to":"')
"""What the journal says was before, where an edit brought a person to an account: another place, or other days."""


def _arrived(session: CrmSession, since: Look, place: FromClause) -> Any:
    """When a place was made since a look, or an edit, also of a merge, brought a person there."""
    return (
        select(func.max(CHANGE_SET.c.at))
        .select_from(CHANGE)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(
            CHANGE.c.record_id == place.c.id,
            CHANGE.c.type == Affiliation.crm_type.name,
            or_(
                CHANGE.c.operation == "create",
                and_(
                    CHANGE.c.operation == "update",
                    or_(*(CHANGE.c.before.contains(each, autoescape=True) for each in _BRINGING)),
                ),
            ),
            committed_since(session, since),
        )
        .correlate(place)
        .scalar_subquery()
    )


def by_others(reader: int) -> ColumnElement[bool]:
    """Which change sets are not the reader's."""
    return or_(CHANGE_SET.c.user_id.is_(None), CHANGE_SET.c.user_id != reader)


def merging() -> ColumnElement[bool]:
    """Which change sets are a merge or a split: these move rows and cut them, and nothing ends by it."""
    inside = CHANGE.alias("inside")
    return and_(
        CHANGE_SET.c.source.in_(["merge", "undo"]),
        exists().where(inside.c.change_set_id == CHANGE_SET.c.id, inside.c.type == Redirect.crm_type.name),
    )


def _journal(
    session: CrmSession, record_type: RecordType, reader: int, since: Look, mine: ColumnElement[bool]
) -> Select[Any]:
    """Journal rows of others; what the actor may not see is left out as everywhere."""
    table = record_type.table
    criterion = session.visibility.criterion(record_type, table)
    return (
        select(CHANGE.c.record_id, CHANGE.c.operation, CHANGE.c.before, CHANGE.c.after, CHANGE_SET.c.at,
               CHANGE_SET.c.user_id)
        .select_from(table)
        .join(CHANGE, and_(CHANGE.c.record_id == table.c.id, CHANGE.c.type == record_type.name))
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(
            mine,
            # Every write advances it, so that most records need no look into the journal.
            table.c.updated_at >= since.at - LATE,
            committed_since(session, since),
            by_others(reader),
            *([] if criterion is None else [criterion]),
        )
        .order_by(CHANGE.c.record_id, CHANGE.c.version, CHANGE.c.position)
    )  # fmt: skip


def _taken_together(
    session: CrmSession,
    record_type: RecordType,
    rows: Sequence[Any],
    names: Iterable[str],
    accounts: Mapping[int, tuple[int, ...]],
) -> list[Written]:
    hidden = session._reading.restricted_names(record_type)
    by_record: dict[int, list[Any]] = {}
    for row in rows:
        by_record.setdefault(row.record_id, []).append(row)
    found = []
    for record_id, changes in by_record.items():
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for change in changes:
            before = {**decode_values(record_type, change.before), **before}
            after |= decode_values(record_type, change.after)
        changed = {name for name in after if before.get(name) != after[name]} - hidden
        last = changes[-1]
        found.append(
            Written(
                record_id=record_id,
                account_ids=accounts.get(record_id, ()),
                # What was deleted and brought back since was there before.
                created=changes[0].operation == "create",
                at=last.at,
                user_id=last.user_id,
                before={name: before.get(name) for name in changed},
                after={name: after[name] for name in changed},
                values={name: getattr(last, f"_{name}") for name in names},
            )
        )
    return sorted(found, key=lambda each: (each.at, each.record_id))


def written_by_others(
    session: CrmSession, reader: int, since: Look, records: Iterable[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Which of some records, by type and id, others wrote since a look."""
    wanted = set(records)
    found: set[tuple[str, int]] = set()
    for part in id_parts(id_ for _, id_ in wanted):
        query = (
            select(CHANGE.c.type, CHANGE.c.record_id)
            .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
            .where(CHANGE.c.record_id.in_(part), committed_since(session, since), by_others(reader))
            .distinct()
        )
        found.update((row.type, row.record_id) for row in session.core(query))
    return wanted & found
