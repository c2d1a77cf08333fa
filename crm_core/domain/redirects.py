"""Redirects: where a record went that was merged into another one."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Mapped

from crm_core.fields import moment, number, text
from crm_core.records import Record, administered, record

__all__ = ["Redirect"]


@record("redirect", access=administered(), label="Redirect", indexes=[("source_id",), ("target_id",)])
class Redirect(Record):
    """The record ``source_id`` of a type was merged into ``target_id``; whoever asks for it is sent there.

    Who sees the target may know of it; see :func:`crm_core.store.merging.resolve`.
    """

    record_type: Mapped[str] = text(120)
    source_id: Mapped[int] = number(0)
    target_id: Mapped[int] = number(0)
    at: Mapped[dt.datetime] = moment()
