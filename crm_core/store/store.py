"""The store of one build: its engine and its sessions."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.orm import ORMExecuteState, SessionTransaction

from crm_core.domain.accounts import Account
from crm_core.domain.dated import moment_of
from crm_core.errors import NotFound, Problem, ValidationError
from crm_core.records import RecordType, Types
from crm_core.store import feed, ids
from crm_core.store.absent import not_loaded
from crm_core.store.actor import Actor, load_actor, system_actor
from crm_core.store.catalogue import Reference, alone, read_references, write_catalogues
from crm_core.store.changes import ChangeSet
from crm_core.store.clock import CLOCK
from crm_core.store.database_queue import DatabaseQueue
from crm_core.store.dispatch import Dispatch, NoPlugins
from crm_core.store.duplicates import Exact, Matcher
from crm_core.store.engine import BEGIN, open_engine, small_cache
from crm_core.store.partitions import moving
from crm_core.store.policy import Policy
from crm_core.store.queue import Queue
from crm_core.store.restricted import watch
from crm_core.store.search.index import SearchIndex
from crm_core.store.session import CrmSession
from crm_core.store.shapes import Shapes
from crm_core.store.statistics import rows_known
from crm_core.store.tables import RECORD_TYPE
from crm_core.store.visibility import WIDE

__all__ = ["Store"]

_COUNT_FOR = 60.0
_COUNTS_KEPT = 10_000
_PROBED = 200
"""A page has 50, and to probe a row takes four times as long as to gather an account: measured, see docs."""


def utc_now() -> dt.datetime:
    """The present moment, by the clock of this machine."""
    return dt.datetime.now(dt.UTC)


class Store:
    """Everything that a build keeps in one database. Thread-safe; sessions are not."""

    def __init__(
        self,
        url: str,
        types: Types,
        policy: Policy | None = None,
        dispatch: Dispatch | None = None,
        *,
        clock: Callable[[], dt.datetime] = utc_now,
        search: Any = None,
    ) -> None:
        self.clock = clock
        self.engine: Engine = open_engine(url)
        if clock is not utc_now:
            # Whoever sets the clock sets that of the queue too.
            self.engine = self.engine.execution_options(**{CLOCK: clock})
        self.types = types
        self.policy = policy or Policy()
        self.shapes = Shapes(types, self.policy)
        self.dispatch: Dispatch = dispatch or NoPlugins()
        self.dialect = self.engine.dialect.name
        self.search = SearchIndex(types, self.dialect, search)
        self._reading = self.engine.execution_options(**{BEGIN: "BEGIN"})
        # One statement needs no transaction around it: to begin and end one are two more ways to PostgreSQL and back.
        asking = {"isolation_level": "AUTOCOMMIT"} if self.dialect == "postgresql" else {BEGIN: ""}
        self._asking = self.engine.execution_options(**asking)
        # On PostgreSQL ranges of ids stand for ranges of time, so that none is kept for long.
        self._ids = ids.IdPool(ids.KEPT if self.dialect == "postgresql" else None)
        self.queue: Queue = DatabaseQueue(self)
        self.jobs: Mapping[str, Any] = {}
        """The jobs of the build by name."""
        watch(types)
        self._references: dict[str, list[Reference]] | None = None
        self._counts: dict[Any, tuple[float, tuple[int, int]]] = {}
        self.matcher: Matcher = Exact()
        self.why_not_loaded: Callable[[str, str], Problem] = not_loaded
        """Says of a record type and its plugin why that is not loaded, and how to change it."""

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    # -- sessions ----------------------------------------------------------------------------------------------

    def session(
        self,
        login: str | None = None,
        *,
        principal: str | None = None,
        reason: str | None = None,
        at: dt.datetime | dt.date | None = None,
        as_of: dt.datetime | dt.date | None = None,
        read_only: bool = False,
        source: str = "session",
        streaming: bool = False,
    ) -> CrmSession:
        """A session of the user ``login``, or of the system ``principal``; a day is its midnight."""
        now = self.clock()
        at, as_of = self.moment("at", at), self.moment("as_of", as_of)
        actor = self.actor(login, now) if login is not None else system_actor(principal or "system")
        looking = read_only or at is not None or as_of is not None
        return CrmSession(
            self,
            actor,
            bind=self._reading if looking else self.engine,
            now=now,
            at=at,
            as_of=as_of,
            reason=reason,
            source=source,
            read_only=read_only,
            streaming=streaming,
        )

    def moment(self, name: str, given: Any) -> dt.datetime | None:
        """A moment that somebody wants to look at."""
        if given is None:
            return None
        if not isinstance(given, dt.date) or (isinstance(given, dt.datetime) and given.tzinfo is None):
            raise ValidationError(
                "{name}={given!r} is no moment.",
                mend="Give a date, or a datetime with a time zone.",
                name=name,
                given=given,
            )
        return moment_of(given, self.policy.tz)

    def actor(self, login: str, now: dt.datetime) -> Actor:
        """The user ``login`` with today's memberships."""
        with self._asking.connect() as connection:
            return load_actor(connection, login, now)

    def id_source(self) -> ids.IdSource:
        """Ids for one session."""
        return ids.IdSource(self._ids)

    def owned_count(self, session: CrmSession) -> int:
        """Roughly how many accounts an actor reaches, counted no further than it matters, remembered for a minute."""
        return self._counted(session)[0]

    def sees_some(self, session: CrmSession) -> bool:
        """Whether an actor reaches so few of all accounts that to gather those costs less than to probe a page of them.

        Of a million accounts that is so up to 14,000, of ten million up to 45,000.
        """
        count, accounts = self._counted(session)
        return count * count < _PROBED * accounts

    def _counted(self, session: CrmSession) -> tuple[int, int]:
        """How many accounts an actor reaches, and about how many there are, 0 where the database does not know."""
        reach = session.visibility.reach("account.read")
        if reach.all:
            return WIDE, 0
        key = (session.actor.user_id, session.actor.places)
        known = self._counts.get(key)
        if known is not None and time.monotonic() - known[0] < _COUNT_FOR:
            return known[1]
        accounts = rows_known(session.core_connection(), Account.crm_type.table.name)
        most = max(WIDE, math.isqrt(_PROBED * accounts) + 1)
        count = 0
        for query in session.visibility.owned_ids():
            limited = query.limit(most).subquery()
            count += session.core(select(func.count()).select_from(limited)).scalar_one()
        if len(self._counts) >= _COUNTS_KEPT:
            self._counts.clear()  # of users who are long gone, and of places that they had
        self._counts[key] = (time.monotonic(), (count, accounts))
        return count, accounts

    def scrub(self) -> None:
        """After an erasure: let nothing remain in the search index, nor a copy of old rows in SQLite's log."""
        self.search.driver.purge(self.engine)
        if self.dialect == "sqlite":
            # By the driver: SQLAlchemy would begin a transaction first, and within one SQLite refuses.
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short transaction that only reads, and keeps no writer waiting."""
        with self._reading.begin() as connection:
            yield connection

    # -- schema ------------------------------------------------------------------------------------------------

    def create_all(self) -> None:
        """Make the tables without migrations: for tests and throw-away databases only."""
        from crm_core.records import link
        from crm_core.store.tables import TECHNICAL_TABLES

        link(self.types)
        with self.engine.begin() as connection:
            for table in TECHNICAL_TABLES:
                table.create(connection, checkfirst=True)
            for record_type in _parents_first(self.types):
                record_type.table.create(connection, checkfirst=True)
        self.migrated()

    def migrated(self) -> None:
        """The schema is as the build wants it: write down the catalogues that outlive its plugins."""
        with alone(self.engine):
            ids.prepare(self.engine)
            moving.prepare(self.engine)
            with self.engine.begin() as connection:
                write_catalogues(connection, self.types, self.policy)
            self.search.prepared(self.engine)
        self._references = None

    def migrated_away(self) -> None:
        """A plugin's tables are gone: forget what was known of them, and let no copy of old rows remain."""
        self._references = None
        self.scrub()

    def unindexed(self) -> list[str]:
        """The record types that the search index does not hold wholly."""
        with self._reading.connect() as connection:
            return sorted(self.search.unready(connection))

    def references_to(self, table: str) -> list[Reference]:
        """All references to a table, of plugins that are switched off too."""
        return self._all_references().get(table, [])

    def extension_tables(self) -> set[str]:
        """The tables of extensions, whose rows have the ids of the records they extend."""
        return {each.table for found in self._all_references().values() for each in found if each.column == "id"}

    def _all_references(self) -> dict[str, list[Reference]]:
        if self._references is None:
            with self._reading.connect() as connection:
                self._references = read_references(connection)
        return self._references

    def find_type(self, name: str) -> RecordType:
        """The record type called ``name``.

        Raises :class:`~crm_core.errors.NotFound`: with the plugin that it belongs to where the database knows it and
        the build does not, and else with the nearest names.
        """
        problem = None if name in self.types else self.not_loaded(name)
        if problem is None:
            return self.types.find(name)
        raise NotFound(problem.problem, mend=problem.mend, **problem.values)

    def not_loaded(self, name: str) -> Problem | None:
        """Why a record type is not in the build that this database was used with, if it was."""
        with self.reading() as connection:
            if not connection.dialect.has_table(connection, RECORD_TYPE.name):
                return None
            plugin = connection.execute(select(RECORD_TYPE.c.plugin).where(RECORD_TYPE.c.name == name)).scalar()
        return None if plugin is None or name in self.types else self.why_not_loaded(name, plugin)

    # -- feed ----------------------------------------------------------------------------------------------------

    def feed_next(self, consumer: str, limit: int) -> list[tuple[feed.Position, ChangeSet]]:
        """The change sets that a consumer has not dealt with, in commit order."""
        with self._reading.begin() as connection:
            return feed.read(connection, self.types, feed.position(connection, consumer), limit)

    def feed_one(self, change_set: int) -> ChangeSet | None:
        """One change set, by its id."""
        with self.reading() as connection:
            return feed.one(connection, self.types, change_set)

    def feed_behind(self, consumers: Collection[str]) -> bool:
        """Whether one of these has yet to be told of a change set, perhaps one that is held back, and does not rest."""
        with self.reading() as connection:
            return feed.behind(connection, consumers)

    def feed_join(self, consumer: str) -> None:
        """A consumer begins with what is committed from now on, unless it has begun already."""
        with self.engine.begin() as connection:
            feed.join(connection, consumer)


def _parents_first(types: Types) -> list[RecordType]:
    from sqlalchemy.schema import sort_tables

    return [types.by_table[table] for table in sort_tables([each.table for each in types.values()])]


@event.listens_for(CrmSession, "do_orm_execute")
def _execute(state: ORMExecuteState) -> Any:
    session = state.session
    assert isinstance(session, CrmSession)
    return session._reading.on_execute(state)


@event.listens_for(CrmSession, "after_begin")
def _begun(session: CrmSession, _transaction: SessionTransaction, connection: Connection) -> None:
    if session.streaming:
        small_cache(connection)


@event.listens_for(CrmSession, "transient_to_pending")
def _pending(session: CrmSession, record: Any) -> None:
    session.on_pending(record)


@event.listens_for(CrmSession, "pending_to_transient")
@event.listens_for(CrmSession, "persistent_to_transient")
def _transient(session: CrmSession, record: Any) -> None:
    session.on_transient(record)


@event.listens_for(CrmSession, "before_flush")
def _flush(session: CrmSession, _context: Any, _instances: Any) -> None:
    session.on_flush()


@event.listens_for(CrmSession, "before_commit")
def _commit(session: CrmSession) -> None:
    session.on_commit()


@event.listens_for(CrmSession, "after_commit")
def _committed(session: CrmSession) -> None:
    if not session.in_nested_transaction():
        session.on_end(committed=True)


@event.listens_for(CrmSession, "after_rollback")
def _rolled_back(session: CrmSession) -> None:
    # SQLAlchemy tells of savepoints, too: those are back_to_mark's.
    if not session.in_nested_transaction():
        session.on_end(committed=False)


@event.listens_for(CrmSession, "after_transaction_create")
def _savepoint(session: CrmSession, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.mark(transaction)


@event.listens_for(CrmSession, "after_transaction_end")
def _ended(session: CrmSession, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.on_transaction_end()


@event.listens_for(CrmSession, "after_soft_rollback")
def _back(session: CrmSession, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.back_to_mark(transaction)
