"""Empty databases for checks: files of SQLite, or databases on a PostgreSQL server that was given."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.pool import NullPool

from crm_core.store.engine import parse_url

__all__ = ["Databases"]


class Databases:
    """Makes databases and takes them away again.

    ``address`` is that of a PostgreSQL database whose user may create others beside it; anything else means files of
    SQLite in ``folder``. A database that ``prepare`` has filled is made once and copied from then on.
    """

    def __init__(self, address: str | None, folder: Path) -> None:
        server = None if address is None else parse_url(make_url(address))
        self._server: URL | None = server if server is not None and server.get_backend_name() == "postgresql" else None
        self._folder = folder
        self._numbers = itertools.count(1)
        self._run = f"crm_verify_{os.getpid()}_{secrets.token_hex(3)}"
        self._templates: dict[str, str] = {}

    @property
    def kind(self) -> str:
        """The name of the product, as people write it."""
        return "SQLite" if self._server is None else "PostgreSQL"

    @contextmanager
    def new(self, template: str = "", prepare: Callable[[str], None] | None = None) -> Iterator[str]:
        """The address of a new database, empty or as ``prepare`` leaves it, which is run once for each ``template``."""
        if prepare is not None and template not in self._templates:
            self._templates[template] = self._make(None)
            prepare(self._templates[template])
        with self.copy(template if prepare is not None else None) as address:
            yield address

    @contextmanager
    def copy(self, template: str | None) -> Iterator[str]:
        """The address of a copy of the database of a ``template`` that was made before; of an empty one for none."""
        copied = None if template is None else self._templates[template]
        address = self._make(copied)
        try:
            yield address
        finally:
            self._drop(address)

    def close(self) -> None:
        """Take away the databases that were copied from."""
        while self._templates:
            self._drop(self._templates.popitem()[1])

    # -- one database ------------------------------------------------------------------------------------------

    def _make(self, copied: str | None) -> str:
        name = f"{self._run}_{next(self._numbers)}"
        if self._server is None:
            path = self._folder / f"{name}.db"
            if copied is not None:
                source = make_url(copied).database
                assert source is not None
                shutil.copyfile(source, path)
            return f"sqlite:///{path}"
        template = "" if copied is None else f' TEMPLATE "{make_url(copied).database}"'
        self._execute(f'CREATE DATABASE "{name}"{template}')
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _drop(self, address: str) -> None:
        database = make_url(address).database
        assert database is not None
        if self._server is not None:
            self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            return
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(database + suffix).unlink(missing_ok=True)

    def _execute(self, statement: str) -> None:
        # Both statements are refused inside a transaction.
        assert self._server is not None
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()
