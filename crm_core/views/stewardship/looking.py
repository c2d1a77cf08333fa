"""What every check is given: the session, which accounts are looked at, and what is stale by now."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, select, true

from crm_core.domain.accounts import Account
from crm_core.errors import Problem
from crm_core.store.guard import trusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crm_core.store.session import CrmSession

__all__ = ["Look", "QualityFinding"]

_AT_ONCE = 500


@attrs.frozen(kw_only=True)
class QualityFinding:
    """One thing that is stale, contradicts itself or is missing, and what to do about it.

    ``check`` is the stable name of what found it. ``problem`` says it in words. A ``hint`` may well be right as it is.
    """

    check: str
    account_id: int | None = None
    account: str = ""
    contact_id: int | None = None
    record_type: str
    record_id: int
    problem: Problem
    hint: bool = False


@attrs.frozen
class Look:
    """One look at the data: ``stale_before`` is the moment before which a confirmation is too old."""

    session: CrmSession
    where: str | None
    accounts: frozenset[int] | None
    stale_before: dt.datetime
    limit: int | None

    def rows(self, query: Any, account_id: Any) -> Sequence[Any]:
        """The rows of a query, for the accounts that are looked at."""
        found: Sequence[Any] = self.session.execute(query.where(*self.chosen(account_id))).all()
        return found

    def each(self, query: Any, account_id: Any) -> Iterator[Any]:
        """Like :meth:`rows`, one by one: whoever has enough reads no further."""
        query = query.where(*self.chosen(account_id)).execution_options(yield_per=_AT_ONCE)
        with closing(self.session.execute(query)) as rows:
            yield from rows

    def chosen(self, account_id: Any) -> list[ColumnElement[bool]]:
        """The conditions that an account is one of those that are looked at."""
        conditions = []
        if self.accounts is not None:
            conditions.append(account_id.in_(sorted(self.accounts)))
        if self.where:
            conditions.append(account_id.in_(select(Account.id).where(self.session.where(Account, self.where))))
        return conditions

    def first(self, query: Any, account_id: Any) -> Sequence[Any]:
        """Like :meth:`rows`, where every row is a finding."""
        return self.rows(query.limit(self.limit), account_id)

    def reaching(self, *records: str) -> ColumnElement[bool]:
        """That the actor reads all records of these types that hang on the account.

        Without it, what one may not see would be told to be missing.
        """
        session, account = self.session, Account.crm_type
        condition: ColumnElement[bool] = true()
        for record in records:
            part = session.visibility.criterion(account, account.table, permission=f"{record}.read")
            condition = condition if part is None else condition & part
        found: ColumnElement[bool] = trusted(condition)
        return found
