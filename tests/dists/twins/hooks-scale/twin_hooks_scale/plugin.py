"""The hooks."""

from collections.abc import Iterable

from sqlalchemy import select

from crm_core import Account, ChangeBatch, CrmSession, Problem, Record, hookimpl
from twin_hooks_scale.records import Thing


@hookimpl
def crm_register_records() -> Iterable[type[Record]]:
    """One record."""
    return [Thing]


@hookimpl
def crm_check_changes(system: CrmSession, batch: ChangeBatch) -> Iterable[Problem]:
    """Things are noted at active accounts only."""
    if batch.type is Thing.crm_type:
        for change in batch.of("create"):
            if not system.scalar(select(Account.active).where(Account.id == change.after["account_id"])):
                yield Problem("account_id", "The account is not active.", "Activate it first.")
