"""Where a record stands in an order, in memory: for the cursor of a page, and for lists of the recorded past."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm_core.fields import sort_key

if TYPE_CHECKING:
    from crm_core.expressions import Order
    from crm_core.expressions.order import Key
    from crm_core.store.session import CrmSession

__all__ = ["comparable", "cursor_values", "own_values", "steps_away"]


def steps_away(order: Order) -> bool:
    """Whether the order looks at other records."""
    return any(key.leaf.path.steps for key in order.keys)


def cursor_values(session: CrmSession, order: Order, record: Any) -> tuple[Any, ...]:
    """The values of a record in an order, from which its next page continues."""
    if not steps_away(order):
        return own_values(order)(record)
    table = order.record_type.table
    row = session.core(select(*order.values()).where(table.c.id == record.id)).first()
    return tuple(row) if row is not None else (None,) * len(order.keys)


def own_values(order: Order) -> Callable[[Any], tuple[Any, ...]]:
    """The same in memory, for an order over the record's own fields; of a record, or of its values by name."""
    readers = [_reader(key) for key in order.keys]
    return lambda record: tuple(read(record) for read in readers)


def _reader(key: Key) -> Callable[[Any], Any]:
    field, read = key.leaf.field, key.leaf.memory()
    if not field.folded or key.leaf.custom:
        return lambda record: read(record, None)

    def folded(record: Any) -> str | None:
        value = read(record, None)
        return None if value is None else sort_key(value, surname=field.surname)

    return folded


def comparable(order: Order) -> Callable[[Sequence[Any]], Any]:
    """What makes values of the order comparable as the database compares them: the absent last, whatever the way."""
    descending = [key.descending for key in order.keys]

    def compare(one: Sequence[Any], other: Sequence[Any]) -> int:
        for left, right, down in zip(one, other, descending, strict=True):
            if left == right:
                continue
            if left is None or right is None:
                return 1 if left is None else -1
            return -1 if (left < right) != down else 1
        return 0

    return functools.cmp_to_key(compare)
