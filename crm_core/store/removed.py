"""What others deleted of the people at somebody's accounts since a look: places of work, and ways to reach them.

The rows are gone, so the journal alone says what they were; who may know of it follows from the accounts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, exists, func, literal_column, not_, select, true

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint
from crm_core.records import RecordType
from crm_core.store.learned import Written, by_others, merging, places_of
from crm_core.store.looks import LATE, Look, committed_since
from crm_core.store.parts import id_parts
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Removed", "removed"]

_LINKS = frozenset({"account_id", "contact_id"})
_PLACE, _POINT, _PERSON = Affiliation.crm_type, ContactPoint.crm_type, Contact.crm_type


@attrs.frozen(kw_only=True)
class Removed:
    """Places of work and contact points that others deleted, oldest first; ``names`` are those of the people."""

    places: tuple[Written, ...]
    points: tuple[Written, ...]
    names: Mapping[int, str]


@attrs.frozen(kw_only=True)
class _Deleted:
    """A deleted row, as it was in the end, and where it belonged."""

    row: Any
    values: Mapping[str, Any]
    accounts: tuple[int, ...]


def removed(session: CrmSession, reader: int, since: Look, accounts: Collection[int]) -> Removed:
    """What others deleted at the reader's ``accounts``, as far as the actor saw it.

    What was also created since the look, or is there again, tells nothing; nor does a place that had ended before,
    what came from elsewhere since, what was deleted of people before they came, or what a merge made one of two. The
    number of statements is constant up to thousands of deletions.
    """
    rows = _deletions(session, reader, since)
    by_type: dict[str, dict[int, Any]] = {each.name: {} for each in (_PLACE, _POINT)}
    for row in rows:
        by_type[row.type][row.record_id] = row
    places = {id_: _open(session, _PLACE, row) for id_, row in by_type[_PLACE.name].items()}
    points = {id_: _open(session, _POINT, row) for id_, row in by_type[_POINT.name].items()}
    people = {each["contact_id"] for each in points.values() if each.get("contact_id")}
    working = places_of(session, reader, since, people)
    where: dict[int, tuple[Any, ...]] = {}
    for id_, values in points.items():
        at, person = by_type[_POINT.name][id_].at, values.get("contact_id")
        there_since = working.get(person, {}) if person else {values.get("account_id"): None}
        where[id_] = tuple(account for account, known in there_since.items() if known is None or known < at)
    concerned: set[Any] = {each.get("account_id") for each in places.values()}.union(*where.values())
    there, reached, listed = _sights(session, concerned & {*accounts})
    found = [
        _Deleted(row=by_type[_PLACE.name][id_], values=values, accounts=(values["account_id"],))
        for id_, values in places.items()
        if values.get("account_id") in there
    ]
    for id_, values in points.items():
        sight = reached if values.get("contact_id") else listed
        seen = tuple(each for each in where[id_] if each in sight)
        if seen:
            found.append(_Deleted(row=by_type[_POINT.name][id_], values=values, accounts=seen))
    known = _known(session, reader, since, [each.row.record_id for each in found])
    told = sorted(_told(session, found, known), key=lambda each: (each[1].at, each[1].record_id))
    return Removed(
        places=tuple(written for name, written in told if name == _PLACE.name),
        points=tuple(written for name, written in told if name == _POINT.name),
        names=_names_then(session, since, told),
    )


def _deletions(session: CrmSession, reader: int, since: Look) -> Sequence[Any]:
    back = (exists().where(each.table.c.id == CHANGE.c.record_id) for each in (_PLACE, _POINT))
    # In order here, the last version last: a database that is to order them reads the whole journal by record.
    query = (
        select(CHANGE.c.type, CHANGE.c.record_id, CHANGE.c.version, CHANGE.c.before, CHANGE_SET.c.at,
               CHANGE_SET.c.user_id)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(
            CHANGE.c.operation == "delete",
            CHANGE.c.type.in_([_PLACE.name, _POINT.name]),
            _late(session, since),
            committed_since(session, since),
            by_others(reader),
            not_(merging()),
            *(not_(each) for each in back),
        )
    )  # fmt: skip
    return sorted(session.core(query), key=lambda row: (row.record_id, row.version))


def _late(session: CrmSession, since: Look) -> ColumnElement[bool]:
    """What being committed since a look implies: on SQLite said to hold for few change sets, to begin with these.

    Else it reads every change that there is to find the few, until somebody has it count what is in its tables.
    """
    bound = CHANGE_SET.c.at >= since.at - LATE
    return bound if session.dialect == "postgresql" else func.likelihood(bound, literal_column("0.000001"))


def _open(session: CrmSession, record_type: RecordType, row: Any) -> dict[str, Any]:
    """What a row was, without what the actor may not read."""
    hidden = session._reading.restricted_names(record_type)
    return {name: value for name, value in decode_values(record_type, row.before).items() if name not in hidden}


def _sights(session: CrmSession, accounts: Collection[int]) -> tuple[set[int], set[int], set[int]]:
    """The accounts at which the actor sees who works there, how to reach these, and how to reach the account."""
    table = Account.crm_type.table
    columns = [
        _within(session, *types).label(f"sight{number}")
        for number, types in enumerate(((_PLACE, _PERSON), (_PLACE, _PERSON, _POINT), (_POINT,)))
    ]
    rows = [
        row
        for part in id_parts(accounts)
        for row in session.core(select(table.c.id, *columns).where(table.c.id.in_(part)))
    ]
    there, reached, listed = ({row[0] for row in rows if row[number]} for number in (1, 2, 3))
    return there, reached, listed


def _within(session: CrmSession, *types: RecordType) -> Any:
    visibility = session.visibility
    reaches = (visibility.reach(each.permission("read")) for each in (Account.crm_type, *types))
    found = visibility.accounts_within(Account.crm_type.table, frozenset(each for each in reaches if not each.all))
    return true() if found is None else found


@attrs.frozen(kw_only=True)
class _Known:
    """What others did first to a record since a look, and whether anybody brought it from elsewhere."""

    first: Any
    moved: bool


def _known(session: CrmSession, reader: int, since: Look, ids: Iterable[int]) -> dict[int, _Known]:
    found: dict[int, _Known] = {}
    for part in id_parts(ids):
        query = (
            select(CHANGE.c.record_id, CHANGE.c.operation, CHANGE.c.before, merging().label("merging"))
            .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
            .where(
                CHANGE.c.record_id.in_(part),
                # Not of what a plugin adds to a record under the same id.
                CHANGE.c.type.in_([_PLACE.name, _POINT.name]),
                committed_since(session, since),
                by_others(reader),
            )
            .order_by(CHANGE.c.record_id, CHANGE.c.version.desc())
        )
        for row in session.core(query):
            later = found.get(row.record_id)
            moves = row.operation == "update" and not row.merging and not _LINKS.isdisjoint(json.loads(row.before))
            found[row.record_id] = _Known(first=row, moved=moves or (later is not None and later.moved))
    return found


def _told(session: CrmSession, found: Sequence[_Deleted], known: Mapping[int, _Known]) -> Iterator[tuple[str, Written]]:
    for each in found:
        row, first = each.row, known[each.row.record_id].first
        # What it was elsewhere is not the reader's to know.
        if first.operation == "create" or known[each.row.record_id].moved:
            continue
        record_type = _PLACE if row.type == _PLACE.name else _POINT
        # As it was when the reader looked: whoever ends a place and then deletes it says both at once.
        values = {**each.values, **_open(session, record_type, first)}
        ended = values.get("valid_to")
        if ended is not None and ended <= session.now:
            continue
        yield row.type, Written(
            record_id=row.record_id, account_ids=each.accounts, created=False, at=row.at, user_id=row.user_id,
            before=values, after={}, values=values,
        )  # fmt: skip


def _names_then(session: CrmSession, since: Look, told: Sequence[tuple[str, Written]]) -> dict[int, str]:
    """How people were called when their places were deleted: the actor may not see them any more.

    What they are called since is not theirs to know, then; and the person may be deleted, too.
    """
    person = _PERSON.table
    gone = {each.values["contact_id"]: each.at for name, each in told if name == _PLACE.name}
    names: dict[int, str] = {}
    for ids in id_parts(each.values["contact_id"] for _, each in told if each.values.get("contact_id")):
        present = session.core(select(person.c.id, person.c.name).where(person.c.id.in_(ids)))
        names.update((row.id, row.name) for row in present)
        renamed = (
            select(CHANGE.c.record_id, CHANGE.c.before, CHANGE_SET.c.at)
            .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
            .where(
                CHANGE.c.record_id.in_(ids),
                CHANGE.c.type == _PERSON.name,
                CHANGE.c.operation != "create",
                committed_since(session, since),
            )
            .order_by(CHANGE.c.record_id, CHANGE.c.version.desc())
        )
        for row in session.core(renamed):
            name = _open(session, _PERSON, row).get("name")
            if name is not None and (row.record_id not in names or row.at > gone.get(row.record_id, row.at)):
                names[row.record_id] = name
    return names
