"""Who may see a record type: declarations that the store turns into one visibility criterion."""

from __future__ import annotations

import attrs

__all__ = [
    "Access",
    "Administered",
    "Owned",
    "Private",
    "Public",
    "Through",
    "Via",
    "administered",
    "owned",
    "private",
    "public",
    "through",
    "via",
]


@attrs.frozen
class Access:
    """Base of the access declarations."""


@attrs.frozen
class Owned(Access):
    """Seen through dated ownership (own, unit, subtree), shares, or scope *all*: accounts."""


@attrs.frozen
class Via(Access):
    """Seen by whoever sees the record that the first filled one of ``fields`` points to; with ``every``, by whoever
    sees all the records that the filled ones point to.

    Where all are empty, only the user in ``own`` (or else the creator) and scope *all* remain.
    """

    fields: tuple[str, ...]
    own: str | None = None
    every: bool = False


@attrs.frozen
class Through(Access):
    """Seen by whoever sees at least one record of type ``record`` whose ``field`` points here; also by its creator."""

    record: str
    field: str


@attrs.frozen
class Public(Access):
    """Reference data: every user of the build may read it; writing still needs a permission."""


@attrs.frozen
class Private(Access):
    """Seen by the user in ``own``, and by scope *all*."""

    own: str


@attrs.frozen
class Administered(Access):
    """Seen with scope *all* only: bookkeeping of the build."""


def administered() -> Administered:
    """Only scope *all*."""
    return Administered()


def owned() -> Owned:
    """Visibility follows dated ownership and shares."""
    return Owned()


def via(*fields: str, own: str | None = None, every: bool = False) -> Via:
    """Visibility is passed down from the record that a reference field points to.

    Of several fields the first filled one counts; with ``every``, all filled ones must be visible. Where all are
    empty, the user in field ``own`` (or else the creator) sees it.
    """
    return Via(fields, own, every)


def through(record: str, field: str) -> Through:
    """Visibility is passed on by records of type ``record`` that point here with ``field``."""
    return Through(record, field)


def public() -> Public:
    """Every user may read it."""
    return Public()


def private(own: str) -> Private:
    """Only the user in field ``own``, and scope *all*."""
    return Private(own)
