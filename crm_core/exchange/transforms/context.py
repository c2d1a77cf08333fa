"""What a transform may know of the build."""

from __future__ import annotations

import datetime as dt

import attrs

__all__ = ["Context"]


@attrs.frozen
class Context:
    """``tz`` is where moments without a zone were written down, ``organisation_tz`` where the organisation's days
    begin, ``currency`` what amounts without one are in. ``typed`` says that the values come from a spreadsheet: its
    numbers are numbers, and its days and moments are written as ISO 8601 says.
    """

    tz: dt.tzinfo
    organisation_tz: dt.tzinfo
    currency: str
    typed: bool = False
