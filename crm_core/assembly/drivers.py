"""Drivers: where a build chooses one of several technologies for one purpose (``[drivers] erp = "http"``).

stevedore loads them from the entry point group ``crm_core.drivers.<kind>``. It receives the entry points from
us, because its own know no distribution, are cached for the life of the process, and let the first of two
that are not neighbours win.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from crm_core.assembly.manifest import NAME
from crm_core.errors import BuildError, Problem
from crm_core.hooks.specs import nearest

__all__ = ["BUILT_IN", "GROUP", "available", "load_driver", "mistakes"]

GROUP = "crm_core.drivers"

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "queue": {"database": "crm_core.store.database_queue:open_queue"},
    "matching": {"exact": "crm_core.store.duplicates:Exact"},
}
"""By kind and name, the drivers that the kernel brings itself; they need no entry point."""


def available(kind: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    """The drivers of a kind by name, the kernel's own and the installed ones.

    A name with several entry points is brought by several distributions.
    """
    group = f"{GROUP}.{kind}"
    found = {name: [EntryPoint(name, value, group)] for name, value in BUILT_IN.get(kind, {}).items()}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, []).append(entry)
    return {name: tuple(found[name]) for name in sorted(found)}


def mistakes(chosen: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the section ``[drivers]``, as far as that shows without importing a driver."""
    return [problem for kind, name in chosen.items() if (problem := _mistake(kind, name)) is not None]


def _mistake(kind: str, name: str) -> Problem | None:
    path = f"drivers.{kind}"
    if not NAME.fullmatch(kind):
        return Problem(path, "{kind!r} is no kind of driver.", "Write it in snake_case.", {"kind": kind})
    found = available(kind)
    if name not in found:
        values = {"kind": kind, "name": name, "near": nearest(name, found)}
        mend = "Did you mean {near}? Otherwise install its distribution." if found else "Install its distribution."
        return Problem(path, "There is no driver {name!r} for {kind}.", mend, values)
    if len(found[name]) > 1:
        origins = sorted(f"{each.dist.name} {each.dist.version}" if each.dist else each.value for each in found[name])
        values = {"kind": kind, "name": name, "origins": " and ".join(origins)}
        return Problem(
            path, "Two distributions bring the driver {name!r} for {kind}: {origins}.", "Uninstall one.", values
        )
    return None


def load_driver(kind: str, name: str) -> Any:
    """Import a driver and return what its entry point leads to, usually a class.

    Raises :class:`~crm_core.errors.BuildError` when it is missing, brought twice, or cannot be imported.
    """
    problem = _mistake(kind, name)
    if problem is not None:
        raise BuildError("The driver cannot be used:", [problem])
    from stevedore.driver import DriverManager

    entry = available(kind)[name][0]

    class Manager(DriverManager[Any]):
        def list_entry_points(self) -> list[EntryPoint]:
            return [entry]

    try:
        return Manager(f"{GROUP}.{kind}", name).driver
    except Exception as error:
        raise BuildError(
            "The driver {name!r} for {kind} cannot be imported: {error}.",
            mend="Install its distribution again, or choose another in [drivers].",
            name=name,
            kind=kind,
            error=f"{type(error).__name__}: {error}",
        ) from error
