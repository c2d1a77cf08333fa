"""The schema and the content of a database, table by table, so that what a migration did can be compared."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Engine, text

__all__ = ["contents", "schema", "tables_of", "touched"]

_POSTGRESQL = (
    "SELECT c.relname, 'column', concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
    " pg_get_expr(d.adbin, d.adrelid)) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
    " WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped"
    " AND c.relkind IN ('r', 'v')",
    "SELECT conrelid::regclass::text, 'constraint', concat_ws(' ', conname, pg_get_constraintdef(oid))"
    " FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0",
    "SELECT tablename, 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT tgrelid::regclass::text, 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
)
_SQLITE = (
    "SELECT tbl_name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name NOT IN"
    " (SELECT name FROM pragma_table_list WHERE type = 'shadow')",
)

_NAME = r'(?:"?\w+"?\.)?"?(\w+)"?'
_STATEMENTS = [
    re.compile(pattern.replace("NAME", _NAME), re.IGNORECASE)
    for pattern in (
        r"\bINSERT\s+(?:OR\s+\w+\s+)?INTO\s+NAME",
        r"^\s*UPDATE\s+(?:ONLY\s+)?NAME",
        r"\bDELETE\s+FROM\s+(?:ONLY\s+)?NAME",
        r"\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?NAME",
        r"\b(?:CREATE|DROP)\s+(?:TEMP\w*\s+)?(?:TABLE|VIEW)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?NAME",
        r"\bTRUNCATE\s+(?:TABLE\s+)?NAME",
        r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+.*?\sON\s+NAME",
        r"\bCREATE\s+(?:TEMP\w*\s+)?TRIGGER\s+.*?\sON\s+NAME",
    )
]


def schema(engine: Engine) -> dict[str, list[str]]:
    """Columns, constraints, indexes and triggers of each table (and view), as texts in order."""
    found: dict[str, list[str]] = defaultdict(list)
    queries = _SQLITE if engine.dialect.name == "sqlite" else _POSTGRESQL
    with engine.connect() as connection:
        for query in queries:
            for table, kind, definition in connection.execute(text(query)):
                found[table.strip('"')].append(f"{kind}: {' '.join(definition.split())}")
    return {table: sorted(parts) for table, parts in found.items()}


def tables_of(parts: Mapping[str, Iterable[str]]) -> list[str]:
    """Those of a schema that hold rows; what a virtual table shows lies in others."""
    return sorted(name for name, part in parts.items() if not any("VIRTUAL TABLE" in each.upper() for each in part))


def contents(engine: Engine, tables: Iterable[str]) -> dict[str, str]:
    """A digest of all rows of each of these tables."""
    found = {}
    with engine.connect() as connection:
        for table in tables:
            rows: Any = connection.execute(text(f'SELECT * FROM "{table}"'))  # noqa: S608 - a name from the schema
            digest = hashlib.sha256("\n".join(sorted(map(repr, rows))).encode())
            found[table] = digest.hexdigest()
    return found


def touched(statements: Iterable[str]) -> Mapping[str, str]:
    """The tables that statements write to or change, each with the first statement that does, in one line."""
    found: dict[str, str] = {}
    for statement in (" ".join(each.split()) for each in statements):
        for pattern in _STATEMENTS:
            for name in pattern.findall(statement):
                found.setdefault(name, statement)
    return found
