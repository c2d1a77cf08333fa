"""Copies of PostgreSQL databases: dumps by ``pg_dump``, put back by ``pg_restore`` and ``psql`` in one transaction."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from crm_core.errors import StoreError
from crm_core.store.copies import programs
from crm_core.store.copies.contents import Contents, Tell, postgresql_contents, postgresql_tables, quiet, quoted
from crm_core.store.copies.scratch import may_create, scratch
from crm_core.store.copies.source import Facts, Keyed, Verified
from crm_core.store.engine import open_engine
from crm_core.store.migrating.revisions import VERSION_PREFIX

__all__ = ["PostgresqlSource", "facts_of"]

_CHUNK = 1 << 20
_ROWS = 2000
_LISTED = r"^\d+; \d+ \d+ TABLE DATA (\S+) (\S+) "

_KEY = """
SELECT a.attname::text
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
 WHERE i.indrelid = CAST(:table AS regclass) AND i.indisprimary
 ORDER BY array_position(CAST(i.indkey AS smallint[]), a.attnum)
"""
_NUMBERS = """
SELECT a.attname::text
  FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
 WHERE a.attrelid = CAST(:table AS regclass) AND a.attnum > 0 AND t.typcategory = 'N'
"""
_PARTITIONS = """
SELECT p.relname::text, n.nspname || '.' || c.relname
  FROM pg_catalog.pg_inherits AS i
  JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent AND p.relkind = 'p'
  JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relkind = 'r'
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
"""


def facts_of(connection: Connection) -> Facts:
    """Version and identity of the server; the latter is empty where we may not know it."""
    version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    system = ""
    with suppress(DBAPIError), connection.begin_nested():  # a server may keep it to its administrators
        system = str(connection.exec_driver_sql("SELECT system_identifier FROM pg_control_system()").scalar_one())
    return Facts("postgresql", str(version).split()[0], system)


def major_of(version: str) -> int:
    """The major version, by which programs and servers fit together."""
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0


@attrs.frozen
class PostgresqlSource:
    """One moment of a PostgreSQL database: a snapshot that ``pg_dump`` is given, too."""

    url: URL
    facts: Facts
    _connection: Connection
    _snapshot: str

    @classmethod
    @contextmanager
    def of(cls, url: URL) -> Iterator[PostgresqlSource]:
        """Hold a moment by a transaction that only reads."""
        engine = open_engine(url, poolclass=NullPool)
        try:
            with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
                facts = facts_of(connection)
                snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
                yield cls(url, facts, connection, snapshot)
                connection.rollback()
        finally:
            engine.dispose()

    def contents(self, tell: Tell = quiet) -> Contents:
        """What the tables hold at this moment."""
        return postgresql_contents(self._connection, tell)

    def key(self, table: str) -> tuple[str, ...]:
        """The columns of the primary key, in its order."""
        written = postgresql_tables(self._connection)[table][0]
        return tuple(self._connection.execute(text(_KEY), {"table": written}).scalars())

    def rows(self, table: str, key: Sequence[str], columns: Sequence[str]) -> Iterator[Keyed]:
        """All rows in the order of their keys."""
        written = postgresql_tables(self._connection)[table][0]
        numbers = set(self._connection.execute(text(_NUMBERS), {"table": written}).scalars())
        # Collations of a server sort texts in ways that nobody here can repeat.
        by = [quoted(each) if each in numbers else f'CAST({quoted(each)} AS text) COLLATE "C"' for each in key]
        listed = ", ".join((*by, *map(quoted, columns)))
        order = ", ".join(str(number) for number in range(1, len(key) + 1))
        answer = self._connection.execution_options(stream_results=True, yield_per=_ROWS).exec_driver_sql(
            f"SELECT {listed} FROM {written} ORDER BY {order}".replace("%", "%%")  # noqa: S608 - names, quoted
        )
        for row in answer:
            values = tuple(row)
            yield values[: len(key)], values[len(key) :]

    def filled(self, table: str, columns: Sequence[str]) -> dict[str, int]:
        """How many values columns have."""
        if not columns:
            return {}
        written = postgresql_tables(self._connection)[table][0]
        counted = ", ".join(f"count({quoted(each)})" for each in columns)
        statement = f"SELECT {counted} FROM {written}".replace("%", "%%")  # noqa: S608
        return dict(zip(columns, self._connection.exec_driver_sql(statement).one(), strict=True))

    def revisions(self) -> dict[str, str]:
        """The revision of every plugin."""
        found = {}
        for name, (written, _) in postgresql_tables(self._connection).items():
            if name.startswith(VERSION_PREFIX):
                version = self._connection.exec_driver_sql(f"SELECT version_num FROM {written}").scalar()  # noqa: S608
                if version is not None:
                    found[name.removeprefix(VERSION_PREFIX)] = version
        return found

    def write(self, file: Path, tell: Tell = quiet) -> None:
        """Dump this moment."""
        from crm_core.store.copies.placing import flush

        dump = programs.find("pg_dump", major_of(self.facts.version))
        size = int(self._connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
        command = [str(dump), "--format=custom", "--no-password", f"--snapshot={self._snapshot}"]
        # We write what it says: were it to write by itself, it would go on for hours after we are killed, into a file
        # that somebody has tidied up meanwhile. Without a reader it ends.
        process = subprocess.Popen(
            command, env=programs.environment(self.url), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        said: list[bytes] = []
        assert process.stdout is not None and process.stderr is not None
        reader = threading.Thread(target=lambda: said.append(process.stderr.read() if process.stderr else b""))
        reader.start()
        try:
            with file.open("wb") as out:
                written = 0
                while chunk := process.stdout.read(_CHUNK):
                    written += out.write(chunk)
                    # What is written is compressed, so this is a sign of life and no measure.
                    tell("copying", min(written, size), size)
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            process.wait()
            reader.join()
            process.stderr.close()
        if process.returncode:
            raise programs.complaint("pg_dump", b"".join(said))
        tell("copying", size, size)
        flush(file)

    def verify(self, file: Path, contents: Contents, tell: Tell = quiet) -> Verified:
        """Restore a dump into a database of its own, where we may make one; else read it whole."""
        from crm_core.store.copies.rebuilding import rebuild

        if may_create(self._connection):
            with scratch(self.url, "crm_check") as database:
                rebuild(database, file, contents, tell)
            return "restored"
        self._read_whole(file, contents)
        return "listed"

    def _read_whole(self, file: Path, contents: Contents) -> None:
        restore = programs.find("pg_restore", major_of(self.facts.version))
        env = programs.environment(self.url)
        answer = subprocess.run([str(restore), "--list", str(file)], env=env, capture_output=True, check=False)
        if answer.returncode:
            raise programs.complaint("pg_restore", answer.stderr)
        listed = {f"{schema}.{table}" for schema, table in
                  re.findall(_LISTED, answer.stdout.decode(), re.MULTILINE)}  # fmt: skip
        wanted = {name: [name if "." in name else f"public.{name}"] for name in contents}
        for name, partition in self._connection.exec_driver_sql(_PARTITIONS):  # a divided table has no rows of its own
            if name in wanted:
                wanted[name] = [*(each for each in wanted[name] if each != f"public.{name}"), partition]
        missing = [name for name, tables in wanted.items() if not listed.issuperset(tables)]
        if missing:
            raise StoreError(
                "The dump lacks tables: {tables}.",
                mend="The user must be able to read every table; make the backup as their owner.",
                tables=", ".join(missing),
            )
        # Everything is unpacked, and goes nowhere.
        programs.run([str(restore), "--file=-", str(file)], env, "pg_restore")
