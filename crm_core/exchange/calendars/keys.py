"""The keys of single times of an event that comes again: the event's ``UID``, and when that time was to begin."""

from __future__ import annotations

import datetime as dt
import re

from crm_core.exchange.own_keys import fitting

__all__ = ["key_of", "uid_and_time"]

_TIME = "%Y%m%dT%H%M%SZ"
_OF_A_TIME = re.compile(r"(.+)/(\d{8}T\d{6}Z)", re.DOTALL)


def key_of(uid: str, moment: dt.datetime | None = None) -> str:
    """Under which key an event, or one time of it, is remembered."""
    return fitting(uid if moment is None else f"{uid}/{moment:{_TIME}}")


def uid_and_time(key: str) -> tuple[str, dt.datetime] | None:
    """What :func:`key_of` made the key of one time of; ``None`` for any other key."""
    found = _OF_A_TIME.fullmatch(key)
    if found is None:
        return None
    try:
        return found[1], dt.datetime.strptime(found[2], _TIME).replace(tzinfo=dt.UTC)
    except ValueError:  # no day of the calendar: it looks like a key of ours, and is the UID itself
        return None
