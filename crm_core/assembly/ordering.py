"""The order of plugins: what is required comes first, and among equals the name decides."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping

__all__ = ["dependents", "ordered"]


def ordered(requires: Mapping[str, Collection[str]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The names in order, and the cycles that keep the others from having one.

    ``requires`` maps each name to those it requires; requirements that are no key are left to whoever checks
    them. The result does not depend on the order of the mapping.
    """
    waiting = {name: {other for other in needs if other in requires} for name, needs in requires.items()}
    ready = [name for name, needs in waiting.items() if not needs]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        del waiting[name]
        for other, needs in waiting.items():
            if name in needs:
                needs.remove(name)
                if not needs:
                    heapq.heappush(ready, other)
    return order, _cycles(waiting)


def _cycles(waiting: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Each cycle once, beginning with its first name; whatever merely waits for a cycle is none itself."""
    cycles: list[tuple[str, ...]] = []
    for start in sorted(waiting):
        path = [start]
        while True:
            # Everything that waits has somebody it waits for, so the path must come back to itself.
            following = min(waiting[path[-1]])
            if following in path:
                cycle = path[path.index(following) :]
                first = cycle.index(min(cycle))
                cycles.append((*cycle[first:], *cycle[:first]))
                break
            path.append(following)
    return sorted(set(cycles))


def dependents(names: Iterable[str], requires: Mapping[str, Collection[str]]) -> set[str]:
    """Whatever requires one of ``names``, directly or through others."""
    found: set[str] = set()
    new = set(names)
    while new:
        new = {name for name, needs in requires.items() if new & set(needs)} - found
        found |= new
    return found
