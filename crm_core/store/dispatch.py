"""What the store expects of whoever calls the plugins: a protocol, because hooks stand above the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from crm_core.store.changes import ChangeBatch
    from crm_core.store.session import CrmSession

__all__ = ["Dispatch", "NoPlugins"]


class Dispatch(Protocol):
    """How the store tells plugins of changes; one call per record type and change set, never per record."""

    def hears_changes(self) -> bool:
        """Whether any plugin implements a change hook, so that batches are worth building."""

    def check_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        """Ask ``crm_check_changes``; an objection propagates with the plugin's name."""

    def on_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        """Tell ``crm_on_changes``; a failure is rolled back by savepoint and reported."""


class NoPlugins:
    """A dispatcher for a kernel alone."""

    def hears_changes(self) -> bool:
        return False

    def check_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        return None

    def on_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        return None
