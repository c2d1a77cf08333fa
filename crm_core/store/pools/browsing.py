"""Looking into a pool: the few fields that may be seen before claiming, as values.

The accounts themselves stay invisible: visibility is not widened by a pool. Filters and order know only the fields that
are shown, because otherwise one could find out the others by asking often enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.pools import Pool
from crm_core.errors import PermissionDenied
from crm_core.store.pools.free import account_type, bound, find, free
from crm_core.store.pools.members import require_member
from crm_core.store.values import from_columns

if TYPE_CHECKING:
    from crm_core.expressions import Filter, Order
    from crm_core.store.session import CrmSession

__all__ = ["Offer", "Offers", "browse"]


@attrs.frozen
class Offer:
    """An account in a pool: its id, by which it is claimed, and the fields that are shown, by name."""

    id: int
    values: Mapping[str, Any]


@attrs.frozen
class Offers:
    """A page of a pool; ``after`` continues it, ``None`` at the end."""

    offers: tuple[Offer, ...]
    after: tuple[Any, ...] | None

    def __iter__(self) -> Any:
        return iter(self.offers)

    def __len__(self) -> int:
        return len(self.offers)


def browse(
    session: CrmSession,
    pool: str | Pool,
    where: str | None = None,
    *,
    order: str | None = None,
    limit: int = 50,
    after: Sequence[Any] | None = None,
) -> Offers:
    """What a member of a pool may see of the accounts in it: a keyset page.

    ``where`` and ``order`` are as in ``session.list``, over the fields of the pool's ``show`` (and ``id``). Raises
    :class:`PermissionDenied` for somebody who may not claim there (and does not see all accounts), or for other fields.
    """
    pool = find(session, pool)
    require_member(session, pool, looking=True)
    record_type = account_type(session)
    table = record_type.table
    parsed = session._reading.order(record_type, order)
    _require_shown_order(pool, parsed)
    pools = bound(session).of_scope(pool.scope)
    keys = parsed.values()
    query = (
        select(*table.c, *keys)
        .where(pools.taken_by(pool, table), free(table, pool.scope, session.clock()))
        .order_by(*parsed.columns())
        .limit(limit + 1)
    )
    if where:
        condition = session._reading.bind(record_type, where)
        _require_shown(pool, condition)
        query = query.where(condition.where(table))
    if after is not None:
        query = query.where(parsed.after(after))
    rows = session.core(query).mappings().all()
    offers = [Offer(row["id"], _shown(session, pool, dict(row))) for row in rows[:limit]]
    more = tuple(rows[limit - 1][key.name] for key in keys) if len(rows) > limit else None
    return Offers(tuple(offers), more)


def _shown(session: CrmSession, pool: Pool, row: Mapping[str, Any]) -> dict[str, Any]:
    values = from_columns(account_type(session), row)
    custom, known = row["custom"] or {}, session.policy.custom.get("account", {})
    shown: dict[str, Any] = {}
    for name in pool.show:
        field, _, part = name.partition(".")
        value = values.get(field)
        if field not in values and field in known and custom.get(field) is not None:
            value = known[field].kind.decode(custom[field])
        shown[name] = getattr(value, part) if part and value is not None else value
    return {name: value.value if isinstance(value, Enum) else value for name, value in shown.items()}


def _require_shown(pool: Pool, condition: Filter) -> None:
    for name in sorted(condition.names):
        _require(pool, name)


def _require_shown_order(pool: Pool, order: Order) -> None:
    for key in order.keys:
        _require(pool, "another record" if key.leaf.path.steps else key.leaf.label)


def _require(pool: Pool, name: str) -> None:
    if name != "id" and name not in pool.show and name.partition(".")[0] not in pool.show:
        raise PermissionDenied(
            "{name} is not shown before claiming, so that one cannot filter or order by it.",
            mend="Use one of: {shown}.",
            name=name,
            shown=", ".join(("id", *pool.show)),
        )
