"""Putting a dump into a PostgreSQL database: everything or nothing, compared before it is committed.

``pg_restore`` writes the dump as a script, and ``psql`` runs it between statements of ours: before it the tables that
are there may be dropped, after it the contents are compared and what a new place makes necessary is set. All of it is
one transaction, so whoever is killed, and whatever fails, leaves the database as it was.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from sqlalchemy import URL
from sqlalchemy.pool import NullPool

from crm_core.store.copies import programs
from crm_core.store.copies.contents import SETTINGS, Content, Contents, Tell, postgresql_statement, quiet, quoted
from crm_core.store.engine import open_engine
from crm_core.store.ids import BLOCK

__all__ = ["rebuild"]

_CHUNK = 1 << 20
_DONE = "crm-core: committed"

_CLEAR = """
DO $crm$
DECLARE each record;
BEGIN
    FOR each IN
        SELECT c.relkind, format('%I.%I', n.nspname, c.relname) AS name FROM pg_class AS c
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
           AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
           AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
         -- A sequence that a column owns goes with its table.
         ORDER BY c.relkind = 'S'
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', CASE each.relkind WHEN 'v' THEN 'VIEW'
            WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, each.name);
    END LOOP;
    FOR each IN
        SELECT p.oid::regprocedure AS name, p.prokind FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
           AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
                            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', each.name);
    END LOOP;
    FOR each IN
        SELECT format('%I.%I', n.nspname, t.typname) AS name FROM pg_type AS t
          JOIN pg_namespace AS n ON n.oid = t.typnamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
           AND t.typtype IN ('e', 'd') AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
                            WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP TYPE IF EXISTS %s CASCADE', each.name);
    END LOOP;
    FOR each IN
        SELECT n.nspname AS name FROM pg_namespace AS n
         WHERE n.nspname NOT IN ('public', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
           AND NOT EXISTS (SELECT 1 FROM pg_extension AS x WHERE x.extnamespace = n.oid)
           AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
                            WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', each.name);
    END LOOP;
END
$crm$;
"""
"""Drops all that a dump could bring; what belongs to an extension stays, as does the schema public with its grants."""


def rebuild(
    url: URL, dump: Path, contents: Contents, tell: Tell = quiet, *, clear: bool = False, elsewhere: bool = False
) -> None:
    """Put a dump into a database, and commit only if its tables then hold these contents.

    ``clear`` drops what is there, in the same transaction; ``elsewhere`` says that another server made the dump, so
    that transaction numbers are set anew. Raises :class:`~crm_core.errors.StoreError`; nothing has changed then.
    """
    major = _major(url)
    env = programs.environment(url)
    restore = [str(programs.find("pg_restore", major)), "--file=-", "--no-owner", "--no-privileges", "--no-comments",
               "--exit-on-error", str(dump)]  # fmt: skip
    psql = [str(programs.find("psql", major)), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1",
            "--output=/dev/null" if Path("/dev/null").exists() else "--output=NUL"]  # fmt: skip
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        to = subprocess.Popen(psql, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        out = subprocess.Popen(restore, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complained)
        assert to.stdin is not None and to.stdout is not None and out.stdout is not None
        answer = b""
        try:
            # A pipe breaks when psql has stopped at an error; what it said is told below.
            with suppress(BrokenPipeError):
                _write(to.stdin, ["SET client_min_messages TO warning;", "BEGIN;", _CLEAR if clear else ""])
                _pass_on(out.stdout, to.stdin, tell)
                if out.wait() == 0:
                    _write(to.stdin, _ending(contents, elsewhere))
            with suppress(BrokenPipeError):
                to.stdin.close()
            answer = to.stdout.read()
            to.wait()
        finally:
            for process in (out, to):
                if process.poll() is None:
                    process.kill()
                process.wait()
            out.stdout.close()
            to.stdout.close()
        if out.returncode > 0:
            raise programs.complaint("pg_restore", _all(complained))
        if to.returncode or _DONE.encode() not in answer:
            raise programs.complaint("psql", _all(said))
    tell("restoring", 1, 1)


def _major(url: URL) -> int:
    engine = open_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10000
    finally:
        engine.dispose()


def _write(to: IO[bytes], statements: list[str]) -> None:
    for statement in statements:
        to.write(statement.encode() + b"\n")
    to.flush()


def _pass_on(script: IO[bytes], to: IO[bytes], tell: Tell) -> None:
    passed = 0
    while chunk := script.read(_CHUNK):
        to.write(chunk)
        passed += len(chunk)
        tell("restoring", passed, 0)
    to.flush()


def _all(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _ending(contents: Contents, elsewhere: bool) -> list[str]:
    return [
        # A dump leaves no search path, and settings of its own.
        "SET search_path TO public;",
        "SET client_min_messages TO warning;",
        *(f"{setting};" for setting in SETTINGS),
        *_comparisons(contents),
        *_mended(contents, elsewhere),
        "COMMIT;",
        "ANALYZE;",
        f"\\echo {_DONE}",
    ]


def _written(name: str) -> str:
    schema, dot, table = name.partition(".")
    return f"{quoted(schema)}.{quoted(table)}" if dot else f"public.{quoted(name)}"


def _block(body: str) -> str:
    """Statements as one that runs them.

    Columns may have any name, that of a variable, too. A table may be called like the quotes around all of it, so these
    are chosen so that they do not stand in it: who sends a backup must not write our statements.
    """
    quotes, number = "$crm$", 0
    while quotes in body:
        number += 1
        quotes = f"$crm{number}$"
    return f"DO {quotes} #variable_conflict use_column\n{body} {quotes};"


def _comparisons(contents: Contents) -> Iterator[str]:
    yield _block(
        "DECLARE found bigint; BEGIN SELECT count(*) INTO found FROM pg_class AS c"  # noqa: S608 - a number
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'"
        " AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid"
        " AND d.deptype = 'e');"
        f" IF found <> {len(contents)} THEN RAISE EXCEPTION 'there are % tables instead of {len(contents)}', found;"
        " END IF; END"
    )
    for name, content in contents.items():
        yield _comparison(name, content)


def _comparison(name: str, content: Content) -> str:
    statement = postgresql_statement(_written(name), content.columns)
    told = name.replace("'", "''").replace("%", "%%")
    return _block(
        f"DECLARE found record; BEGIN SELECT * INTO found FROM ({statement}) AS content;"  # noqa: S608 - names, quoted
        f" IF found.rows <> {content.rows} OR found.sha256 <> '{content.sha256}' THEN"
        f" RAISE EXCEPTION 'the table {told} holds % rows and not what was saved ({content.rows} rows)', found.rows;"
        " END IF; END"
    )


def _mended(contents: Contents, elsewhere: bool) -> Iterator[str]:
    """What a new place makes necessary, as far as the database has the tables."""
    names = {name.partition(".")[2] or name: _written(name) for name in contents}
    if elsewhere and {"crm_change_set", "crm_feed_position"} <= names.keys():
        yield from _positions(names)
    if "crm_record_type" in names:
        yield _ids(names)


def _positions(names: Mapping[str, str]) -> Iterator[str]:
    """Let change sets follow each other by their ids, as the transaction numbers of another server mean nothing.

    Each consumer is told again from the oldest change set on that it was not told of, by the old order.
    """
    sets, positions = names["crm_change_set"], names["crm_feed_position"]
    yield (
        f"UPDATE {positions} AS p SET change_set_id = coalesce("  # noqa: S608 - names from the manifest, quoted
        f"(SELECT min(c.id) - 1 FROM {sets} AS c WHERE (c.place, c.id) > (p.place, p.change_set_id)), "
        f"(SELECT max(c.id) FROM {sets} AS c), p.change_set_id);"
    )
    yield f"UPDATE {positions} SET place = 0;"  # noqa: S608
    yield f"UPDATE {sets} SET xid = 0, place = 0;"  # noqa: S608
    if "crm_last_look" in names:
        # A look then goes by its moment alone.
        yield f"UPDATE {names['crm_last_look']} SET seen = '';"  # noqa: S608


def _ids(names: Mapping[str, str]) -> str:
    """Let the next id be above every one that is used."""
    beside = [names[each] for each in ("crm_change_set", "crm_job") if each in names]
    listed = "".join(
        f" SELECT max(id) INTO found FROM {each}; highest := greatest(highest, found);"  # noqa: S608
        for each in beside
    )
    return _block(
        "DECLARE highest bigint := 0; found bigint; each record; BEGIN"  # noqa: S608 - names from the manifest, quoted
        f' FOR each IN SELECT "table" AS name FROM {names["crm_record_type"]} LOOP'
        " CONTINUE WHEN to_regclass(format('public.%I', each.name)) IS NULL;"
        " EXECUTE format('SELECT max(id) FROM public.%I', each.name) INTO found;"
        " highest := greatest(highest, found); END LOOP;"
        f"{listed}"
        f" CREATE SEQUENCE IF NOT EXISTS public.crm_id_seq START 1 INCREMENT {BLOCK};"
        " EXECUTE 'SELECT CASE WHEN is_called THEN last_value + "
        f"{BLOCK} ELSE last_value END FROM public.crm_id_seq' INTO found;"
        " IF found <= highest THEN PERFORM setval('public.crm_id_seq', highest + 1, false); END IF;"
        " END"
    )
