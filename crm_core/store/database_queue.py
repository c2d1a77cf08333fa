"""The built-in queue: jobs are rows of the CRM's own database, taken under a lease."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from crm_core.errors import UnsupportedStatement, ValidationError
from crm_core.store.backoff import MOST_PAUSE
from crm_core.store.clock import database_now
from crm_core.store.queue import STATES, LeaseLost, QueuedJob, State, Terms
from crm_core.store.tables import JOB

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_core.store.session import CrmSession
    from crm_core.store.store import Store

__all__ = ["DatabaseQueue", "open_queue"]

_C = JOB.c
# Spelt out rather than bound: the database must see, also in a prepared statement, which partial index fits.
_WAITING, _RUNNING = (_C.state == literal_column(f"'{state}'") for state in ("waiting", "running"))
_AT_ONCE = 100


def open_queue(crm: Any) -> DatabaseQueue:
    """The driver ``database`` of the kind ``queue``."""
    return DatabaseQueue(crm.store)


class DatabaseQueue:
    """See :class:`crm_core.store.queue.Queue`. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # -- in the transaction of a session -----------------------------------------------------------------------

    def put(
        self,
        session: CrmSession,
        name: str,
        arguments: Mapping[str, Any],
        *,
        at: dt.datetime | None = None,
        key: str | None = None,
        occurrence: dt.datetime | None = None,
        dead: str | None = None,
    ) -> int:
        """Put a job in, with the session's transaction."""
        if session.read_only or session.at_given or session.as_of is not None:
            raise UnsupportedStatement("This session only reads, so it can ask for no job.", mend="Open another one.")
        encoded = _encoded(name, arguments)
        connection = session.core_connection()
        if occurrence is not None:
            made = select(_C.id).where(_C.name == name, _C.occurrence == occurrence)
            known: int | None = connection.execute(made).scalar()
            if known is not None:
                return known
        now = database_now(connection)
        values = {
            "id": session.next_id(), "name": name, "key": key, "arguments": encoded,
            "occurrence": occurrence, "state": "waiting", "run_at": at or now, "attempts": 0, "created_at": now,
            "touched_at": now,
        }  # fmt: skip
        if dead is not None:
            values |= {"state": "dead", "last_error": dead, "finished_at": now}
        make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement: Any = make(JOB).values(**values)
        if key is not None and dead is None:
            # An update, though it may change nothing: so the waiting job is locked, and a worker that takes it has
            # seen what this transaction wrote.
            new = statement.excluded.run_at
            # One that has failed keeps its pause.
            sooner = case((and_(_C.attempts == 0, new < _C.run_at), new), else_=_C.run_at)
            statement = statement.on_conflict_do_update(
                index_elements=["name", "key"], index_where=_WAITING, set_={"run_at": sooner}
            )
        id_: int = connection.execute(statement.returning(_C.id)).scalar_one()
        return id_

    def begin(self, job: QueuedJob, session: CrmSession) -> None:
        """Let the session's commit mark the job done."""
        connection = session.core_connection()
        # On SQLite this session holds the write lock from here on, so that nobody can take the job meanwhile.
        if connection.execute(select(_C.id).where(_held(job))).first() is None:
            raise _lost(job)

        def close(connection: Connection) -> None:
            if not _finish(connection, job):
                raise _lost(job)

        session.at_commit(close)

    def tidy(self, session: CrmSession, before: dt.datetime) -> int:
        """Forget jobs that were done or dropped before this moment."""
        gone = delete(JOB).where(_C.state.in_(("done", "dropped")), _C.finished_at < before)
        return session.core_connection().execute(gone).rowcount

    # -- of the worker -----------------------------------------------------------------------------------------

    def take(self, worker: str, terms: Mapping[str, Terms], *, only: int | None = None) -> QueuedJob | None:
        """The longest due job among those named in ``terms`` becomes the worker's."""
        twin = JOB.alias()
        busy = exists().where(twin.c.state == literal_column("'running'"), twin.c.name == _C.name, twin.c.key == _C.key)
        free = and_(_WAITING, _C.name.in_(sorted(terms)), ~busy)
        if only is not None:
            free = and_(free, _C.id == only)

        def due(connection: Connection, now: dt.datetime) -> Any:
            timely = free if only is not None else and_(free, _C.run_at <= now)
            query = select(JOB).where(timely).order_by(_C.run_at, _C.id).limit(1)
            return connection.execute(query.with_for_update(skip_locked=True, of=JOB)).first()

        # On SQLite a look costs nobody anything; taking stops all other writers.
        if self._store.dialect == "sqlite":
            with self._reading() as connection:
                if due(connection, database_now(connection)) is None:
                    return None
        while True:
            try:
                with self._writing() as connection:
                    now = database_now(connection)
                    row = due(connection, now)
                    if row is None:
                        return None
                    taken = (
                        update(JOB)
                        .where(_C.id == row.id)
                        .values(state="running", worker=worker, attempts=row.attempts + 1, started_at=now,
                                touched_at=now, lease_until=now + dt.timedelta(seconds=terms[row.name].lease))
                        .returning(JOB)
                    )  # fmt: skip
                    return _job(connection.execute(taken).one())
            except IntegrityError:
                # Its twin began between the look and the taking; the next look sees that.
                continue

    def renew(self, job: QueuedJob, terms: Terms) -> bool:
        """The worker is alive: its lease begins anew."""
        with self._writing() as connection:
            now = database_now(connection)
            until = now + dt.timedelta(seconds=terms.lease)
            return _changed(connection, _held(job), lease_until=until, touched_at=now)

    def done(self, job: QueuedJob) -> bool:
        """The job is done."""
        with self._writing() as connection:
            return _finish(connection, job)

    def failed(self, job: QueuedJob, error: str, again: dt.timedelta | None) -> bool:
        """The job failed, to be run again after a pause, or never."""
        with self._writing() as connection:
            now = database_now(connection)
            row = connection.execute(select(JOB).where(_held(job)).with_for_update()).first()
            if row is not None:
                _set_aside(connection, row, error, now, None if again is None else now + again)
            return row is not None

    def recover(self, terms: Mapping[str, Terms]) -> Sequence[QueuedJob]:
        """Take back the jobs of workers that went silent."""

        def silent(connection: Connection, now: dt.datetime) -> Any:
            query = select(JOB).where(_RUNNING, or_(_C.lease_until <= now, _C.touched_at > now)).limit(_AT_ONCE)
            return connection.execute(query.with_for_update(skip_locked=True)).all()

        with self._reading() as connection:
            if not silent(connection, database_now(connection)):
                return []
        ids = []
        with self._writing() as connection:
            now = database_now(connection)
            for row in silent(connection, now):
                if row.lease_until > now:
                    # The clock was set back since: its worker may be alive, and gets one lease to show it.
                    _changed(connection, _C.id == row.id, lease_until=now + (row.lease_until - row.touched_at),
                             touched_at=now)  # fmt: skip
                    continue
                last = row.name in terms and row.attempts >= terms[row.name].attempts
                error = f"The worker {row.worker} went silent while it ran this job."
                _set_aside(connection, row, error, now, None if last else now)
                ids.append(row.id)
        return self.find(ids=ids)

    def mend_clock(self) -> int:
        """After the clock was set back: let nobody wait for a moment that was near and is far now."""
        with self._writing() as connection:
            now = database_now(connection)
            mended = 0
            for row in connection.execute(select(JOB).where(_WAITING, _C.touched_at > now, _C.run_at > now)).all():
                # Whoever asked for a certain moment meant that moment; "at once" and a pause were counted from then.
                asked = row.attempts == 0 and row.run_at > row.touched_at
                due = row.run_at if asked else now + min(row.run_at - row.touched_at, MOST_PAUSE)
                _changed(connection, and_(_C.id == row.id, _WAITING), run_at=due, touched_at=now)
                mended += not asked
            return mended

    def next_at(self, names: Collection[str]) -> dt.datetime | None:
        """When the next job of these names is due."""
        query = select(_C.run_at).where(_WAITING, _C.name.in_(sorted(names))).order_by(_C.run_at, _C.id).limit(1)
        with self._reading() as connection:
            at: dt.datetime | None = connection.execute(query).scalar()
            return at

    def now(self) -> dt.datetime:
        """The present moment by the database's clock."""
        with self._reading() as connection:
            return database_now(connection)

    # -- of people ---------------------------------------------------------------------------------------------

    def find(
        self, *, states: Collection[State] = STATES, ids: Collection[int] | None = None, limit: int = 50
    ) -> Sequence[QueuedJob]:
        """Jobs by state or id: those that wait by when they are due, the others from the latest."""
        query = select(JOB).where(_C.state.in_(sorted(states)))
        if ids is not None:
            query = query.where(_C.id.in_(sorted(ids)))
        elif set(states) == {"waiting"}:
            query = query.order_by(_C.run_at, _C.id)
        elif "running" in states or "waiting" in states:
            query = query.order_by(_C.touched_at.desc(), _C.id.desc())
        else:
            # There may be very many, so it must be the order of an index.
            query = query.where(_C.finished_at.is_not(None)).order_by(_C.finished_at.desc(), _C.id.desc())
        with self._reading() as connection:
            rows = connection.execute(query if ids is not None else query.limit(limit)).all()
        return [_job(row) for row in rows]

    def counts(self, states: Collection[State] = STATES) -> Mapping[tuple[str, State], int]:
        """How many jobs there are in these states, by name and state."""
        query = select(_C.name, _C.state, func.count()).group_by(_C.name, _C.state).order_by(_C.name, _C.state)
        query = query.where(_WAITING if set(states) == {"waiting"} else _C.state.in_(sorted(states)))
        with self._reading() as connection:
            return {(name, state): count for name, state, count in connection.execute(query)}

    def retry(self, ids: Collection[int] | None) -> Sequence[QueuedJob]:
        """Dead jobs wait again, and waiting ones are due now."""
        wanted = _C.state == "dead" if ids is None else and_(_C.id.in_(sorted(ids)), _C.state.in_(("dead", "waiting")))
        found = []
        with self._writing() as connection:
            now = database_now(connection)
            for row in connection.execute(select(JOB).where(wanted).order_by(_C.id).with_for_update()).all():
                if row.state == "dead":
                    _wait(connection, row, now, attempts=0, run_at=now, finished_at=None)
                else:
                    _changed(connection, _C.id == row.id, run_at=now, touched_at=now)
                found.append(row.id)
        return self.find(ids=found)

    def drop(self, id_: int, note: str) -> bool:
        """A dead or waiting job is not to be run any more."""
        with self._writing() as connection:
            now = database_now(connection)
            mine = and_(_C.id == id_, _C.state.in_(("dead", "waiting")))
            return _changed(connection, mine, state="dropped", note=note, finished_at=now, touched_at=now)

    # -- transactions ------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._store.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._store.engine.begin() as connection:
            yield connection


def _held(job: QueuedJob) -> ColumnElement[bool]:
    """That the job is still the worker's, in this very attempt."""
    return and_(_C.id == job.id, _RUNNING, _C.worker == job.worker, _C.attempts == job.attempts)


def _lost(job: QueuedJob) -> LeaseLost:
    return LeaseLost(
        "The job {id} ({name}) is no longer this worker's.",
        mend="Another worker does it; a longer lease gives slow jobs more time.",
        id=job.id,
        name=job.name,
    )


def _changed(connection: Connection, where: ColumnElement[bool], **values: Any) -> bool:
    return connection.execute(update(JOB).where(where).values(**values)).rowcount == 1


def _finish(connection: Connection, job: QueuedJob) -> bool:
    now = database_now(connection)
    return _changed(connection, _held(job), state="done", finished_at=now, touched_at=now, lease_until=None,
                    last_error=None)  # fmt: skip


def _set_aside(connection: Connection, row: Any, error: str, now: dt.datetime, again: dt.datetime | None) -> None:
    """A running job, whose row is locked, waits for its next attempt or is dead."""
    if again is not None:
        _wait(connection, row, now, run_at=again, last_error=error)
    else:
        _changed(connection, _C.id == row.id, state="dead", last_error=error, finished_at=now, touched_at=now,
                 lease_until=None)  # fmt: skip


def _wait(connection: Connection, row: Any, now: dt.datetime, **values: Any) -> None:
    """A job, whose row is locked, waits again; if another one with its key waits already, that one stands for both."""
    values = {"state": "waiting", "touched_at": now, "lease_until": None, "worker": None, **values}
    same = and_(_WAITING, _C.name == row.name, _C.key == row.key)
    while True:
        try:
            with connection.begin_nested():
                _changed(connection, _C.id == row.id, **values)
            return
        except IntegrityError:
            twin = connection.execute(select(JOB).where(same).with_for_update()).first()
        if twin is not None:
            # It is the same work: it has failed as often, and must not be tried sooner.
            _changed(connection, _C.id == twin.id, attempts=max(twin.attempts, values.get("attempts", row.attempts)),
                     run_at=max(twin.run_at, values["run_at"]), last_error=values.get("last_error", row.last_error),
                     touched_at=now)  # fmt: skip
            _changed(connection, _C.id == row.id, state="dropped", note=f"Job {twin.id} does the same work.",
                     finished_at=now, touched_at=now, lease_until=None)  # fmt: skip
            return


def _encoded(name: str, arguments: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(arguments), ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValidationError(
            "The arguments of the job {name} cannot be kept: {reason}.",
            mend="Give texts, whole numbers, true, false, lists and tables; ids rather than records.",
            name=name,
            reason=str(error),
        ) from None


def _job(row: Any) -> QueuedJob:
    values = {name: getattr(row, name) for name in _FIELDS}
    return QueuedJob(**{**values, "arguments": json.loads(row.arguments)})


_FIELDS = tuple(each for each in QueuedJob.__annotations__)
