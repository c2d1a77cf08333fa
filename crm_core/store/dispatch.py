"""What the store expects of whoever calls the plugins: a protocol, because hooks stand above the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from crm_core.store.changes import ChangeBatch
    from crm_core.store.session import CrmSession

__all__ = ["Dispatch", "NoPlugins"]


class Dispatch(Protocol):
    """How the store and the views reach plugins: in batches, never per record."""

    def hears_changes(self, record: str | None = None) -> bool:
        """Whether any plugin implements a change hook (for that record type), so that batches are worth building."""

    def check_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        """Ask ``crm_check_changes``; an objection propagates with the plugin's name."""

    def on_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        """Tell ``crm_on_changes``; a failure is rolled back by savepoint and reported."""

    def check_merge(self, session: CrmSession, record_type: str, target_id: int, source_id: int) -> frozenset[str]:
        """Ask ``crm_check_merge``: the record types whose rows give way to the survivor's; an objection propagates."""

    def check_contact(self, session: CrmSession, touch: Any) -> Any:
        """Ask ``crm_check_contact``."""

    def gather_timeline(
        self,
        session: CrmSession,
        accounts: Sequence[int],
        since: dt.datetime | None,
        until: dt.datetime | None,
        limit: int,
    ) -> Any:
        """Ask ``crm_gather_timeline``."""

    def gather_overview(self, session: CrmSession, accounts: Sequence[int]) -> Any:
        """Ask ``crm_gather_overview``."""

    def gather_handover(self, session: CrmSession, accounts: Sequence[int], user_id: int | None = None) -> Any:
        """Ask ``crm_gather_handover``."""

    def gather_signals(
        self,
        session: CrmSession,
        accounts: Sequence[int],
        kinds: Collection[str],
        since: dt.datetime | None,
        until: dt.datetime,
    ) -> Any:
        """Ask ``crm_gather_signals``."""

    def gather_news(self, session: CrmSession, accounts: Sequence[int], since: dt.datetime) -> Any:
        """Ask ``crm_gather_news``."""

    def gather_actions(self, session: CrmSession, user_id: int, accounts: Sequence[int]) -> Any:
        """Ask ``crm_gather_actions``."""


class NoPlugins:
    """A dispatcher for a store without plugins: it tells nobody. Views need a real one."""

    def hears_changes(self, record: str | None = None) -> bool:
        return False

    def check_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        return None

    def on_changes(self, session: CrmSession, batch: ChangeBatch) -> None:
        return None

    def check_merge(self, session: CrmSession, record_type: str, target_id: int, source_id: int) -> frozenset[str]:
        return frozenset()

    def check_contact(self, session: CrmSession, touch: Any) -> Any:
        return ()

    def gather_timeline(self, *args: Any) -> Any:
        return _Nothing()

    def gather_overview(self, *args: Any) -> Any:
        return _Nothing()

    def gather_handover(self, *args: Any) -> Any:
        return _Nothing()

    def gather_signals(self, *args: Any) -> Any:
        return _Nothing()

    def gather_news(self, *args: Any) -> Any:
        return _Nothing()

    def gather_actions(self, *args: Any) -> Any:
        return _Nothing()


class _Nothing(tuple[()]):
    parts = ()
    failed = ()
