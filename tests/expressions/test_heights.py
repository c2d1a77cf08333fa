"""What is accepted is not too deep for the parser of the database; each kind of expression as deep as it may be."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, exists, func, not_, select

from crm_core.errors import ExpressionError

WRAPPINGS = {
    "and not": "(loyal and not {})",
    "or": "(loyal or not {})",
    "truth": "(({}) == active)",
    "quantified": "any(branches, {})",
    "all": "all(branches, {})",
    "none": "none(branches, {})",
    "counted": "count(branches, {}) > 0",
}
INNERMOST = (
    "active", "size > 5", "size * 2 + parent.size - 3 * chief.age > 7", 'chief == "x"', 'parent.boss in ("a", "b")',
    "size in (1, 2)", "parent.founded + days(3) > founded", 'icontains(rival.name, "a")', "count(jobs) > 2",
    "share * 2 - ratio * 3 < 0.25", "founded == moment('2026-11-22T16:00:00.5Z')", "c_number + size > 3",
    "all(jobs, level * 2 > 7)", "money('1', 'CNY') < worth",
)  # fmt: skip
MIXES = [(name,) for name in WRAPPINGS] + [
    ("all", "and not"), ("and not", "all"), ("counted", "truth"), ("truth", "counted"), ("all", "or", "truth"),
    ("all", "all", "counted", "and not"), ("quantified", "all", "and not"), ("none", "truth", "or"),
]  # fmt: skip


def deepest(kit: Any, mix: tuple[str, ...], source: str) -> Any:
    """The last that is accepted when it is wrapped again and again."""
    found = kit.bind(source)
    for number in range(40):
        source = WRAPPINGS[mix[min(number, len(mix) - 1)] if len(mix) > 3 else mix[number % len(mix)]].format(source)
        try:
            found = kit.bind(source)
        except ExpressionError as error:
            assert "deep" in error.problem, source
            break
    return found


@pytest.mark.parametrize("mix", MIXES, ids="-".join)
def test_the_deepest_that_is_accepted_is_read_by_the_database(
    kit: Any, database_connection: Connection, mix: tuple[str, ...]
) -> None:
    table = kit.company.table
    for source in INNERMOST:
        where = deepest(kit, mix, source).where()
        outer = table.alias()
        # As the store asks: beneath a condition of visibility, and the other way round as well.
        query = select(func.count()).select_from(table).where(not_(where), exists().where(outer.c.id == table.c.id))
        assert database_connection.scalar(query) == 0
