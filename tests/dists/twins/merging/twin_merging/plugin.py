"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, Problem, Record, hookimpl
from twin_merging.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_check_changes(batch: ChangeBatch) -> Iterable[Problem]:
    """Things stay at their account."""
    if batch.type is Thing.crm_type and any("account_id" in change.after for change in batch.of("update")):
        yield Problem("account_id", "A thing stays where it is.", "Note another one there.")
