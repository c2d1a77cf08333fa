"""What hooks are asked with and what they answer: values without behaviour."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Generic, Literal, TypeVar

import attrs

__all__ = ["Failed", "Finding", "Gathered", "Level", "Panel", "Severity", "TimelineEntry", "Touch"]

T = TypeVar("T")
Level = Literal["warning", "veto"]
Severity = Literal["none", "good", "warning", "bad"]


@attrs.frozen(kw_only=True)
class Touch:
    """Something that is about to reach a customer.

    ``purpose`` is a text such as ``visit``, ``quote`` or ``campaign``; ``channel`` the way it goes out
    (``email``, ``phone``), if it is known; ``at`` when it is to happen.
    """

    account_id: int
    contact_id: int | None = None
    purpose: str
    channel: str | None = None
    at: dt.datetime


@attrs.frozen
class Finding:
    """What speaks against a touch: a ``warning``, which people may override, or a ``veto``.

    ``plugin`` is filled in by the dispatcher.
    """

    level: Level = attrs.field(validator=attrs.validators.in_(("warning", "veto")))
    text: str
    plugin: str = ""

    @property
    def vetoes(self) -> bool:
        """Whether the touch must not happen."""
        return self.level == "veto"


@attrs.frozen(kw_only=True)
class TimelineEntry:
    """One thing that happened with an account, or is planned.

    ``kind`` groups entries for filters and icons (``visit``, ``order``). ``record_type`` and ``record_id``
    name the record behind it, ``user_id`` the colleague who did it.
    """

    at: dt.datetime
    account_id: int
    kind: str
    title: str
    text: str = ""
    record_type: str
    record_id: int
    user_id: int | None = None


@attrs.frozen(kw_only=True)
class Panel:
    """A plugin's part of the overview of one account.

    ``name`` is stable and unique within the plugin, ``title`` is read by people. ``lines`` are pairs of label
    and value; ``rows`` are the lines of a small table, the first being its header. ``severity`` says how it
    looks. ``plugin`` is filled in by the dispatcher.
    """

    account_id: int
    name: str
    title: str
    lines: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    severity: Severity = attrs.field(default="none", validator=attrs.validators.in_(("none", "good", "warning", "bad")))
    plugin: str = ""


@attrs.frozen
class Failed:
    """In place of the part of a plugin whose implementation failed; the log has the whole story."""

    plugin: str
    hook: str
    error: str


@attrs.frozen
class Gathered(Generic[T]):
    """What the plugins contributed, and which of them could not."""

    parts: tuple[T, ...] = ()
    failed: tuple[Failed, ...] = ()

    def __iter__(self) -> Iterator[T]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)
