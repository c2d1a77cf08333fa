"""What hooks are asked with and what they answer: values without behaviour."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Literal, TypeVar

import attrs

from crm_core.hooks.reasons import Reason

__all__ = [
    "Failed",
    "Finding",
    "Gathered",
    "GiveWay",
    "Job",
    "Level",
    "Merging",
    "News",
    "NextAction",
    "OpenItem",
    "Panel",
    "Severity",
    "Signal",
    "TimelineEntry",
    "Touch",
]  # fmt: skip

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
class Merging:
    """A merge that is about to happen: the record ``source_id`` goes into ``target_id``."""

    record_type: str
    target_id: int
    source_id: int


@attrs.frozen
class GiveWay:
    """An answer about a merge: of the exclusive rows of ``record`` those of the survivor stay.

    A row of the source that would hold at the same time is cut to the time that is free, or goes into the survivor's.
    """

    record: str


@attrs.frozen(kw_only=True)
class TimelineEntry:
    """One thing that happened with an account, or is planned.

    ``kind`` groups entries for filters and icons (``visit``, ``order``). ``status`` is a word or two on what became
    of it ("Planned", "Signed"), said in the reader's language beside the title. ``record_type`` and ``record_id`` name
    the record behind it, ``user_id`` the colleague who did it.
    """

    at: dt.datetime
    account_id: int
    kind: str
    title: str
    text: str = ""
    status: str = ""
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


@attrs.frozen(kw_only=True)
class OpenItem:
    """Something at an account that is not finished: a planned visit, a promise, a running quote, an open question.

    ``kind`` groups items (``visit``, ``promise``, ``quote``, ``document``, ``question``; the name of a record stands
    for that record), ``title`` is read by people, ``due`` is when it should be done. ``record_type`` and ``record_id``
    name the record behind it, ``user_id`` the colleague who is to do it, ``contact_id`` the person of theirs on whom it
    hangs. ``reassign`` names the field of that record which refers to the colleague, where a handover is to set it to
    the successor; without it the item is only told.
    """

    account_id: int
    kind: str
    title: str
    text: str = ""
    due: dt.datetime | None = None
    record_type: str
    record_id: int
    user_id: int | None = None
    contact_id: int | None = None
    reassign: str | None = None


@attrs.frozen
class Signal:
    """A sign of life of an account, or a date in its life: an order, a contract's end (``kind``), and when.

    ``known_at`` is when we came to know of it, where that was later.
    """

    account_id: int
    kind: str
    at: dt.datetime
    known_at: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class News:
    """Something that others learned about an account: a delivery, a complaint, a payment.

    ``kind`` groups news, ``text`` is one short line for people; with ``values`` it is a template for them. ``user_id``
    is the colleague who knows more.
    """

    account_id: int
    at: dt.datetime
    kind: str
    text: str
    values: Mapping[str, Any] = attrs.field(factory=dict)
    record_type: str
    record_id: int
    user_id: int | None = None


@attrs.frozen(kw_only=True)
class NextAction:
    """Something that a user should do next, with the reason for it.

    ``title`` says what, ``reason`` why now; with ``values`` both are templates for them. ``urgency`` ranks: 0 may wait,
    50 is due, 100 is overdue and costs us something; of equal ones the earlier ``due`` comes first. ``account_id`` is
    absent where it is about no account.
    """

    account_id: int | None = None
    kind: str
    title: str
    reason: str
    values: Mapping[str, Any] = attrs.field(factory=dict)
    due: dt.datetime | None = None
    urgency: int = attrs.field(
        default=50, validator=attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(100))
    )
    record_type: str = ""
    record_id: int | None = None


@attrs.frozen(kw_only=True)
class Job:
    """Work that the worker does: by a schedule, or when somebody asks for it.

    ``name`` is ``<plugin>.<verb>`` (the kernel's have a noun of its own: ``pool.recycle``), ``label`` is read by
    people. ``schedule`` is a recurrence rule of RFC 5545 (``"FREQ=DAILY;BYHOUR=2;BYMINUTE=0;BYSECOND=0"``) in the
    organisation's time zone; without one it runs only when asked for.

    An ``atomic`` job is called as ``run(session, arguments)`` with a system session whose commit also notes that the
    job is done, so that its writes happen once, whatever fails. Otherwise it is called as ``run(crm, arguments)``
    outside of any transaction and at least once: it must bear being repeated. A job that fails is tried again with
    growing pauses, ``attempts`` times in all; then it waits in the dead-letter list. ``lease`` is how long (in seconds)
    a worker may be silent before another one takes the job over.

    ``arguments`` are those of the runs that the schedule asks for, and the default of the others. A build file may set
    ``schedule``, ``attempts``, ``lease``, each of the ``arguments``, and whether the job is ``enabled``.
    """

    name: str = attrs.field(validator=attrs.validators.max_len(80))
    run: Callable[[Any, Any], object]
    label: str = ""
    schedule: str | None = None
    atomic: bool = True
    attempts: int = attrs.field(default=5, validator=attrs.validators.ge(1))
    lease: int = attrs.field(default=300, validator=attrs.validators.ge(1))
    arguments: Mapping[str, Any] = attrs.field(factory=dict)
    enabled: bool = True


@attrs.frozen
class Failed:
    """In place of the part of a plugin whose implementation failed; the log has the whole story.

    ``error`` is what went wrong, in English; :meth:`text` says it in another language.
    """

    plugin: str
    hook: str
    error: str

    def text(self, translate: Callable[[str], str]) -> str:
        """What went wrong, through ``translate`` where the kernel or the plugin has a sentence for it."""
        return self.error.text(translate) if isinstance(self.error, Reason) else self.error


@attrs.frozen
class Gathered(Generic[T]):
    """What the plugins contributed, and which of them could not."""

    parts: tuple[T, ...] = ()
    failed: tuple[Failed, ...] = ()

    def __iter__(self) -> Iterator[T]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)
