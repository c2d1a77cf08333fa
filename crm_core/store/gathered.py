"""The visibility function once more: for statements that read all that an actor sees, or pass over much that is not."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, select, union_all

from crm_core.records import RecordType, Via
from crm_core.store.actor import Reach
from crm_core.store.visibility import Criterion, Visibility, bare

__all__ = ["GatheredVisibility", "HeldVisibility"]


class GatheredVisibility(Visibility):
    """What an actor may see, for a statement that reads all of it: to count it, or to sort a small part of it.

    The accounts are gathered even where there are many, and so are the records that hang on them by one way or another:
    for conditions with OR between them, a database reads the whole table.
    """

    wide = False

    def criterion(
        self, record_type: RecordType, rows: FromClause, verb: str = "read", *, permission: str | None = None
    ) -> Criterion:
        """See :meth:`Visibility.criterion`."""
        access = record_type.access
        if not isinstance(access, Via) or self.actor.system or permission is not None:
            return super().criterion(record_type, rows, verb, permission=permission)
        reaches = frozenset({self.reach(record_type.permission(verb)), self.reach(record_type.permission("read"))})
        inner = bare(record_type.table).alias()
        narrow = frozenset(reach for reach in reaches if not reach.all)
        ways = self._ways(record_type, access, inner, narrow, verb)
        if not isinstance(ways, list):
            return super().criterion(record_type, rows, verb)
        queries = [select(inner.c.id).where(way).correlate(None) for way in ways]
        return rows.c.id.in_(union_all(*queries))


class HeldVisibility(Visibility):
    """What an actor may see, for a walk along an index: the accounts are gathered once, and each row is held to them.

    IS TRUE keeps a database from beginning with the accounts, and finding and sorting all that hangs on them.
    """

    wide = False

    def _account(self, id_: ColumnElement[int], reach: Reach) -> ColumnElement[bool]:
        return super()._account(id_, reach).is_(True)
