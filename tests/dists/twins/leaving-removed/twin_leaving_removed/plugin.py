"""The hooks."""

from collections.abc import Iterable

from crm_core import Record, hookimpl
from twin_leaving_removed.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]
