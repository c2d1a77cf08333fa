"""Tables that follow from records and are no records themselves: indexes that are kept in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from crm_core.store.current import Current
from crm_core.store.match_keys import FIELDS, follow_keys
from crm_core.store.search.keeping import keep

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.session import CrmSession

__all__ = ["follow"]

Follower: TypeAlias = "Callable[[CrmSession, Sequence[Entry], Current], None]"

_FOLLOWERS: tuple[Follower, ...] = (follow_keys, keep)


def follow(session: CrmSession, entries: Sequence[Entry]) -> None:
    """Bring every index up to date with changes that are about to be journalled, at most one entry per record."""
    fields = defaultdict(frozenset, {name: each.touched_by for name, each in session.store.search.plan.indexed.items()})
    for name, read in FIELDS.items():
        fields[name] |= read
    current = Current(session, fields, entries)
    for follower in _FOLLOWERS:
        follower(session, entries, current)
