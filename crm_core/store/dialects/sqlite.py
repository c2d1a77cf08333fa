"""SQLite, as SQLAlchemy speaks to it."""

from __future__ import annotations

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from crm_core.store.dialects import Alike

__all__ = ["Shared"]


class Shared(Alike, SQLiteDialect_pysqlite):
    """The dialect of an engine that shares what it compiles."""

    supports_statement_cache = True
