"""The hooks."""

from collections.abc import Iterable

from crm_core import ChangeBatch, CrmSession, Problem, Record, Role, Scope, hookimpl
from twin_leaks_hooks_objection.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_register_roles() -> Iterable[Role]:
    """Salespeople note things."""
    return [Role(name, (("twin_leaks_hooks_objection.*", Scope.ALL),)) for name in ("sales", "manager", "steward")]


@hookimpl
def crm_check_changes(system: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """No account has more than one thing, and the last one is told."""
    if batch.type is not Thing.crm_type:
        return
    known = {thing.id: thing for thing in system.list(Thing, limit=None)}
    for change in batch.of("create"):
        others = [thing for thing in known.values() if thing.id != change.id]
        if len(others) > 6:
            yield Problem(
                "name",
                "There are too many: {names}.",
                "Use one of them.",
                {"names": ", ".join(thing.name for thing in others)},
            )
