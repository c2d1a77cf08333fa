"""A refusal that names nothing tells that there is something out of sight: on purpose, and only where that is so."""

from __future__ import annotations

from torture.leaks.asker import Asker

__all__ = ["UNSEEN", "unnamed"]

UNSEEN = "It is still referred to by records that you do not see."
"""Said on purpose: somebody who may delete a record must be told why they cannot, and no more than that."""


def unnamed(asker: Asker, group: str, way: str, record: str, id_: int, count: int) -> None:
    """Judge such a refusal, of the deletion of a record: all that hinders it is hidden, and there is such a thing."""
    found = _hindering(asker, record, id_)
    seen = sorted({name for name, other in found if asker.oracle.sees(asker.user, name, other)})
    asker.tally.right(group, way, count)
    if not found:
        asker.tally.bad("hidden", group, way, record, f"{record} {id_}: nothing keeps it from being deleted")
    elif seen:
        asker.tally.bad("hidden", group, way, record, f"{record} {id_}: of {', '.join(seen)} something is seen")


def _hindering(asker: Asker, record: str, id_: int) -> set[tuple[str, int]]:
    """What stays and refers to something that goes, in a way that forbids this."""
    going, work = {(record, id_)}, [(record, id_)]
    forbidden: set[tuple[str, int]] = set()
    while work:
        name, target = work.pop()
        for child in asker.crm.types.values():
            fields = [(field.column_names[0], getattr(field.kind, "on_delete", "")) for field in child.refs
                      if field.target == name]  # fmt: skip
            fields += [("id", "cascade")] if child.extends == name else []
            for column, action in fields:
                found = {
                    (child.name, other) for other, row in asker.oracle.rows[child.name].items() if row[column] == target
                }
                if action == "restrict":
                    forbidden |= found
                elif action == "cascade":
                    work += found - going
                    going |= found
    return forbidden - going
