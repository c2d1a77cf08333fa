"""Where a copy is put: a database that is empty, or is replaced as a whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import attrs
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from crm_core.store.copies.contents import Contents, Tell, quiet
from crm_core.store.copies.placing import Workplace
from crm_core.store.copies.source import Facts
from crm_core.store.engine import open_engine, parse_url

__all__ = ["Target", "target"]


class Target(Protocol):
    """A place for a copy."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    def workplace(self) -> AbstractContextManager[Workplace]:
        """A folder for the file that is put there, until it is."""

    def is_empty(self) -> bool:
        """Whether no table is there; a database that does not exist is empty."""

    def put(self, file: Path, contents: Contents, of: Facts, tell: Tell = quiet, *, replace: bool = False) -> None:
        """Put a file of the workplace there, compare it, and set what a new place makes necessary.

        ``replace`` takes away what is there. Raises :class:`~crm_core.errors.StoreError`; nothing has changed then.
        """


def target(address: str | URL) -> Target:
    """The place at an address."""
    url = parse_url(address)
    if url.get_backend_name() == "sqlite":
        from crm_core.store.copies.sqlite import file_of

        # A link stays one: whoever names the file that it leads to must find the new one, too.
        return _SqliteTarget(file_of(url).resolve())
    return _PostgresqlTarget(url)


@attrs.frozen
class _SqliteTarget:
    file: Path
    dialect: str = "sqlite"

    def workplace(self) -> AbstractContextManager[Workplace]:
        return Workplace.beside(self.file)

    def is_empty(self) -> bool:
        from crm_core.store.copies.sqlite import is_empty

        return is_empty(self.file)

    def put(self, file: Path, contents: Contents, of: Facts, tell: Tell = quiet, *, replace: bool = False) -> None:
        from crm_core.store.copies import sqlite

        sqlite.check_file(file, contents, tell)
        sqlite.mend_ids(file)
        sqlite.put(file, self.file)


@attrs.frozen
class _PostgresqlTarget:
    url: URL
    dialect: str = "postgresql"

    @contextmanager
    def workplace(self) -> Iterator[Workplace]:
        # A run that is killed leaves all customers there: the next one tidies up.
        with Workplace.beside(Path(tempfile.gettempdir()) / "crm-restore") as workplace:
            yield workplace

    def is_empty(self) -> bool:
        from crm_core.store.copies.contents import postgresql_tables

        if not self._exists():
            return True
        engine = open_engine(self.url, poolclass=NullPool)
        try:
            with engine.connect() as connection:
                return not postgresql_tables(connection)
        finally:
            engine.dispose()

    def put(self, file: Path, contents: Contents, of: Facts, tell: Tell = quiet, *, replace: bool = False) -> None:
        from crm_core.store.copies.rebuilding import rebuild
        from crm_core.store.copies.scratch import administering, make

        if not self._exists():
            with administering(self.url) as connection:
                make(connection, self.url, str(self.url.database))
        rebuild(self.url, file, contents, tell, clear=replace, elsewhere=self._is_other_server(of))

    def _exists(self) -> bool:
        from crm_core.store.copies.scratch import administering

        try:
            with administering(self.url) as connection:
                query = text("SELECT count(*) FROM pg_database WHERE datname = :name")
                return bool(connection.execute(query, {"name": self.url.database}).scalar())
        except OperationalError:
            return True  # connecting says what is wrong

    def _is_other_server(self, of: Facts) -> bool:
        from crm_core.store.copies.postgresql import facts_of

        engine = open_engine(self.url, poolclass=NullPool)
        try:
            with engine.connect() as connection:
                system = facts_of(connection).system
                return not system or system != of.system
        finally:
            engine.dispose()
