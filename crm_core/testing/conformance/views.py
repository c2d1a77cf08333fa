"""What the kernel shows to somebody who looks at a customer: each way as a function, and what it told as values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.fields import Field
from crm_core.records import Record, RecordType
from crm_core.testing.conformance.states import declared_values
from crm_core.views import briefings, next_actions, open_items, overview, timeline, whats_new

if TYPE_CHECKING:
    from crm_core.domain.accounts import Account
    from crm_core.store.session import CrmSession

__all__ = ["OVERVIEWS", "plain"]

_YEAR = dt.timedelta(days=366)

Look = Callable[["CrmSession", "Account"], Any]


def _news(session: CrmSession, account: Account) -> Any:
    """What is new, without the moment of the look itself: on PostgreSQL that is one of the whole server."""
    found = whats_new(session, since=session.now - _YEAR)
    return (found.first, found.accounts, found.gone, found.names, found.failed)


OVERVIEWS: Mapping[str, Look] = {
    "overview()": overview,
    "timeline()": lambda session, account: timeline(session, account, limit=1000),
    "briefings()": briefings,
    "open_items()": open_items,
    "whats_new()": _news,
    "next_actions()": lambda session, account: next_actions(session),
}
"""What people look at, by what the kernel calls it; the last two are about the reader."""


def plain(value: Any) -> Any:
    """What a view told, as values that can be compared with those of another session."""
    match value:
        case Record():
            return (value.crm_type.name, value.id, plain(declared_values(value.crm_type, value)))
        case RecordType() | Field():
            return value.name
        case str() | bytes():
            return value
        case Mapping():
            return {plain(key): plain(each) for key, each in value.items()}
        case frozenset() | set():
            return frozenset(map(plain, value))
    if attrs.has(type(value)):
        return tuple((name, plain(getattr(value, name))) for name in attrs.fields_dict(type(value)))
    if isinstance(value, Iterable):
        return tuple(map(plain, value))
    return value
