"""Joins that a database carries out in the order in which they are written, where it would guess wrongly."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Join
from sqlalchemy.ext.compiler import compiles

__all__ = ["InOrder"]


class InOrder(Join):
    """An inner join. SQLite takes the left side first, whatever it believes of the tables; PostgreSQL knows better."""

    inherit_cache = True


@compiles(InOrder)
def _plain(join: InOrder, compiler: Any, **options: Any) -> str:
    return str(compiler.visit_join(join, **options))


@compiles(InOrder, "sqlite")
def _crossed(join: InOrder, compiler: Any, asfrom: bool = False, from_linter: Any = None, **options: Any) -> str:
    left, right = (compiler.process(side, asfrom=True, from_linter=from_linter, **options)
                   for side in (join.left, join.right))  # fmt: skip
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause, from_linter=from_linter, **options)}"
