"""What several parts of a view ask about the same accounts: one statement for each, read once within an overview."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, func, literal, literal_column, select, union_all

from crm_core.domain.accounts import Account, AccountRelation, Lifecycle
from crm_core.domain.activities import Activity, Participant, Status
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership
from crm_core.fields.columns import BIGINT, Moment
from crm_core.views.aliases import another

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["activities_held", "affiliations", "lifecycles", "month_bounds", "ownerships", "relations"]

_MONTHS = 12

# Statements are made once: to put them together takes longer than to run them.
_IDS: Any = bindparam("ids", type_=BIGINT, expanding=True)


def ownerships(session: CrmSession, accounts: Sequence[int]) -> Sequence[Any]:
    """Who is, was or will be responsible for accounts, with their names; the latest first."""
    return session._reading.once(_owned(), {"ids": accounts}, all_dates=True)


@functools.cache
def _owned() -> Any:
    return (
        select(
            Ownership.id, Ownership.account_id, Ownership.user_id, Ownership.role, Ownership.scope,
            Ownership.valid_from, Ownership.valid_to, Ownership.reason, User.name, User.email, User.active,
        )
        .join(User, User.id == Ownership.user_id)
        .where(Ownership.account_id.in_(_IDS))
        .order_by(Ownership.valid_from.desc().nulls_last(), Ownership.id.desc())
    )  # fmt: skip


def affiliations(session: CrmSession, accounts: Sequence[int]) -> Sequence[Any]:
    """Who works, worked or will work at accounts, with their names; the latest first."""
    return session._reading.once(_worked(), {"ids": accounts}, all_dates=True)


@functools.cache
def _worked() -> Any:
    return (
        select(
            Affiliation.id, Affiliation.account_id, Affiliation.contact_id, Contact.name, Affiliation.role,
            Affiliation.title, Affiliation.department, Affiliation.primary, Affiliation.valid_from,
            Affiliation.valid_to, Affiliation.confirmed_at,
        )
        .join(Contact, Contact.id == Affiliation.contact_id)
        .where(Affiliation.account_id.in_(_IDS))
        .order_by(Affiliation.valid_from.desc().nulls_last(), Affiliation.id.desc())
    )  # fmt: skip


def lifecycles(session: CrmSession, accounts: Sequence[int]) -> Sequence[Any]:
    """The stages of accounts, those that were and those to come; by business line, the latest first."""
    return session._reading.once(_staged(), {"ids": accounts}, all_dates=True)


@functools.cache
def _staged() -> Any:
    return (
        select(
            Lifecycle.id, Lifecycle.account_id, Lifecycle.business_line, Lifecycle.stage, Lifecycle.valid_from,
            Lifecycle.valid_to, Lifecycle.reason,
        )
        .where(Lifecycle.account_id.in_(_IDS))
        .order_by(Lifecycle.business_line, Lifecycle.valid_from.desc().nulls_last(), Lifecycle.id.desc())
    )  # fmt: skip


def relations(session: CrmSession, account_id: int) -> Sequence[Any]:
    """The relations of an account that hold, to others and from others, with the names of both."""
    return session._reading.once(_related(), {"account": account_id})


@functools.cache
def _related() -> Any:
    account = bindparam("account", type_=BIGINT)
    one, other = another(Account), another(Account, 2)
    return (
        select(AccountRelation.account_id, AccountRelation.other_id, AccountRelation.kind, AccountRelation.valid_from,
               one.name.label("name"), other.name.label("other_name"))
        .join(one, one.id == AccountRelation.account_id)
        .join(other, other.id == AccountRelation.other_id)
        .where((AccountRelation.account_id == account) | (AccountRelation.other_id == account))
        .order_by(AccountRelation.kind, AccountRelation.id)
    )  # fmt: skip


def activities_held(session: CrmSession, account_id: int) -> Sequence[Any]:
    """How many activities were held, and when the ``last``, for each contact and each of the last twelve months.

    ``month`` counts from 0, as in :func:`month_bounds`; all that were held before are -1. Those in which somebody took
    part beside the one whom they are about are counted once more, for that person, as -2.
    """
    starts = {f"month{number}": start for number, (_, start) in enumerate(month_bounds(session))}
    return session._reading.once(_held(), {"account": account_id, "at": session.at, **starts})


@functools.cache
def _held() -> Any:
    when = Activity.started_at
    # The latest first; what they are numbered by is no parameter, since the text is long as it is.
    months: list[Any] = [
        (when >= bindparam(f"month{number}", type_=Moment()), literal_column(str(number)))
        for number in reversed(range(_MONTHS))
    ]
    there = (
        Activity.account_id == bindparam("account", type_=BIGINT),
        Activity.status == Status.HELD,
        when <= bindparam("at", type_=Moment()),
    )
    about = select(Activity.contact_id, when, case(*months, else_=-1).label("month")).where(*there)
    among = (
        select(Participant.contact_id, when, literal(-2).label("month"))
        .join(Activity, Activity.id == Participant.activity_id)
        .where(Participant.contact_id.is_not(None), *there)
    )
    each = union_all(about, among).subquery()
    return select(
        each.c.contact_id, each.c.month, func.max(each.c.started_at).label("last"), func.count().label("number")
    ).group_by(each.c.contact_id, each.c.month)


def month_bounds(session: CrmSession) -> list[tuple[str, dt.datetime]]:
    """The last twelve months with their beginnings; the present one is the last."""
    tz = session.policy.tz
    today = session.at.astimezone(tz)
    months = [divmod(today.year * 12 + today.month - 1 - back, 12) for back in range(_MONTHS - 1, -1, -1)]
    return [
        (f"{year}-{month + 1:02}", dt.datetime(year, month + 1, 1, tzinfo=tz).astimezone(dt.UTC))
        for year, month in months
    ]
