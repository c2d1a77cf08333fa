"""Ids from blocks: 64-bit integers, unique over all record types, known before anything is written."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy import Engine, column, func, insert, select, table, text, union_all, update

from crm_core.store.tables import CHANGE_SET, ID_BLOCK, JOB, RECORD_TYPE

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["BLOCK", "KEPT", "IdPool", "IdSource"]

BLOCK = 1000
"""Ids taken from the database at once; also the increment of the PostgreSQL sequence."""

KEPT = 86_400.0
"""For so many seconds a pool keeps ids, where those that are taken later must be higher."""

_NAME = "record"


class IdPool:
    """Ids of committed blocks that nobody has used, shared by the sessions of one process.

    With ``kept``, what is left is thrown away so many seconds after the pool was empty: a process that has little to
    write would else give out the ids of last year.
    """

    def __init__(self, kept: float | None = None) -> None:
        self._lock = threading.Lock()
        self._ranges: list[range] = []
        self._process = os.getpid()
        self._kept = kept
        self._since = time.monotonic()

    def _fit(self) -> None:
        """Leave out what is not to be given out: a forked process inherits its parent's, and old ones stay unused."""
        if self._process != os.getpid():
            self._ranges, self._process = [], os.getpid()
        now = time.monotonic()
        if self._kept is not None and now - self._since > self._kept:
            self._ranges.clear()
        if not self._ranges:
            self._since = now

    def take(self, count: int) -> list[range]:
        """Up to ``count`` ids."""
        taken: list[range] = []
        with self._lock:
            self._fit()
            while count and self._ranges:
                part = self._ranges.pop()
                taken.append(part[:count])
                if len(part) > count:
                    self._ranges.append(part[count:])
                count -= len(taken[-1])
        return taken

    def take_run(self, count: int) -> range | None:
        """``count`` ids in a row, if there are."""
        with self._lock:
            self._fit()
            for index, part in enumerate(self._ranges):
                if len(part) >= count:
                    self._ranges[index] = part[count:]
                    if len(part) == count:
                        del self._ranges[index]
                    return part[:count]
        return None

    def give(self, ranges: list[range]) -> None:
        """Take back ids that are certainly ours and unused."""
        with self._lock:
            self._fit()
            self._ranges.extend(part for part in ranges if part)


class IdSource:
    """The ids of one session.

    On SQLite a block is written in the session's own transaction; it reaches the shared pool only after the commit,
    because a rolled-back block would be given out again by another process.
    """

    def __init__(self, pool: IdPool) -> None:
        self._pool = pool
        self._fresh: list[range] = []
        self._end = 0
        self.uncertain = False
        """Whether a block may be lost to a savepoint, so that :meth:`secure` is needed before the commit."""

    def ready(self) -> int | None:
        """One id that is at hand without asking the database, if there is one."""
        if not self._fresh:
            return None
        part = self._fresh[-1]
        if len(part) == 1:
            self._fresh.pop()
        else:
            self._fresh[-1] = part[1:]
        return part[0]

    def next(self, connection: Connection) -> int:
        """One id."""
        if not self._fresh:
            self._fresh = self._pool.take(16) or [self._new_block(connection)]
        part = self._fresh[-1]
        if len(part) == 1:
            self._fresh.pop()
        else:
            self._fresh[-1] = part[1:]
        return part[0]

    def many(self, connection: Connection, count: int) -> range:
        """``count`` ids in a row; at most :data:`BLOCK`."""
        if self._fresh and len(self._fresh[-1]) >= count:
            part = self._fresh.pop()
        else:
            part = self._pool.take_run(count) or self._new_block(connection)
        if len(part) > count:
            self._fresh.append(part[count:])
        return part[:count]

    def _new_block(self, connection: Connection) -> range:
        self.secure(connection)
        part = _block(connection)
        self._end = part.stop
        return part

    def savepoint_lost(self) -> None:
        """A savepoint was rolled back, and with it perhaps the block that this session gives ids from."""
        self.uncertain = self._end > 0

    def secure(self, connection: Connection) -> None:
        """Make sure, before the commit or another block, that no id of this session is ever given out again."""
        if self.uncertain and connection.dialect.name == "sqlite":
            later = ID_BLOCK.c.name == _NAME
            if connection.execute(select(ID_BLOCK.c.next).where(later)).first() is None:
                connection.execute(insert(ID_BLOCK).values(name=_NAME, next=self._end))
            else:
                connection.execute(update(ID_BLOCK).where(later, ID_BLOCK.c.next < self._end).values(next=self._end))
        self.uncertain = False

    def committed(self) -> None:
        """The transaction stands: unused ids may serve other sessions."""
        self._pool.give(self._fresh)
        self._reset()

    def rolled_back(self) -> None:
        """The transaction is gone, and with it every block it took."""
        self._reset()

    def _reset(self) -> None:
        self._fresh, self._end, self.uncertain = [], 0, False


def _block(connection: Connection) -> range:
    if connection.dialect.name == "postgresql":
        start = connection.execute(text("SELECT nextval('crm_id_seq')")).scalar_one()
        return range(start, start + BLOCK)
    statement = (
        update(ID_BLOCK).where(ID_BLOCK.c.name == _NAME).values(next=ID_BLOCK.c.next + BLOCK).returning(ID_BLOCK.c.next)
    )
    after = connection.execute(statement).scalar()
    if after is None:
        connection.execute(insert(ID_BLOCK).values(name=_NAME, next=1 + BLOCK))
        after = 1 + BLOCK
    return range(after - BLOCK, after)


def prepare(engine: Engine) -> None:
    """Make the sequence where the database has them, above every id that is used; harmless when repeated.

    PostgreSQL writes a sequence ahead into its log. A database that was made by ``CREATE DATABASE ... TEMPLATE`` has
    that of the template in it, and so a server that stops at once before its next checkpoint gives out again what it
    gave out since the copy.
    """
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SEQUENCE IF NOT EXISTS crm_id_seq START 1 INCREMENT {BLOCK}"))
            highest = _highest(connection)
            # Others may take blocks meanwhile: it only moves where all that they get would be used already.
            connection.execute(
                text(
                    "SELECT setval('crm_id_seq', :highest + 1, false) FROM crm_id_seq"
                    " WHERE CASE WHEN is_called THEN last_value + :block ELSE last_value END <= :highest"
                ),
                {"highest": highest, "block": BLOCK},
            )


def _highest(connection: Connection) -> int:
    """The highest id in use, also by records of plugins that are not in the build."""
    known = select(RECORD_TYPE.c.table).where(func.to_regclass(func.quote_ident(RECORD_TYPE.c.table)).is_not(None))
    tables = sorted({*connection.execute(known).scalars(), CHANGE_SET.name, JOB.name})
    parts = [select(func.max(table(name, column("id")).c.id).label("id")) for name in tables]
    return connection.execute(select(func.max(union_all(*parts).subquery().c.id))).scalar() or 0


def used(connection: Connection) -> bool:
    """Whether any id was ever given out."""
    if connection.dialect.name == "postgresql":
        return bool(connection.execute(text("SELECT is_called FROM crm_id_seq")).scalar())
    return connection.execute(select(ID_BLOCK.c.next)).first() is not None
