"""The actor's visibility, written for a statement that needs it for every record type at once.

It means the same as :class:`~crm_core.store.visibility.Visibility`, which it takes everything from but one thing: the
accounts (or, for somebody who sees very many, the people whose accounts they are) are gathered once, in front of the
statement, and looked up for each row. Otherwise a database would plan, and perhaps carry out, the same joins a dozen
times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    bindparam,
    exists,
    false,
    literal,
    or_,
    select,
    union_all,
)

from crm_core.domain.organisation import Membership
from crm_core.domain.ownership import Ownership
from crm_core.fields.columns import BIGINT, Moment
from crm_core.store.actor import Reach, valid_at
from crm_core.store.visibility import Visibility, bare

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Sight"]


class Sight(Visibility):
    """What the actor of a session sees at the moment that is given as the parameter ``now``."""

    def __init__(self, session: CrmSession) -> None:
        now: Any = bindparam("now", type_=Moment())
        super().__init__(session.types, session.policy, session.actor, now, lambda: session.store.owned_count(session))
        self._postgresql = session.dialect == "postgresql"
        self._gathered: dict[Reach, CTE | None] = {}
        self._lent: dict[Reach, CTE | None] = {}

    def _account(self, id_: ColumnElement[Any], reach: Reach) -> ColumnElement[bool]:
        if not self.wide:
            accounts = self._once(self._gathered, reach, self._accounts)
            return false() if accounts is None else self._in(id_, accounts)
        parts: list[ColumnElement[bool]] = []
        people = self._once(self._gathered, reach, self._people)
        if people is not None:
            owner = bare(Ownership.crm_type.table).alias()
            theirs = select(literal(1)).where(
                owner.c.account_id == id_, valid_at(owner, self.now), self._in(owner.c.user_id, people)
            )
            # As EXISTS, PostgreSQL would rather gather the owners of all accounts before it looks at the first hit.
            parts.append(theirs.limit(1).scalar_subquery().is_not(None) if self._postgresql else exists(theirs))
        lent = self._once(self._lent, reach, self._shared)
        if lent is not None:
            parts.append(self._in(id_, lent))
        return or_(*parts, false())

    def _once(self, kept: dict[Reach, CTE | None], reach: Reach, make: Any) -> CTE | None:
        if reach not in kept:
            made = make(reach)
            if made is not None:
                name = f"{'lent' if kept is self._lent else 'seen'}{len(kept)}"
                made = made.cte(name).prefix_with("MATERIALIZED")
            kept[reach] = made
        return kept[reach]

    def _accounts(self, reach: Reach) -> Any:
        """The ids of the accounts, by every ground."""
        owned = [found for make in (self._own, self._team) if (found := make(reach)) is not None]
        shared = self._shared(reach)
        queries = [query.with_only_columns(accounts.label("id")) for query, accounts in owned]
        if shared is not None:
            queries.append(shared)
        if not queries:
            return None
        return union_all(*queries) if len(queries) > 1 else queries[0]

    def _people(self, reach: Reach) -> Any:
        """The ids of the users whose accounts are seen."""
        queries = []
        if reach.own:
            queries.append(select(literal(self.actor.user_id, BIGINT).label("id")))
        if reach.units or reach.subtrees:
            member = bare(Membership.crm_type.table).alias()
            queries.append(select(member.c.user_id.label("id")).where(self._colleague(member, reach)))
        if not queries:
            return None
        return union_all(*queries) if len(queries) > 1 else queries[0]

    def _in(self, id_: ColumnElement[Any], gathered: CTE) -> ColumnElement[bool]:
        within: ColumnElement[bool] = id_.in_(select(next(iter(gathered.c))))
        # PostgreSQL would make a join of it, and carry that out for each row; like this the ids are hashed once.
        return within.is_(True) if self._postgresql else within
