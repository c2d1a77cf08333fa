"""Changing dated records: close what holds and open what holds from then on."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, TypeVar

from crm_core.errors import Problem, ValidationError
from crm_core.records import Dated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from crm_core.store.session import CrmSession

__all__ = ["as_moment", "change", "end", "holds"]

D = TypeVar("D", bound=Dated)


def moment_of(when: dt.datetime | dt.date, tz: dt.tzinfo) -> dt.datetime:
    """A moment in UTC; a day is its midnight in ``tz``."""
    if isinstance(when, dt.datetime):
        return when.astimezone(dt.UTC)
    return dt.datetime.combine(when, dt.time(), tz).astimezone(dt.UTC)


def as_moment(session: CrmSession, when: dt.datetime | dt.date | None) -> dt.datetime:
    """A moment; a day is its midnight in the organisation's time zone, nothing is now."""
    if when is None:
        return session.clock()
    if isinstance(when, dt.datetime) and when.tzinfo is None:
        raise ValidationError(
            "{when} has no time zone.", mend="Give an aware datetime, or a date for a whole day.", when=when
        )
    return moment_of(when, session.policy.tz)


def holds(row: Dated | Row[*tuple[Any, ...]], moment: dt.datetime) -> bool:
    """Whether a dated row (or a row of its columns) is valid at a moment."""
    return (row.valid_from is None or row.valid_from <= moment) and (row.valid_to is None or row.valid_to > moment)


def change(session: CrmSession, row: D, *, from_: dt.datetime | dt.date | None = None, **values: Any) -> D:
    """Let other values hold from a moment on (default: now): closes ``row`` and returns the new one.

    Plain assignment, in contrast, is a correction: it was never otherwise. A change from the very beginning of the
    row is one. Raises :class:`ValidationError` when ``from_`` lies outside the row's time.
    """
    moment = as_moment(session, from_)
    if row.valid_from is not None and moment == row.valid_from:
        for name, value in values.items():
            setattr(row, name, value)
        return row
    if not holds(row, moment):
        raise ValidationError(
            "{record} {id} does not hold at {moment}.",
            [Problem("from_", "It holds from {start} to {end}.", "Choose a moment between.",
                     {"start": row.valid_from, "end": row.valid_to})],
            record=type(row).crm_type.name,
            id=row.id,
            moment=moment,
        )  # fmt: skip
    record_type = type(row).crm_type
    others = [field for field in record_type.fields if field.name not in values]
    hidden = [field.name for field in others if field.restricted is not None and not session.can(field.restricted)]
    kept = {field.name: getattr(row, field.name) for field in others if field.name not in hidden}
    then = {**kept, **values, "valid_from": moment}
    if hidden:
        return _continue_hidden(session, row, moment, hidden, then)
    successor = type(row)(**then)
    if row.custom:
        successor.custom = dict(row.custom)
    row.valid_to = moment
    session.add(successor)
    return successor


def _continue_hidden(
    session: CrmSession, row: D, moment: dt.datetime, hidden: Sequence[str], values: dict[str, Any]
) -> D:
    """Carry on what the actor may not read: the values pass by, no object of theirs ever holds them."""
    system = session.as_system("dated.change")
    try:
        whole = system.require(type(row), row.id)
        values |= {name: getattr(whole, name) for name in hidden}
    finally:
        system.close()
    row.valid_to = moment
    (successor,) = session.add_many(type(row), [values | ({"custom": dict(row.custom)} if row.custom else {})])
    return session.require(type(row), successor)


def end(session: CrmSession, row: Dated, *, at: dt.datetime | dt.date | None = None) -> None:
    """Let a row hold no longer from a moment on (default: now). A row that has not begun yet is deleted."""
    moment = as_moment(session, at)
    if row.valid_from is not None and row.valid_from >= moment:
        session.flush()  # it may have been made just now
        session.delete(row)
    elif row.valid_to is None or row.valid_to > moment:
        row.valid_to = moment
