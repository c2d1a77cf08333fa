"""What a database holds, as values that can be compared: before and after something that must change nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from crm_core.testing.conformance.oracle import rows_of

if TYPE_CHECKING:
    from crm_core.records import Record, RecordType
    from crm_core.store.session import CrmSession

__all__ = ["Clock", "State", "declared_values", "differences", "state_of"]

State = Mapping[tuple[str, int], Mapping[str, Any]]
"""The declared fields of every row, by column, by record type and id."""


@attrs.define
class Clock:
    """A clock that stands still until it is moved on."""

    now: dt.datetime

    def __call__(self) -> dt.datetime:
        """The present moment."""
        return self.now

    def tick(self, minutes: int = 1) -> dt.datetime:
        """Let time pass; returns the moment before."""
        before, self.now = self.now, self.now + dt.timedelta(minutes=minutes)
        return before


def state_of(session: CrmSession, types: Iterable[str] | None = None) -> State:
    """Everything in the database, or the rows of these record types; without versions and timestamps."""
    wanted = set(session.types if types is None else types)
    return {
        (record, id_): {
            column: value for column, value in row.items() if column in session.types[record].field_of_column
        }
        for record, rows in rows_of(session).items()
        if record in wanted
        for id_, row in rows.items()
    }


def declared_values(record_type: RecordType, record: Record) -> dict[str, Any]:
    """The values of a record by declared field."""
    return {field.name: getattr(record, field.name) for field in record_type.fields}


def differences(before: State, after: State) -> list[str]:
    """In which rows and columns two states differ, as people say it: ``account 12 is gone``, ``account 12: name``."""
    found = [f"{record} {id_} is gone" for record, id_ in sorted(before.keys() - after.keys())]
    found += [f"{record} {id_} is new" for record, id_ in sorted(after.keys() - before.keys())]
    for key in sorted(before.keys() & after.keys()):
        columns = [name for name, value in before[key].items() if after[key].get(name) != value]
        if columns:
            found.append(f"{key[0]} {key[1]}: {', '.join(columns)}")
    return found
