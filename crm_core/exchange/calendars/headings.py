"""What a calendar says of all its events: what is to be done with them, and where their clocks are."""

from __future__ import annotations

import datetime as dt
import re

import attrs

from crm_core.errors import Problem, ValidationError
from crm_core.exchange.content_lines import Component, unfolded

__all__ = ["Heading", "check_method", "read_heading"]

CANCEL = "CANCEL"
_METHODS = ("", "PUBLISH", "REQUEST", CANCEL)
_PROPERTY = re.compile(r"([\w-]+)(?![\w-])[^:]*:(.*)", re.DOTALL)
_SILENT = frozenset({"VERSION", "PRODID", "CALSCALE", "METHOD", "X-WR-TIMEZONE"})


@attrs.frozen
class Heading:
    """The properties of a calendar. ``zone`` is where times without a zone are, if it says so."""

    method: str = ""
    zone: dt.tzinfo | None = None
    untaken: tuple[Problem, ...] = ()

    @property
    def takes_back(self) -> bool:
        """Whether its events are taken back, and not planned."""
        return self.method == CANCEL


def read_heading(component: Component, encoding: str) -> Heading:
    """The properties of a calendar; what is not used here is told, and nothing is raised."""
    method, zone = "", None
    untaken: list[Problem] = []
    for line in unfolded(component.lines):
        try:
            text = line.data.decode()
        except UnicodeDecodeError:
            text = line.data.decode(encoding, "replace")
        if (found := _PROPERTY.fullmatch(text)) is None:
            continue
        name, value = found[1].upper(), found[2].strip()
        if name == "METHOD":
            method = value.upper()
        elif name == "X-WR-TIMEZONE":
            zone = _zone(value)
            if zone is None:
                untaken.append(Problem(name, "There is no time zone {zone!r}.", "", {"zone": value}))
        elif name == "CALSCALE" and value.upper() != "GREGORIAN":
            untaken.append(Problem(name, "It is taken for GREGORIAN, not {word}.", "", {"word": value}))
        elif name not in _SILENT:
            untaken.append(Problem(name, "There is no field for it."))
    return Heading(method, zone, tuple(untaken))


def check_method(heading: Heading) -> None:
    """Raise :class:`ValidationError` for a calendar whose events are answers and questions, and no plan."""
    if heading.method not in _METHODS:
        raise ValidationError(
            "Its calendar is no plan but a message: {method}.",
            mend="Answer it in a calendar program, and import the calendar itself.",
            method=heading.method,
        )


def _zone(name: str) -> dt.tzinfo | None:
    from icalendar.timezone import tzp

    try:
        found: dt.tzinfo | None = tzp.timezone(name)
    except (ValueError, OSError):
        # It is looked for as a file.
        return None
    return found
