"""How the journal's tables are divided: which ids are in which partition.

Ranges of ids have a fixed width, so that they are known before anything is in them: a new partition is made while it
is empty, and nothing is ever scanned or moved for it. What time a range stands for follows from when ids begin to be
taken from it (:mod:`crm_core.store.partitions.keeping`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from crm_core.store.tables import CHANGE, CHANGE_SET

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["DIVIDED", "LOCK", "REST", "WIDTH", "bounds", "is_part", "made", "name_of", "number_of"]

WIDTH: Final = 100_000_000
"""How many ids a partition has room for; those of records count, as there is one source of ids."""

DIVIDED: Final = ((CHANGE_SET.name, "id"), (CHANGE.name, "change_set_id"))
"""The tables that are divided, each with the column that holds the id of a change set."""

REST: Final = "rest"
"""The name of the default partitions: what no other one takes is written there, so that no write ever fails."""

# "crm-part" in ASCII: one who changes the partitions at a time.
LOCK: Final = 0x63726D2D70617274

_MADE = text(
    """
    SELECT CAST(substring(c.relname FROM '_p([0-9]+)$') AS integer) AS number
      FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
     WHERE i.inhparent = to_regclass(:table) AND c.relname ~ '_p[0-9]+$'
    """
)


def name_of(table: str, number: int | str) -> str:
    """The name of a partition of a table."""
    return f"{table}_{number}" if number == REST else f"{table}_p{number}"


def number_of(id_: int) -> int:
    """The number of the partition that a change set with this id belongs to."""
    return max(0, id_ // WIDTH)


def bounds(number: int) -> tuple[int, int]:
    """The first id of a partition, and the first one after it."""
    return number * WIDTH, (number + 1) * WIDTH


def is_part(table: str) -> bool:
    """Whether a table is a partition of the journal, or one that was detached: no record declares them."""
    for divided, _ in DIVIDED:
        tail = table.removeprefix(f"{divided}_")
        if tail != table and (tail == REST or (tail[:1] == "p" and tail[1:].isdigit())):
            return True
    return False


def made(connection: Connection) -> list[int]:
    """The numbers of the partitions that the journal has."""
    found = connection.execute(_MADE, {"table": CHANGE_SET.name}).scalars()
    return sorted(number for number in found if number is not None)
