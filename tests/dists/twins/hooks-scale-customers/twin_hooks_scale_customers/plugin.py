"""The hooks."""

from collections.abc import Iterable

from sqlalchemy import select

from crm_core import Account, ChangeBatch, CrmSession, Problem, hookimpl


@hookimpl
def crm_check_changes(system: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Customers begin as active ones."""
    if batch.type is Account.crm_type:
        for change in batch.of("create"):
            if not system.scalar(select(Account.active).where(Account.id == change.id)):
                yield Problem("active", "The account is not active.", "Activate it first.")
