"""Where an account stands in its group, and what the group amounts to: only what the reader may see of it."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Select, bindparam, func, literal, select

from crm_core.domain.accounts import Account, AccountRelation
from crm_core.domain.activities import Activity, Status
from crm_core.domain.dated import holds
from crm_core.domain.ownership import OwnershipRole
from crm_core.fields import Field, Money
from crm_core.fields.columns import BIGINT, Moment
from crm_core.views.aliases import another
from crm_core.views.asked import activities_held, ownerships, relations
from crm_core.views.showing import readable

if TYPE_CHECKING:
    from crm_core.records import RecordType
    from crm_core.store.session import CrmSession

__all__ = ["GROUP_KINDS", "Group", "Related", "Relative", "RollUp", "Sum", "Ways", "group", "related", "ways"]

GROUP_KINDS = ("subsidiary", "branch")
"""The relations that make a group; the others stand beside it."""

# Statements are made once: to put them together takes longer than to run them.
_IDS: Any = bindparam("ids", type_=BIGINT, expanding=True)

_MOST = 999
"""So many accounts below one are gathered at most; a bank has more branches than anybody reads."""


@attrs.frozen(kw_only=True)
class Related:
    """Another account it is related to; ``kind`` reads from the account to the other, or back (``outward``)."""

    account_id: int
    name: str
    kind: str
    outward: bool
    since: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class Relative:
    """An account of the group: ``depth`` levels above or below, being the subsidiary or branch of ``parent_id``.

    Below, ``parent_id`` is the account over it; above, ``parent_id`` is the account that belongs to it.
    """

    account_id: int
    name: str
    grade: str | None
    kind: str
    share: Decimal | None
    depth: int
    parent_id: int
    owners: tuple[str, ...] = ()
    last_contact: dt.datetime | None = None
    open_items: int = 0


@attrs.frozen(kw_only=True)
class Sum:
    """A money field of the accounts of a group, summed in one currency; ``label`` is said by ``plugin``."""

    record_type: str
    field: str
    label: str
    plugin: str
    amount: Money
    accounts: int


@attrs.frozen(kw_only=True)
class RollUp:
    """The account with all below it, taken together.

    ``quiet`` counts those without an activity held for the days that ``[views] quiet_days`` says; ``owners`` are user
    id, name, and how many of the accounts they own.
    """

    accounts: int
    open_items: int
    last_contact: dt.datetime | None
    quiet: int
    unowned: int
    owners: tuple[tuple[int, str, int], ...]
    sums: tuple[Sum, ...]


@attrs.frozen(kw_only=True)
class Group:
    """``above`` from the nearest on, ``below`` level by level; ``more`` says that not all below could be gathered."""

    above: tuple[Relative, ...]
    below: tuple[Relative, ...]
    more: bool
    rollup: RollUp

    @property
    def alone(self) -> bool:
        """Whether the account belongs to no group that the reader sees."""
        return not self.above and not self.below


@attrs.frozen
class Ways:
    """The rows of relations that lead up and down from an account, nearest first."""

    account_id: int
    above: tuple[Any, ...]
    below: tuple[Any, ...]
    more: bool

    @property
    def down(self) -> list[int]:
        """The account itself and those below it."""
        return [self.account_id, *(row.id for row in self.below)]


def ways(session: CrmSession, account_id: int) -> Ways:
    """Which accounts stand above and below an account, in three statements at most: most accounts stand alone.

    Each level passes only through accounts that the reader sees. Circles end where they close, and the depth is
    bounded by ``[views] depth``.
    """
    near = [row for row in relations(session, account_id) if row.kind in GROUP_KINDS]
    above = _ways(session, account_id, up=True) if any(row.account_id == account_id for row in near) else []
    below = _ways(session, account_id, up=False) if any(row.other_id == account_id for row in near) else []
    return Ways(account_id, tuple(above), tuple(below[:_MOST]), len(below) > _MOST)


def _ways(session: CrmSession, account_id: int, *, up: bool) -> list[Any]:
    """Rows of id, parent, kind, share and depth, nearest first; of several ways to an account the shortest."""
    query = _steps(up, session.policy.views.depth)
    shortest: dict[int, Any] = {}
    for row in session.execute(query, {"account": account_id}):
        if row.id != account_id:
            shortest.setdefault(row.id, row)
    return list(shortest.values())


@functools.cache
def _steps(up: bool, depth: int) -> Select[Any]:
    """The statement, made once: to put it together takes longer than to run it."""
    account = bindparam("account", type_=BIGINT)
    one, next_ = AccountRelation, another(AccountRelation)
    start, end = (one.account_id, one.other_id) if up else (one.other_id, one.account_id)
    next_start, next_end = (next_.account_id, next_.other_id) if up else (next_.other_id, next_.account_id)
    tree = (
        select(end.label("id"), start.label("parent"), one.kind.label("kind"), one.share.label("share"),
               literal(1).label("depth"))
        .where(start == account, one.kind.in_(GROUP_KINDS))
        .cte("ways", recursive=True)
    )  # fmt: skip
    tree = tree.union(
        select(next_end, next_start, next_.kind, next_.share, tree.c.depth + 1)
        .select_from(tree)
        .join(next_, next_start == tree.c.id)
        .where(next_.kind.in_(GROUP_KINDS), tree.c.depth < depth, next_end != account)
    )
    return (
        select(tree.c.id, tree.c.parent, tree.c.kind, tree.c.share, tree.c.depth)
        .order_by(tree.c.depth, tree.c.id, tree.c.parent, tree.c.kind)
        .limit(_MOST * depth)
    )


@functools.lru_cache(maxsize=256)  # which fields of a type there are to sum depends on who may read them
def _named(fields: tuple[Field, ...]) -> Any:
    return select(Account.id, Account.name, Account.grade, *_amounts(Account.crm_type, fields)).where(
        Account.id.in_(_IDS)
    )


def group(session: CrmSession, found: Ways, open_of: Counter[int]) -> Group:
    """The group around an account; ``open_of`` counts what is open at each account below.

    The number of statements depends on the build alone.
    """
    ids = sorted({*found.down, *(row.id for row in found.above)})
    money = _money(session, Account.crm_type)
    accounts = {row.id: row for row in session.execute(_named(money), {"ids": ids})}
    contacts = _last_contacts(session, ids)
    owners = _owners(session, ids)

    def relative(row: Any) -> Relative:
        return Relative(
            account_id=row.id, name=accounts[row.id].name, grade=accounts[row.id].grade, kind=row.kind,
            share=row.share, depth=row.depth, parent_id=row.parent,
            owners=tuple(name for _, name in owners.get(row.id, ())), last_contact=contacts.get(row.id),
            open_items=open_of[row.id],
        )  # fmt: skip

    return Group(
        above=tuple(relative(row) for row in found.above if row.id in accounts),
        below=tuple(relative(row) for row in found.below if row.id in accounts),
        more=found.more,
        rollup=_rolled_up(
            session,
            found.down,
            contacts,
            open_of,
            owners,
            [
                *_sums(Account.crm_type, money, (accounts[id_] for id_ in found.down if id_ in accounts)),
                *_sums_of_extensions(session, found.down),
            ],
        ),
    )


def _rolled_up(
    session: CrmSession,
    down: Sequence[int],
    contacts: dict[int, dt.datetime],
    open_of: Counter[int],
    owners: dict[int, list[tuple[int, str]]],
    sums: Sequence[Sum],
) -> RollUp:
    quiet_since = session.at - dt.timedelta(session.policy.views.quiet_days)
    shares = Counter(user for id_ in down for user in set(owners.get(id_, ())))
    return RollUp(
        accounts=len(down),
        open_items=sum(open_of[id_] for id_ in down),
        last_contact=max((contacts[id_] for id_ in down if id_ in contacts), default=None),
        quiet=sum(1 for id_ in down if id_ not in contacts or contacts[id_] < quiet_since),
        unowned=sum(1 for id_ in down if not owners.get(id_)),
        owners=tuple(
            (user_id, name, number)
            for (user_id, name), number in sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        ),
        sums=tuple(sums),
    )


def _last_contacts(session: CrmSession, ids: Sequence[int]) -> dict[int, dt.datetime]:
    """When an activity was last held at each account; of one alone it is known from its months."""
    if len(ids) == 1:
        last = max((row.last for row in activities_held(session, ids[0])), default=None)
        return {} if last is None else {ids[0]: last}
    rows = session.execute(_last_held(), {"ids": ids, "at": session.at})
    return {id_: last for id_, last in rows if id_ is not None and last is not None}


@functools.cache
def _last_held() -> Any:
    return (
        select(Activity.account_id, func.max(Activity.started_at))
        .where(Activity.account_id.in_(_IDS), Activity.status == Status.HELD,
               Activity.started_at <= bindparam("at", type_=Moment()))
        .group_by(Activity.account_id)
    )  # fmt: skip


def _owners(session: CrmSession, ids: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    found: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for row in sorted(ownerships(session, ids), key=lambda row: (row.scope, row.id)):
        if row.role is not OwnershipRole.OWNER or not holds(row, session.at):
            continue
        if (row.user_id, row.name) not in found[row.account_id]:
            found[row.account_id].append((row.user_id, row.name))
    return found


def _sums_of_extensions(session: CrmSession, ids: Sequence[int]) -> Iterator[Sum]:
    """Money fields of what plugins add to accounts, per currency: one statement per record type."""
    for record_type in sorted(session.types.extensions("account"), key=lambda each: each.name):
        fields = _money(session, record_type)
        if fields:
            yield from _sums(record_type, fields, session.execute(_added(record_type, fields), {"ids": ids}))


def _money(session: CrmSession, record_type: RecordType) -> tuple[Field, ...]:
    """The money fields that the reader may read."""
    return tuple(field for field in readable(session, record_type) if field.kind.name == "money")


@functools.lru_cache(maxsize=256)
def _added(record_type: RecordType, fields: tuple[Field, ...]) -> Any:
    cls: Any = record_type.cls
    return select(*_amounts(record_type, fields)).where(cls.id.in_(_IDS))


def _amounts(record_type: RecordType, fields: tuple[Field, ...]) -> list[Any]:
    """The columns of money fields, amount and currency by turns."""
    return [getattr(record_type.cls, f"_{name}") for field in fields for name in field.column_names]


def _sums(record_type: RecordType, fields: tuple[Field, ...], rows: Iterable[Any]) -> Iterator[Sum]:
    """Money fields summed per currency; they are the last columns of the rows."""
    amounts: dict[tuple[int, str], list[Decimal]] = {}
    for row in rows:
        values = row[len(row) - 2 * len(fields) :]
        for number, (amount, currency) in enumerate(zip(values[::2], values[1::2], strict=True)):
            if amount is not None:
                amounts.setdefault((number, currency), []).append(amount)
    for (number, currency), found in sorted(amounts.items()):
        yield Sum(
            record_type=record_type.name, field=fields[number].name, label=fields[number].label,
            plugin=record_type.plugin, accounts=len(found), amount=Money(sum(found, Decimal()), currency),
        )  # fmt: skip


def related(session: CrmSession, account_id: int) -> tuple[Related, ...]:
    """Relations outside the group: competitors, partners, whom it buys through."""
    return tuple(
        Related(account_id=row.other_id, name=row.other_name, kind=row.kind, outward=True, since=row.valid_from)
        if row.account_id == account_id
        else Related(account_id=row.account_id, name=row.name, kind=row.kind, outward=False, since=row.valid_from)
        for row in relations(session, account_id)
        if row.kind not in GROUP_KINDS
    )
