"""Tables that follow from records and are no records themselves: indexes that are kept in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from crm_core.store.match_keys import follow_keys
from crm_core.store.search.keeping import keep

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["follow"]

Follower: TypeAlias = "Callable[[CrmSession, Sequence[Entry]], None]"

_FOLLOWERS: tuple[Follower, ...] = (follow_keys, keep)


def follow(session: CrmSession, entries: Sequence[Entry]) -> None:
    """Bring every index up to date with changes that are about to be journalled, at most one entry per record."""
    for follower in _FOLLOWERS:
        follower(session, entries)
