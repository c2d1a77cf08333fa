"""The CRM as an application: one build on one database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from crm_core.assembly.not_loaded import why_not_loaded
from crm_core.errors import BuildError

if TYPE_CHECKING:
    from crm_core.assembly.build import Build
    from crm_core.assembly.build_file import BuildFile
    from crm_core.assembly.delivery import Delivery
    from crm_core.assembly.discovery import Discovery
    from crm_core.assembly.report import AssemblyReport
    from crm_core.domain.organisation import User
    from crm_core.records import Types
    from crm_core.store.migrations import Plan, Progress
    from crm_core.store.search.reindex import Checked, Reindexed
    from crm_core.store.session import CrmSession
    from crm_core.store.store import Store

__all__ = ["Crm"]


class Crm:
    """A build, opened on its database.

    Two of them in one process know nothing of each other. A ``Crm`` may be used by many threads, a session by
    one.
    """

    def __init__(self, build: Build, store: Store) -> None:
        self.build = build
        self.store = store
        store.jobs = build.jobs
        store.why_not_loaded = partial(why_not_loaded, build)
        if "queue" in build.file.drivers:
            store.queue = self._chosen("queue", lambda driver: driver(self))
        if "matching" in build.file.drivers:
            store.matcher = self._chosen("matching", lambda driver: driver())

    @classmethod
    def open(
        cls,
        given: str | Path | Mapping[str, Any] | BuildFile = "crm.toml",
        *,
        strict: bool | None = None,
        database: str | None = None,
        check: bool = True,
        discovery: Discovery | None = None,
        clock: Callable[[], dt.datetime] | None = None,
        without: Collection[str] = (),
    ) -> Self:
        """Assemble a build and open its database.

        ``given`` is a build file, its content, or a :class:`BuildFile`; ``strict`` and ``database`` outrank
        what it says. ``check`` refuses a database whose tables are not those of the build; open without it to
        migrate. ``discovery`` says which plugins there are (by default: what is installed). ``clock`` tells the
        present moment (by default: that of this machine), so that rules about time can be tried on another day.
        ``without`` leaves plugins out this time, with what requires them (``"*"``: all); see
        :func:`~crm_core.assembly.assemble`.

        Raises :class:`~crm_core.errors.BuildError` when the build does not fit together,
        :class:`~crm_core.errors.StoreError` when the database cannot be used. A chosen driver of a plugin that is
        switched off is refused where it is used, so that the CRM can be looked at and repaired without it.
        """
        # What assembles a build is imported by whoever opens one, not by everybody who names the class.
        from crm_core.assembly.discovery import installed
        from crm_core.assembly.load import assemble
        from crm_core.store.store import Store, utc_now

        build = assemble(given, strict=strict, discovery=discovery or installed, without=without)
        store = Store(
            database or build.file.database,
            build.types,
            build.policy,
            build.dispatcher,
            clock=clock or utc_now,
            search=_search(build),
        )
        crm = cls(build, store)
        if check:
            try:
                crm.check()
            except BaseException:
                crm.close()
                raise
        return crm

    @property
    def report(self) -> AssemblyReport:
        """What assembly decided."""
        return self.build.report

    @property
    def types(self) -> Types:
        """The record types of the build."""
        return self.build.types

    def session(
        self,
        user: str | User,
        *,
        reason: str | None = None,
        at: dt.datetime | dt.date | None = None,
        as_of: dt.datetime | dt.date | None = None,
        read_only: bool = False,
        source: str = "session",
    ) -> CrmSession:
        """A session of ``user`` (a login or a user's record), whom the embedding application has
        authenticated.

        ``reason`` stands in the journal. ``at`` is valid time, ``as_of`` recorded time; with either the
        session only reads. Raises :class:`~crm_core.errors.NotFound` when there is no such user.
        """
        login = user if isinstance(user, str) else user.login
        return self.store.session(login, reason=reason, at=at, as_of=as_of, read_only=read_only, source=source)

    def system_session(
        self,
        principal: str,
        *,
        reason: str | None = None,
        at: dt.datetime | dt.date | None = None,
        as_of: dt.datetime | dt.date | None = None,
        read_only: bool = False,
        source: str = "session",
        streaming: bool = False,
    ) -> CrmSession:
        """A session that may do anything, as the system principal of this name: ``init``, ``import``, a
        plugin's job.

        It is journalled under that name. ``streaming`` writes what has piled up before the commit, for long
        imports: memory does not grow with them.
        """
        return self.store.session(
            principal=principal,
            reason=reason,
            at=at,
            as_of=as_of,
            read_only=read_only,
            source=source,
            streaming=streaming,
        )

    def check(self) -> None:
        """Raise :class:`~crm_core.errors.MigrationError` unless the database is as the build wants it."""
        from crm_core.store.migrations import check_current

        check_current(self.store.engine, self.build.migration_sources())

    def plan(self) -> Plan:
        """What :meth:`migrate` would do."""
        from crm_core.store.migrations import plan

        return plan(self.store.engine, self.build.migration_sources())

    def migrate(self, progress: Progress | None = None) -> Plan:
        """Bring the tables of every plugin up to date, in load order; returns what was done."""
        from crm_core.store.migrations import upgrade

        sources = self.build.migration_sources()
        done = (
            upgrade(self.store.engine, sources) if progress is None else upgrade(self.store.engine, sources, progress)
        )
        self.store.migrated()
        # A plugin that joins now is told what happens from now on, not the history of others.
        for plugin in self.build.dispatcher.hears_commits():
            self.store.feed_join(plugin)
        return done

    def deliver(self, limit: int | None = None) -> list[Delivery]:
        """Tell plugins of committed change sets, each from where it stands in the feed.

        At most ``limit`` change sets are told to each plugin, and none that is committed while this runs. A
        plugin that fails stays where it is and harms no other; one that fails again and again at the same change set
        is told the next ones, and that one is put on the dead-letter list. A plugin that another process is telling
        just now is left to it. ``crm worker`` does this and more.
        """
        from crm_core.assembly.delivery import deliver

        return deliver(self, limit)

    def reindex(self, progress: Callable[[str, int, int], None] | None = None, *, whole: bool = False) -> Reindexed:
        """Build the search index anew, in batches that let others go on working; see ``crm search reindex``.

        ``progress`` is told the record type, how many of its records are done, and how many there are. ``whole``
        throws the old index away first; searches are refused until the new one is built.
        """
        from crm_core.store.search.reindex import reindex

        if progress is None:
            return reindex(self.store, whole=whole)
        return reindex(self.store, progress, whole=whole)

    def unindexed(self) -> list[str]:
        """The record types whose records a search cannot find before :meth:`reindex`: they are older than the index,
        or what it keeps of them has changed.
        """
        return self.store.unindexed()

    def check_index(self, progress: Callable[[str, int, int], None] | None = None) -> Checked:
        """Compare the search index with the records; nothing is changed."""
        from crm_core.store.search.reindex import check

        return check(self.store) if progress is None else check(self.store, progress)

    def driver(self, kind: str) -> Any:
        """What the driver leads to that the build file chose for ``kind``, usually a class.

        Raises :class:`~crm_core.errors.BuildError` when none is chosen, or its plugin is switched off.
        """
        name = self.build.file.drivers.get(kind)
        if name is None:
            raise BuildError(
                "{where} chooses no driver for {kind}.",
                mend="Add [drivers] {kind} = ... to it.",
                where=self.build.file.where,
                kind=kind,
            )
        from crm_core.assembly.drivers import load_driver

        return load_driver(kind, name, self.build.off, self.build.file.crm.disabled)

    def _chosen(self, kind: str, open_: Callable[[Any], Any]) -> Any:
        """The driver that the build chose, opened; for one of a plugin that is switched off a stand-in that refuses."""
        from crm_core.assembly.drivers import Refusing, refusal

        refused = refusal(self.build, kind)
        return open_(self.driver(kind)) if refused is None else Refusing(refused)

    def close(self) -> None:
        """Close all connections."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _search(build: Build) -> Any:
    """What keeps the search index: ``None`` is the kernel's own."""
    chosen = build.file.drivers.get("search")
    if chosen is None:
        return None
    from crm_core.assembly.drivers import load_driver, refusal
    from crm_core.store.search.drivers import NoSearch

    refused = refusal(build, "search")
    return load_driver("search", chosen, build.off) if refused is None else NoSearch(refused)
