"""The hooks."""

from collections.abc import Iterable

from sqlalchemy import func, select

from crm_core import Account, ChangeBatch, CrmSession, Problem, hookimpl


@hookimpl
def crm_check_changes(system: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Customers have names of their own."""
    if batch.type is Account.crm_type:
        for change in batch.of("create"):
            same = select(func.count()).where(Account.name == change.after["name"])
            if (system.scalar(same) or 0) > 1:
                yield Problem("name", "There is another customer of this name.", "Add the place to the name.")
