"""When somebody last touched what hangs on accounts: from the journal, in a few statements however many there are.

Everything is asked of what the actor sees: accounts, responsibilities, and the records that were touched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from sqlalchemy import ColumnElement, FromClause, Select, Subquery, func, or_, select, true, union, union_all

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation
from crm_core.domain.duties import Duty, DutyConfirmation
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.records import RecordType, Through, Types, Via
from crm_core.store.actor import valid_at
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.visibility import bare

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Responsibility", "confirmed", "hangs_on_accounts", "responsibilities", "touched", "undone"]

_DEEPEST = 4
_CONFIRMING = {Affiliation.crm_type.name: ("confirmed_at",)}
"""Fields by which somebody says that a record is still right; they count for every duty about it."""

Condition: TypeAlias = "ColumnElement[bool] | None"
Visible: TypeAlias = Callable[[RecordType, FromClause], Condition]
Way: TypeAlias = tuple[ColumnElement[Any], list[tuple[FromClause, ColumnElement[bool]]], list[ColumnElement[bool]]]


@attrs.frozen
class Responsibility:
    """A user's part in an account to which a duty applies; ``user_id`` is ``None`` where nobody has one."""

    account_id: int
    account: str
    created_at: dt.datetime
    user_id: int | None
    role: OwnershipRole | None
    since: dt.datetime | None


def hangs_on_accounts(types: Types, record_type: RecordType) -> bool:
    """Whether records of a type lead to accounts: by references, or by the people who work there."""
    rows = bare(record_type.table).alias()
    return next(_ways(types, record_type, rows, dt.datetime.now(dt.UTC), lambda *_: None), None) is not None


def _ways(
    types: Types, record_type: RecordType, rows: FromClause, at: dt.datetime, visible: Visible, depth: int = _DEEPEST
) -> Iterator[Way]:
    """How records lead to accounts: the column with the account's id, joins on the way, and conditions."""
    access = record_type.access
    if record_type is Account.crm_type:
        yield rows.c.id, [], []
    elif depth == 0:
        return
    elif isinstance(access, Through):
        links = types[access.record]
        link_rows = bare(links.table).alias()
        on = link_rows.c[access.field] == rows.c.id
        if links.dated:
            on = on & valid_at(link_rows, at)
        yield from _onward(types, links, link_rows, on, [], at, visible, depth)
    elif isinstance(access, Via):
        before: list[ColumnElement[bool]] = []
        for name in access.fields:
            target = types[(record_type.extends if name == "id" else record_type.by_name[name].target) or ""]
            column = rows.c[name]
            conditions = [column.is_not(None), *([] if access.every else before)]
            if target is Account.crm_type:
                yield column, [], conditions
            else:
                target_rows = bare(target.table).alias()
                on = target_rows.c.id == column
                yield from _onward(types, target, target_rows, on, conditions, at, visible, depth)
            before.append(column.is_(None))


def _onward(
    types: Types, target: RecordType, rows: FromClause, on: ColumnElement[bool], conditions: list[ColumnElement[bool]],
    at: dt.datetime, visible: Visible, depth: int,
) -> Iterator[Way]:  # fmt: skip
    seen = visible(target, rows)
    on = on if seen is None else on & seen
    for account, joins, more in _ways(types, target, rows, at, visible, depth - 1):
        yield account, [(rows, on), *joins], [*conditions, *more]


def _links(session: CrmSession, record_type: RecordType, at: dt.datetime, current: bool) -> Subquery:
    """Pairs of account and record, as far as the actor sees them; ``current`` leaves out dated rows that ended."""
    queries: list[Select[Any]] = []
    rows = bare(record_type.table).alias()
    seen = session.visibility.criterion(record_type, rows)
    for account, joins, conditions in _ways(session.types, record_type, rows, at, session.visibility.criterion):
        from_: FromClause = rows
        for joined, on in joins:
            from_ = from_.join(joined, on)
        query = select(account.label("account_id"), rows.c.id.label("record_id"), rows.c.created_at.label("created_at"))
        query = query.select_from(from_).where(*conditions, rows.c.created_at <= at)
        if seen is not None:
            query = query.where(seen)
        if current and record_type.dated:
            query = query.where(valid_at(rows, at))
        queries.append(query)
    return (union_all(*queries) if len(queries) > 1 else queries[0]).subquery()


def _seen(session: CrmSession, record_type: RecordType, rows: FromClause, query: Select[Any]) -> Select[Any]:
    """The query without the rows that the actor does not see."""
    seen = session.visibility.criterion(record_type, rows)
    return query if seen is None else query.where(seen)


def _accounts(
    session: CrmSession,
    rule: Duty,
    at: dt.datetime,
    users: Collection[int] | None,
    within: Collection[int] | None,
) -> Select[Any]:
    """The ids of the accounts that a duty is about and that the actor sees; of these ``users``, ``within`` these."""
    record_type = Account.crm_type
    rows = bare(record_type.table).alias()
    query = select(rows.c.id).where(rows.c.created_at <= at, rows.c.active == true())
    query = _seen(session, record_type, rows, query)
    if within is not None:
        query = query.where(rows.c.id.in_(sorted(within)))
    if rule.where:
        query = query.where(session._reading.bind(record_type, rule.where).where(rows))
    if users is not None:
        owner = bare(Ownership.crm_type.table).alias()
        query = query.where(
            rows.c.id.in_(select(owner.c.account_id).where(owner.c.user_id.in_(sorted(users)), valid_at(owner, at)))
        )
    return query


def responsibilities(
    session: CrmSession,
    rule: Duty,
    at: dt.datetime,
    users: Collection[int] | None = None,
    within: Collection[int] | None = None,
) -> list[Responsibility]:
    """Everybody's part in the accounts of a duty at a moment; accounts without anybody once, if no ``users`` are asked
    for. ``within`` limits it to these accounts, here and below.
    """
    account, owner = bare(Account.crm_type.table).alias(), bare(Ownership.crm_type.table).alias()
    on = (owner.c.account_id == account.c.id) & valid_at(owner, at)
    seen = session.visibility.criterion(Ownership.crm_type, owner)
    if seen is not None:
        on = on & seen
    joined = account.join(owner, on, isouter=users is None)
    query = (
        select(account.c.id, account.c.name, account.c.created_at, owner.c.user_id, owner.c.role, owner.c.valid_from)
        .select_from(joined)
        .where(account.c.id.in_(_accounts(session, rule, at, users, within)))
    )
    if users is not None:
        query = query.where(owner.c.user_id.in_(sorted(users)))
    rows: Any = session.core(query).all()
    return [Responsibility(*row) for row in rows]


def touched(
    session: CrmSession,
    rule: Duty,
    at: dt.datetime,
    users: Collection[int] | None,
    undone: Collection[int],
    within: Collection[int] | None = None,
) -> dict[int, dt.datetime | None]:
    """When what a duty is about was last written by a person, by account, up to a moment.

    With ``each`` it is the moment of the record that has waited longest: its creation, if nobody touched it since.
    """
    record_type = session.types[rule.record]
    links = _links(session, record_type, at, rule.each)
    accounts = _accounts(session, rule, at, users, within)
    key = links.c.record_id if rule.each else links.c.account_id
    query = (
        select(links.c.account_id, key, func.max(CHANGE_SET.c.at))
        .select_from(
            links.join(CHANGE, CHANGE.c.record_id == links.c.record_id).join(
                CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id
            )
        )
        .where(
            links.c.account_id.in_(accounts),
            CHANGE.c.type == record_type.name,
            CHANGE_SET.c.user_id.is_not(None),
            CHANGE_SET.c.source != "undo",
            CHANGE_SET.c.at <= at,
        )
        .group_by(links.c.account_id, key)
    )
    if undone:
        query = query.where(CHANGE_SET.c.id.not_in(sorted(undone)))
    if rule.fields:
        names = (*rule.fields, *_CONFIRMING.get(record_type.name, ()))
        query = query.where(or_(*(_mentions(name) for name in names)))
    rows: Any = session.core(query).all()
    if not rule.each:
        return {row[0]: row[2] for row in rows}
    last = {(row[0], row[1]): row[2] for row in rows}
    waiting: dict[int, dt.datetime | None] = {}
    every = select(links.c.account_id, links.c.record_id, links.c.created_at).where(links.c.account_id.in_(accounts))
    pairs: Any = session.core(every).all()
    for account_id, record_id, created_at in pairs:
        moment = last.get((account_id, record_id), created_at)
        known = waiting.get(account_id)
        waiting[account_id] = moment if known is None or moment < known else known
    return waiting


def _mentions(name: str) -> ColumnElement[bool]:
    """Whether a change says something of a field; a quote inside a text is escaped, so that no text can pretend to."""
    pattern = f'"{name}":'
    after = CHANGE.c.after.contains(pattern, autoescape=True)
    return after | (CHANGE.c.before.contains(pattern, autoescape=True) & (CHANGE.c.operation == "update"))


def confirmed(
    session: CrmSession,
    rule: Duty,
    at: dt.datetime,
    users: Collection[int] | None,
    within: Collection[int] | None = None,
) -> dict[int, dt.datetime]:
    """When somebody last said that nothing has changed, by account, up to a moment."""
    record_type = DutyConfirmation.crm_type
    rows = bare(record_type.table).alias()
    query = select(rows.c.account_id, func.max(rows.c.confirmed_at)).where(
        rows.c.duty == rule.name,
        rows.c.confirmed_at <= at,
        rows.c.account_id.in_(_accounts(session, rule, at, users, within)),
    )
    query = _seen(session, record_type, rows, query)
    found: Any = session.core(query.group_by(rows.c.account_id)).all()
    return {row[0]: row[1] for row in found}


def _writing(
    session: CrmSession,
    rule: Duty,
    at: dt.datetime,
    users: Collection[int] | None,
    within: Collection[int] | None,
) -> Select[Any]:
    """The ids of the change sets that wrote what a duty is about."""
    record_type = session.types[rule.record]
    links = _links(session, record_type, at, rule.each)
    return (
        select(CHANGE.c.change_set_id)
        .select_from(links.join(CHANGE, CHANGE.c.record_id == links.c.record_id))
        .where(links.c.account_id.in_(_accounts(session, rule, at, users, within)), CHANGE.c.type == record_type.name)
    )


def undone(
    session: CrmSession,
    rules: Iterable[Duty],
    at: dt.datetime,
    users: Collection[int] | None,
    within: Collection[int] | None = None,
) -> set[int]:
    """Change sets that were taken back, so that what they did to what duties are about does not count."""
    query = select(CHANGE_SET.c.id, CHANGE_SET.c.undoes).where(CHANGE_SET.c.undoes.is_not(None))
    if users is not None or within is not None:
        # To look through all change sets takes as long as the journal is, whomever it is about. What takes something
        # back is found as that is found itself: by the records that it writes.
        query = query.where(CHANGE_SET.c.id.in_(union(*(_writing(session, rule, at, users, within) for rule in rules))))
    by_target: dict[int, list[int]] = {}
    for row in session.core(query):
        by_target.setdefault(row.undoes, []).append(row.id)

    def stands(id_: int) -> bool:
        return not any(stands(undo) for undo in by_target.get(id_, ()))

    return {target for target in by_target if not stands(target)}
