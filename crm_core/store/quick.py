"""Small statements that every single write asks, handed to the driver as text.

SQLAlchemy finds what it compiled of a statement by a key that it makes of the whole statement each time, sets it up for
the ids that are given, and converts what comes: three quarters of what a look at one row costs. What is asked with a
few ids, and answers with numbers and texts, needs none of that after the first time.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.sql.visitors import cloned_traverse

from crm_core.fields.columns import moment_text

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Dialect, Executable
    from sqlalchemy.engine import CursorResult

__all__ = ["FEW", "quickly"]

FEW = 8
"""Of more ids than this the statement is left to SQLAlchemy: each number of them is a text of its own."""


def quickly(connection: Connection, statement: Executable, values: Mapping[str, Any]) -> CursorResult[Any]:
    """Execute a statement that is made once, and kept for good.

    ``values`` are those of its parameters: numbers, texts and moments, and lists of ids for those that are expanding.
    What it answers comes as the driver gives it.
    """
    counts = tuple((name, len(value) if isinstance(value, list) else None) for name, value in values.items())
    if any(count is not None and not 0 < count <= FEW for _, count in counts):
        return connection.execute(statement, values)
    text, order = _text(connection.dialect, statement, counts)
    given: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, list):
            given.update((f"{name}_{number}", each) for number, each in enumerate(value, 1))
        elif isinstance(value, dt.datetime) and connection.dialect.name == "sqlite":
            given[name] = moment_text(value)
        else:
            given[name] = value
    return connection.exec_driver_sql(text, given if order is None else tuple([given[name] for name in order]))


# Statements are compared by identity: there are a dozen, and one for each record type.
@functools.lru_cache(maxsize=1024)
def _text(
    dialect: Dialect, statement: Executable, counts: tuple[tuple[str, int | None], ...]
) -> tuple[str, Sequence[str] | None]:
    """The text for so many ids (``None``: one value), and the order of its parameters, where they have no names."""
    values = {name: None if count is None else [0] * count for name, count in counts}

    def give(parameter: BindParameter[Any]) -> None:
        if parameter.key in values:
            parameter.value, parameter.required = values[parameter.key], False

    # Like params(), which statements that delete do not have.
    sample: Any = cloned_traverse(statement, {"maintain_key": True}, {"bindparam": give})  # type: ignore[call-overload]
    compiled = sample.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return str(compiled), compiled.positiontup
