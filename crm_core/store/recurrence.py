"""When work recurs: a rule of RFC 5545 on the clocks of the organisation, as moments."""

from __future__ import annotations

import datetime as dt
import functools
import heapq
import re
from collections.abc import Iterator

import attrs
from dateutil.rrule import rrule, rrulestr

__all__ = ["check", "latest_and_next", "occurrences"]

_BEGINNING = dt.datetime(2000, 1, 1)
"""Where a rule counts from that does not say it: a Saturday, the first of a month and of a year."""

_STEPS = {"MINUTELY": dt.timedelta(minutes=1), "HOURLY": dt.timedelta(hours=1), "DAILY": dt.timedelta(days=1),
          "WEEKLY": dt.timedelta(weeks=1)}  # fmt: skip
_FREQUENCIES = (*_STEPS, "MONTHLY", "YEARLY")
# No clock is put back or forward by more than that, not even at the date line.
_SHIFT = dt.timedelta(hours=25)
# Leap days are eight years apart around 2100. A rule that is silent for longer is silent for ever.
_HORIZON = dt.timedelta(days=8 * 366 + 1)


@attrs.frozen
class _Rule:
    start: dt.datetime
    text: str
    frequency: str
    interval: int
    counted: bool
    until: dt.datetime | None

    def near(self, moment: dt.datetime) -> rrule:
        """The rule, counting from shortly before ``moment``, and not further than anybody will wait."""
        start, step = self.start, _STEPS.get(self.frequency)
        if self.counted:
            return _parsed(self.text, start)
        if step is not None and moment > start:
            # dateutil walks from the start, and by minutes it is a long way.
            step *= self.interval
            start += max(0, (moment - start) // step - 1) * step
        until = max(moment, start) + _HORIZON
        return _parsed(self.text, start).replace(until=min(until, self.until or until))


def _parsed(text: str, start: dt.datetime) -> rrule:
    found = rrulestr(text, dtstart=start, ignoretz=True)
    assert isinstance(found, rrule)
    return found


@functools.lru_cache(maxsize=256)
def _rule(text: str) -> _Rule:
    lines = text.split("\n") if "\n" in text else text.split(" ")
    lines = [line.strip() for line in lines if line.strip()]
    start, explicit = _BEGINNING, False
    if lines and lines[0].upper().startswith("DTSTART"):
        given = re.fullmatch(r"DTSTART:(\d{8}T\d{6})", lines.pop(0), re.IGNORECASE)
        if given is None:
            raise ValueError("Write the start as DTSTART:20260105T020000, on the clocks of the organisation.")
        start, explicit = dt.datetime.strptime(given[1].upper(), "%Y%m%dT%H%M%S"), True
    if len(lines) != 1:
        raise ValueError("Write one rule, such as FREQ=DAILY;BYHOUR=2;BYMINUTE=0;BYSECOND=0.")
    rule = re.sub(r"^RRULE:", "", lines[0], flags=re.IGNORECASE)
    parts = dict(part.partition("=")[::2] for part in rule.upper().split(";"))
    frequency = parts.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise ValueError("FREQ is one of MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY, YEARLY.")
    counted = "COUNT" in parts
    if counted and not explicit:
        raise ValueError("A rule with COUNT needs a start: DTSTART:20260105T020000 before it.")
    try:
        parsed = _parsed(rule, start)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{str(error).rstrip('.')}.") from None
    interval = int(parts.get("INTERVAL", "1"))
    if interval < 1:
        raise ValueError("INTERVAL is 1 or more.")
    until: dt.datetime | None = vars(parsed)["_until"]
    return _Rule(start, rule, frequency, interval, counted, until)


def check(text: str) -> None:
    """Raise ``ValueError``, with what to write instead, unless ``text`` is a rule that can be followed."""
    rule = _rule(text)
    if next(iter(rule.near(rule.start)), None) is None:
        raise ValueError("There is no day and time that it names.")


def occurrences(text: str, zone: dt.tzinfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """The moments (UTC) after ``after`` at which the rule recurs on the clocks of ``zone``, in order, each once.

    An hour that is left out when clocks are put forward has its occurrences as much later, so that nothing is skipped.
    Of an hour that comes twice the first counts, unless the rule goes by hours or minutes: then both do.
    """
    rule = _rule(text)
    both = rule.frequency in ("HOURLY", "MINUTELY")
    begin = after.astimezone(zone).replace(tzinfo=None) - _SHIFT
    waiting: list[dt.datetime] = []
    last = after
    for local in rule.near(begin).xafter(begin, inc=True):
        heapq.heappush(waiting, _moment(local, zone, 0))
        if both:
            heapq.heappush(waiting, _moment(local, zone, 1))
        # Later ones of the rule are later in UTC too, but for a shift of the clocks.
        safe = _moment(local, dt.UTC, 0) - (local.replace(tzinfo=zone).utcoffset() or dt.timedelta()) - _SHIFT
        while waiting and waiting[0] <= safe:
            moment = heapq.heappop(waiting)
            if moment > last:
                yield (last := moment)
    while waiting:
        moment = heapq.heappop(waiting)
        if moment > last:
            yield (last := moment)


def _moment(local: dt.datetime, zone: dt.tzinfo, fold: int) -> dt.datetime:
    moment = local.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC)
    if fold and moment.astimezone(zone).replace(tzinfo=None) != local:
        # An hour that is left out has no second reading.
        return _moment(local, zone, 0)
    return moment


def latest_and_next(
    text: str, zone: dt.tzinfo, first: dt.datetime, now: dt.datetime
) -> tuple[dt.datetime, dt.datetime | None]:
    """Of the occurrences from ``first`` on the latest that is not after ``now``, and the one after it, if any."""
    latest = first
    for each in occurrences(text, zone, first):
        if each > now:
            return latest, each
        latest = each
    return latest, None
