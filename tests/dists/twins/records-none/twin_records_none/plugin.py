"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, Problem, Record, hookimpl
from twin_records_none.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_check_changes(batch: ChangeBatch) -> Iterable[Problem]:
    """There are two kinds of things."""
    if batch.type is Thing.crm_type:
        for change in batch.of("create", "update"):
            if change.after.get("name") not in ("red", "green"):
                yield Problem("name", "{name} is none.", "Use red or green.", {"name": change.after.get("name")})
