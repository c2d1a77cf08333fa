"""PostgreSQL by psycopg, as SQLAlchemy speaks to it."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from crm_core.store.dialects import Alike

__all__ = ["Shared"]


class Shared(Alike, PGDialect_psycopg):
    """The dialect of an engine that shares what it compiles."""

    supports_statement_cache = True
