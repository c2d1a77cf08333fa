"""What a plugin breaks while it is asked is mended before anybody else goes on.

PostgreSQL refuses everything in a transaction after it has refused one statement, and SQLAlchemy rolls a transaction
back in which it could not write. So each part is asked behind a savepoint.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy.orm import SessionTransaction

    from crm_core.store.session import CrmSession

__all__ = ["Apart", "apart"]

_NAME = "crm_apart"


class Apart(Protocol):
    """Gives what stands around each part; whatever is raised in it, the session can be used afterwards."""

    def part(self) -> Any:
        """The context of one part. What was pending before is written by this: an error in that is not the part's."""

    def whole(self) -> bool:
        """Whether what was written before the part is still to be committed with what follows."""

    def end(self) -> None:
        """All parts were asked."""


def apart(session: CrmSession) -> Apart:
    """What asks plugins one after the other in this session."""
    if not session.read_only or session.new or session.dirty or session.deleted:
        return _Writing(session)
    return _Looking(session)


class _Writing:
    """A savepoint of SQLAlchemy for each part, which takes back what it wrote; it begins with its first statement."""

    def __init__(self, session: CrmSession) -> None:
        self.session = session
        self.transaction: SessionTransaction | None = None

    def part(self) -> SessionTransaction:
        savepoint = self.session.begin_nested()
        self.transaction = self.session.get_transaction()
        return savepoint

    def whole(self) -> bool:
        return self.session.get_transaction() is self.transaction

    def end(self) -> None:
        pass


class _Looking:
    """Where nothing is written, one savepoint serves all parts: who looks should hardly pay for what never happens.

    SQLite goes on after a statement that it refused, and needs none.
    """

    def __init__(self, session: CrmSession) -> None:
        self.session = session
        self.needed = session.dialect == "postgresql"
        self.transaction: SessionTransaction | None = None

    def part(self) -> _Looking:
        # A part may have ended the transaction, and the savepoint with it.
        if self.needed and (self.transaction is None or not self._there):
            self.session._about_savepoint("SAVEPOINT", _NAME)
            self.transaction = self.session.get_transaction()
        return self

    def whole(self) -> bool:
        return True

    def end(self) -> None:
        if self.needed and self._there:
            self.session._about_savepoint("RELEASE SAVEPOINT", _NAME)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception):
            return
        self._forget()
        if self.needed and self._there:
            self.session._about_savepoint("ROLLBACK TO SAVEPOINT", _NAME)
        elif self.needed:
            self.session.rollback()

    @property
    def _there(self) -> bool:
        return self.transaction is not None and self.session.get_transaction() is self.transaction

    def _forget(self) -> None:
        """What a part wanted to write cannot be, and would be tried again with each statement that follows."""
        session = self.session
        for record in (*session.deleted, *session.dirty):
            session.add(record)  # no longer to be deleted
            session.expire(record)
        for record in tuple(session.new):
            session.expunge(record)
