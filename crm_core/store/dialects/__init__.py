"""One memory of compiled statements for all engines of a process.

To compile a statement takes SQLAlchemy several times as long as to run it, and each engine remembers only what it has
compiled itself. A process that serves many databases, one for each tenant, would compile everything for each, and hold
it as often. Statements are known by their tables and by the dialect of the engine, so that builds with other tables
never meet; what is left is to tell SQLAlchemy that the dialects of two engines are alike.
"""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.util import LRUCache

__all__ = ["KEPT", "STATEMENTS", "Alike", "create_shared_engine"]

KEPT = 1000
"""How many statements are kept at least; what was used longest ago goes first."""

STATEMENTS: LRUCache[Any, Any] = LRUCache(KEPT)
"""What was compiled, for all engines."""

for _name in ("sqlite", "postgresql"):
    registry.register(f"{_name}.crm", f"{__name__}.{_name}", "Shared")

_PLAIN = (bool, int, str, tuple, type(None))
_kinds: dict[tuple[tuple[str, Any], ...], object] = {}
_lock = threading.Lock()


class Alike:
    """A dialect that is equal to another one in which all statements are compiled to the same text.

    That is known when it has met its server: of another version, or set up otherwise, it is of another kind.
    """

    _kind: object = None

    def initialize(self, connection: Any) -> None:
        """Ask the server what it can do."""
        super().initialize(connection)  # type: ignore[misc]
        # The settings of an engine, too: whoever gives one to create_engine() gets statements of their own.
        known = tuple(sorted((name, each) for name, each in vars(self).items() if isinstance(each, _PLAIN)))
        with _lock:
            self._kind = _kinds.setdefault(known, object())

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Alike) and self._kind is not None and self._kind is other._kind)

    def __hash__(self) -> int:
        # Not by the kind, which is not known from the beginning.
        return hash(type(self))


def create_shared_engine(url: URL, **options: Any) -> Engine:
    """``create_engine()`` for a URL whose dialect is SQLite's or psycopg's, with the memory that all share."""
    engine = create_engine(url.set(drivername=f"{url.get_backend_name()}+crm"), **options)
    engine.url = url
    engine.update_execution_options(compiled_cache=STATEMENTS)
    return engine
