"""The statements that reach the database, to be counted: a page costs as many whatever it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import event

if TYPE_CHECKING:
    from crm_core.store.store import Store

__all__ = ["WithStore", "counted"]


class WithStore(Protocol):
    """A :class:`~crm_core.Crm`, and whatever else has its store."""

    @property
    def store(self) -> Store:
        """What holds the records."""


@contextmanager
def counted(crm: WithStore) -> Iterator[list[str]]:
    """The statements that reach the database meanwhile, one after the other: ``len()`` of them is what it cost."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(crm.store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(crm.store.engine, "before_cursor_execute", note)
