"""PostgreSQL databases made for a while beside another one, and gone afterwards; also those of runs that were killed.

A run that is killed cannot drop its database. The next one does: each run holds a lock with the number of its database
on a connection of its own, and whoever gets that lock knows that nobody works there any more.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from crm_core.errors import StoreError
from crm_core.store.copies.contents import quoted
from crm_core.store.engine import open_engine

__all__ = ["administering", "make", "may_create", "scratch"]

_ADMINISTRATION = "postgres"
# "crm" in ASCII: our locks among those of other applications.
_LOCK = 0x63726D


def may_create(connection: Connection) -> bool:
    """Whether the user may create databases."""
    query = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    return bool(connection.exec_driver_sql(query).scalar())


@contextmanager
def administering(url: URL) -> Iterator[Connection]:
    """A connection outside of transactions to the server of a database, and to that database only if there must be."""
    last: OperationalError | None = None
    for name in (_ADMINISTRATION, url.database):
        engine = open_engine(url.set(database=name), poolclass=NullPool)
        try:
            connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except OperationalError as error:
            last = error
            engine.dispose()
            continue
        try:
            with connection:
                yield connection
        finally:
            engine.dispose()
        return
    assert last is not None
    raise last


@contextmanager
def scratch(url: URL, purpose: str, *, template: bool = False, keep: bool = False) -> Iterator[URL]:
    """A database for a while: empty, or a copy of the one at ``url`` (``template``), which nobody may be using then.

    ``keep`` leaves it where it is. Raises :class:`~crm_core.errors.StoreError` without the right to create databases.
    """
    with administering(url) as connection:
        if not may_create(connection):
            raise StoreError(
                "The user {user} may not create databases, so there is no place for a copy.",
                mend="Let an administrator of the server run: ALTER ROLE {quoted} CREATEDB.",
                user=str(url.username),
                quoted=quoted(str(url.username)),
            )
        number = connection.execute(
            text("SELECT oid::bigint FROM pg_database WHERE datname = :name"), {"name": url.database}
        ).scalar_one()
        prefix = f"{purpose}_{number}_"
        _tidy(connection, prefix)
        mark = secrets.randbelow(2**31)
        # A copy that is to stay has another name, or the next run would take it for a forgotten one.
        name = f"{purpose}_kept_{mark}" if keep else f"{prefix}{mark}"
        connection.execute(text("SELECT pg_advisory_lock(:space, :mark)"), {"space": _LOCK, "mark": mark})
        made = False
        try:
            make(connection, url, name, template=template)
            made = True
            yield url.set(database=name)
        finally:
            if made and not keep:
                connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")


def make(connection: Connection, like: URL, name: str, *, template: bool = False) -> None:
    """Create a database: a copy of ``like``, or an empty one with its encoding."""
    if template:
        connection.exec_driver_sql(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(str(like.database))}")
        return
    query = text("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = :name")
    encoding = connection.execute(query, {"name": like.database}).scalar() or "UTF8"
    connection.exec_driver_sql(f"CREATE DATABASE {quoted(name)} TEMPLATE template0 ENCODING '{encoding}'")


def _tidy(connection: Connection, prefix: str) -> None:
    names = connection.execute(
        text("SELECT datname FROM pg_database WHERE datname LIKE :like AND pg_get_userbyid(datdba) = current_user"),
        {"like": prefix.replace("_", "\\_") + "%"},
    ).scalars()
    for name in list(names):
        mark = name.removeprefix(prefix)
        if not mark.isdigit():
            continue
        lock = {"space": _LOCK, "mark": int(mark)}
        if connection.execute(text("SELECT pg_try_advisory_lock(:space, :mark)"), lock).scalar():
            with suppress(OperationalError):
                connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
            connection.execute(text("SELECT pg_advisory_unlock(:space, :mark)"), lock)
