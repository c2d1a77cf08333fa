"""The recorded past: a record, or a list, as the system knew it at a moment, rebuilt from the journal.

Rights are those of today. What is deleted since is shown only to scope *all*.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import contextmanager
from heapq import nsmallest
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, true
from sqlalchemy.orm.attributes import manager_of_class, set_committed_value

from crm_core.errors import ExpressionError
from crm_core.records import RecordType
from crm_core.store.dependants import unwrap
from crm_core.store.differences import RAW, filled, overlay
from crm_core.store.guard import trusted
from crm_core.store.joins import InOrder
from crm_core.store.paging import comparable, own_values, steps_away
from crm_core.store.partitions.recorded import require_recorded
from crm_core.store.parts import in_parts
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values
from crm_core.store.visibility import bare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crm_core.expressions import Filter, Order
    from crm_core.store.session import CrmSession

__all__ = ["get_as_of", "list_as_of", "rebuild", "snapshot", "step_back"]

_CONSTANT = frozenset({"id", "created_at", "created_by"})
"""What no change of a record touches."""


def step_back(
    session: CrmSession, record_type: RecordType, state: dict[str, Any] | None, operation: str, before: str | None
) -> dict[str, Any] | None:
    """The state of a record before one journalled change."""
    if operation == "create":
        return None
    values = unwrap(session, record_type, decode_values(record_type, before))
    return values if operation == "delete" or state is None else filled(overlay(state, values))


def rebuild(
    session: CrmSession, record_type: RecordType, ids: Iterable[int], moment: dt.datetime
) -> dict[int, dict[str, Any]]:
    """The field values of records at a recorded moment; those that did not exist then are absent."""
    empty = dict.fromkeys(record_type.by_name)
    found: dict[int, dict[str, Any]] = {}
    for part in in_parts(sorted(set(ids))):
        states, stepped = _stepped(session, record_type, part, moment, None, CHANGE.c.type == record_type.name)
        versions = _versions(session, record_type, part, moment)
        for id_, state in states.items():
            if state is not None:
                # Where the version of then is in a part that is detached, that of now would be wrong.
                now = None if id_ in stepped else state.get("version")
                found[id_] = {**empty, **state, "version": versions.get(id_, now)}
    return found


def _stepped(
    session: CrmSession,
    record_type: RecordType,
    ids: Sequence[int],
    moment: dt.datetime,
    fields: Collection[str] | None,
    since: ColumnElement[bool],
) -> tuple[dict[int, dict[str, Any] | None], set[int]]:
    """Values of records before those of their changes after the moment, and which of them had any."""
    states: dict[int, dict[str, Any] | None] = {**session.writer.rows(record_type, ids, fields=fields)}
    changes = session.core(
        select(CHANGE.c.record_id, CHANGE.c.operation, CHANGE.c.before)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(CHANGE.c.record_id.in_(ids), since, CHANGE_SET.c.at > moment)
        .order_by(CHANGE.c.record_id, CHANGE.c.version.desc(), CHANGE.c.position.desc())
    )
    stepped: set[int] = set()
    for change in changes.all():
        stepped.add(change.record_id)
        states[change.record_id] = step_back(
            session, record_type, states.get(change.record_id), change.operation, change.before
        )
    return states, stepped


def _deciding_values(
    session: CrmSession,
    record_type: RecordType,
    ids: Iterable[int],
    moment: dt.datetime,
    fields: frozenset[str],
    since: ColumnElement[bool],
) -> dict[int, dict[str, Any]]:
    """Like :func:`rebuild`, but only the ``fields`` by which the place of a record is decided, and what never changes.

    Very many may have moved of which a page shows few: only those are rebuilt as a whole.
    """
    found: dict[int, dict[str, Any]] = {}
    for part in in_parts(sorted(set(ids))):
        states, _ = _stepped(session, record_type, part, moment, fields, since)
        found.update({id_: {**dict.fromkeys(fields), **state} for id_, state in states.items() if state is not None})
    return found


def _versions(session: CrmSession, record_type: RecordType, ids: Sequence[int], moment: dt.datetime) -> dict[int, int]:
    query = (
        select(CHANGE.c.record_id, func.max(CHANGE.c.version))
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(CHANGE.c.record_id.in_(ids), CHANGE.c.type == record_type.name, CHANGE_SET.c.at <= moment)
        .group_by(CHANGE.c.record_id)
    )
    found: list[Any] = list(session.core(query))
    return {row[0]: row[1] for row in found}


def snapshot(session: CrmSession, record_type: RecordType, id_: int, values: Mapping[str, Any]) -> Any:
    """A detached record with the given values; it belongs to no session and cannot be written."""
    record = manager_of_class(record_type.cls).new_instance()
    hidden = session._reading.restricted_names(record_type)
    set_committed_value(record, "id", id_)
    for name in ("version", "created_at", "created_by"):
        set_committed_value(record, name, values.get(name))
    set_committed_value(record, "custom", values.get("custom") or {})
    for field in record_type.fields:
        value = None if field.name in hidden else values.get(field.name)
        if len(field.column_names) > 1:
            record.__dict__[field.name] = value
        else:
            set_committed_value(record, field.name, value)
    return record


def get_as_of(session: CrmSession, entity: type[Any], id_: int) -> Any:
    """One record at the session's ``as_of``, or ``None``."""
    record_type = session._own_type(entity.crm_type)
    moment = session.as_of
    assert moment is not None
    if not _may_see(session, record_type, {id_}):
        return None
    values = rebuild(session, record_type, {id_}, moment).get(id_)
    require_recorded(session, moment)
    return None if values is None else snapshot(session, record_type, id_, values)


def _may_see(session: CrmSession, record_type: RecordType, ids: set[int]) -> set[int]:
    """Records the actor sees today; deleted ones only with scope all."""
    # Whoever sees what is deleted sees all.
    return ids if session.visibility.sees_deleted(record_type) else session.writer.visible_ids(record_type, ids)


def list_as_of(
    session: CrmSession,
    entity: type[Any],
    where: str | None,
    order: str | None,
    limit: int | None,
    after: Sequence[Any] | None,
    all_dates: bool,
) -> list[Any]:
    """A list at the session's ``as_of``.

    Rows that stand where they stood then are filtered in SQL. Of those that do not, what decides where they stood is
    rebuilt, so that they are filtered here; what comes onto the page is rebuilt as a whole.
    """
    record_type = session._own_type(entity.crm_type)
    moment = session.as_of
    assert moment is not None
    with _today(session):
        bound, parsed = _of_own_fields(session, record_type, where, order)
        deciding = _deciding(record_type, bound, parsed, all_dates)
        since = _since(session, record_type, deciding)
        own = _of_record(since, moment, CHANGE.c.record_id == record_type.table.c.id)
        # A look at each row on the way: for NOT IN or NOT EXISTS a database may read the whole journal.
        stayed = own.limit(1).scalar_subquery().is_(None)
        found = {each.id: each for each in _in_place(session, entity, where, parsed, limit, after, all_dates, stayed)}
        # Asked after that: what somebody changes meanwhile is then in both, where it would be in neither.
        moved = _may_see(session, record_type, _moved(session, record_type, since, moment))
        if deciding is None:
            then = rebuild(session, record_type, moved, moment)
        else:
            then = _deciding_values(session, record_type, moved, moment, deciding, since)
        for id_, values in then.items():
            if record_type.dated and not all_dates and not _holds(values, session.at):
                continue
            row = {**values, "id": id_}
            if bound is None or bound.matches(row, None):
                found[id_] = row
        page = _as_then(session, record_type, _page(parsed, found.values(), limit, after), moment)
        require_recorded(session, moment)
        return page


def _of_own_fields(
    session: CrmSession, record_type: RecordType, where: str | None, order: str | None
) -> tuple[Filter | None, Order]:
    """A filter and an order; refused where they look at other records, whose past is not rebuilt."""
    bound = session._reading.bind(record_type, where) if where else None
    if bound is not None and bound.needs_world:
        raise ExpressionError(
            "A filter on the recorded past can use only fields of the record itself.",
            mend="Leave out steps to other records, or ask without as_of.",
            source=where or "",
        )
    parsed = session._reading.order(record_type, order)
    if steps_away(parsed):
        raise ExpressionError(
            "An order of the recorded past can use only fields of the record itself.",
            mend="Leave out steps to other records, or ask without as_of.",
            source=order or "",
        )
    return bound, parsed


def _deciding(record_type: RecordType, bound: Filter | None, order: Order, all_dates: bool) -> frozenset[str] | None:
    """The fields that decide where a record stands in the list; ``None`` where the store counts one of them itself."""
    names = {name.partition(".")[0] for name in (bound.names if bound is not None else ())}
    names |= {"custom" if key.leaf.custom else key.leaf.field.name for key in order.keys}
    if record_type.dated and not all_dates:
        names |= {"valid_from", "valid_to"}
    names -= _CONSTANT
    return frozenset(names) if names <= {*record_type.by_name, "custom"} else None


def _since(session: CrmSession, record_type: RecordType, deciding: frozenset[str] | None) -> ColumnElement[bool]:
    """Which changes are those by which a record came, went, or may have changed its place in the list.

    Whoever was changed otherwise is found by what it holds today. So the list costs what its page and these changes
    cost, and most changes of a year concern neither the order nor the filter of a list.
    """
    own = CHANGE.c.type == record_type.name
    if deciding is None:
        return own
    # The journal writes a name with its colon; inside of a value the quotes would be escaped.
    named = [f'"{name}":' for name in (*sorted(deciding), RAW)]
    # LIKE minds no letter case on SQLite, and takes three times as long.
    position = func.instr if session.dialect == "sqlite" else func.strpos
    changed = [position(column, name) > 0 for name in named for column in (CHANGE.c.before, CHANGE.c.after)]
    return own & or_(CHANGE.c.operation != "update", *changed)


def _moved(session: CrmSession, record_type: RecordType, since: ColumnElement[bool], moment: dt.datetime) -> set[int]:
    """The records with such changes after the moment, as far as the actor may see them by one statement."""
    rows = bare(record_type.table).alias()
    visibility = session.visibility
    criterion = session.gathered.criterion(record_type, rows)
    if criterion is not None and not visibility.wide:
        # Whoever sees little: the changes of each of those records.
        mine = select(rows.c.id).where(criterion).subquery("mine")
        of_set = CHANGE_SET.c.id == CHANGE.c.change_set_id
        source = InOrder(InOrder(mine, CHANGE, CHANGE.c.record_id == mine.c.id), CHANGE_SET, of_set)
        query = select(CHANGE.c.record_id).select_from(source).where(since, CHANGE_SET.c.at > moment)
    else:
        query, record_id = _younger(session, since, moment)
        seen = None if visibility.sees_deleted(record_type) else visibility.sees(record_type, record_id)
        query = query if seen is None else query.where(seen)
    return set(session.core(query).scalars())


def _younger(
    session: CrmSession, since: ColumnElement[bool], moment: dt.datetime
) -> tuple[Select[Any], ColumnElement[Any]]:
    """The records of such changes in the change sets after the moment, and their id within the statement.

    Neither database would believe that these are a small part of the journal, and each would read it whole.
    """
    if session.dialect == "sqlite":
        source = InOrder(CHANGE_SET, CHANGE, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        return select(CHANGE.c.record_id).select_from(source).where(since, CHANGE_SET.c.at > moment), CHANGE.c.record_id
    late = select(CHANGE_SET.c.id).where(CHANGE_SET.c.at > moment).subquery("late")
    # A subquery with an offset is carried out for each change set, by the key of the journal.
    own = select(CHANGE.c.record_id).where(CHANGE.c.change_set_id == late.c.id, since).offset(literal(0)).lateral("own")
    return select(own.c.record_id).select_from(late.join(own, true())), own.c.record_id


def _of_record(since: ColumnElement[bool], moment: dt.datetime, record: ColumnElement[bool]) -> Select[Any]:
    """Such changes of given records."""
    return (
        select(CHANGE.c.record_id)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(record, since, CHANGE_SET.c.at > moment)
    )


def _in_place(
    session: CrmSession,
    entity: type[Any],
    where: str | None,
    order: Order,
    limit: int | None,
    after: Sequence[Any] | None,
    all_dates: bool,
    stayed: ColumnElement[bool],
) -> list[Any]:
    """The records that stand in the list where they stood then; ``stayed`` says which those are."""
    reading = session._reading
    statement = select(entity).where(trusted(stayed)).order_by(*(trusted(column) for column in order.columns()))
    if where:
        statement = statement.where(reading.condition(entity, where))
    if after is not None:
        statement = statement.where(trusted(order.after(after)))
    if limit is not None:
        statement = statement.limit(limit)
    return list(session.scalars(statement, execution_options={"all_dates": all_dates}))


def _as_then(session: CrmSession, record_type: RecordType, page: list[Any], moment: dt.datetime) -> list[Any]:
    """The records of a page as they were: those that moved, and those that were changed without losing their place."""
    records = {record.id: record for record in page if not isinstance(record, dict)}
    ids = [record["id"] if isinstance(record, dict) else record.id for record in page]
    touched = set(ids) - records.keys()
    for part in in_parts(list(records)):
        changes = _of_record(_since(session, record_type, None), moment, CHANGE.c.record_id.in_(part))
        touched.update(session.core(changes.distinct()).scalars())
    then = rebuild(session, record_type, touched, moment)
    return [
        snapshot(session, record_type, id_, then[id_]) if id_ in then else records[id_]
        for id_ in ids
        if id_ in then or id_ in records
    ]


def _page(order: Order, records: Iterable[Any], limit: int | None, after: Sequence[Any] | None) -> list[Any]:
    """What the database found and what was rebuilt, in one order."""
    key = comparable(order)
    values = own_values(order)
    keyed = [(key(values(record)), record) for record in records]
    if after is not None:
        last = key(tuple(after))
        keyed = [pair for pair in keyed if pair[0] > last]
    first = itemgetter(0)
    ordered = sorted(keyed, key=first) if limit is None else nsmallest(limit, keyed, key=first)
    return [record for _, record in ordered]


def _holds(values: Mapping[str, Any], at: dt.datetime) -> bool:
    start, end = values.get("valid_from"), values.get("valid_to")
    return (start is None or start <= at) and (end is None or end > at)


@contextmanager
def _today(session: CrmSession) -> Iterator[None]:
    """Let the session read the present, from which the past is rebuilt."""
    moment, session.as_of = session.as_of, None
    try:
        yield
    finally:
        session.as_of = moment
