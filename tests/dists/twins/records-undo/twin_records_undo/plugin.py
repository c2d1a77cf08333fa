"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, Problem, Record, hookimpl
from twin_records_undo.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_check_changes(batch: ChangeBatch) -> Iterable[Problem]:
    """Things are kept for ever."""
    if batch.type is Thing.crm_type and batch.of("delete"):
        yield Problem("", "A thing is never deleted.", "Leave it.")
