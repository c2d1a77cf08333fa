"""Hooks that are told after something happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.hooks.markers import hookspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_core.assembly.crm import Crm
    from crm_core.store.changes import ChangeBatch, ChangeSet
    from crm_core.store.session import CrmSession

__all__ = ["crm_on_changes", "crm_on_committed"]


@hookspec
def crm_on_changes(session: CrmSession, batch: ChangeBatch) -> None:
    """Follow up changes in the same transaction.

    Since 0.1. Called once per record type and change set, after every check has passed. What it writes
    through ``session`` belongs to the same change set and is checked and told in a further round; there are
    at most five rounds.

    Returns nothing. May raise anything: what the failing implementation wrote is rolled back by savepoint, a
    :class:`~crm_core.errors.HookError` is logged and kept in ``session.info["failed_hooks"]``, the other
    implementations are still told, and the change set stands. Object in ``crm_check_changes`` instead.
    """


@hookspec
def crm_on_committed(crm: Crm, change_sets: Sequence[ChangeSet]) -> None:
    """React to what has been committed: send, notify, hand to another system.

    Since 0.1. Called by ``crm.deliver()`` outside any transaction, in the order of commits, each change set
    with its changes and at least once: an implementation must bear being told twice. The changes of one record come as
    they happened. Open a session by ``crm.system_session(...)`` to read or write.

    Returns nothing. May raise anything: an implementation that fails is told the same change sets again
    later, and only its own plugin waits.
    """
