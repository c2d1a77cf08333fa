"""Dated rows of which one holds at a time: letting another hold from a moment on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TypeVar

from crm_core import CrmSession, Dated, dated

__all__ = ["let_hold"]

D = TypeVar("D", bound=Dated)


def let_hold(session: CrmSession, rows: Iterable[D], new: D, moment: dt.datetime) -> D:
    """Let ``new`` hold from ``moment`` on, among ``rows`` of the same key, until the next of them begins.

    The row that holds then ends, and ``new`` takes over the rest of its time; what held before stays.
    """
    others = list(rows)
    present = next((row for row in others if dated.holds(row, moment)), None)
    if present is not None:
        # From the very beginning of a row on, it is a correction of that row.
        values = {
            field.name: getattr(new, field.name)
            for field in type(new).crm_type.fields
            if field.name not in ("valid_from", "valid_to")
        }
        return dated.change(session, present, from_=moment, **values)
    later = [row.valid_from for row in others if row.valid_from is not None and row.valid_from > moment]
    new.valid_from, new.valid_to = moment, min(later, default=None)
    return session.add_one(new)
