"""The hooks."""

from collections.abc import Iterable

from crm_core import Record, Role, Scope, hookimpl
from twin_leaks_reads.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Meant for the things alone."""
    return [Role(name, (("*.read", Scope.ALL),)) for name in ("sales", "manager", "reader")]
