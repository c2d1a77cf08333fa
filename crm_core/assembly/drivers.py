"""Drivers: where a build chooses one of several technologies for one purpose (``[drivers] erp = "http"``).

stevedore loads them from the entry point group ``crm_core.drivers.<kind>``. It receives the entry points from
us, because its own know no distribution, are cached for the life of the process, and let the first of two
that are not neighbours win.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from crm_core.assembly.discovery import GROUP as PLUGINS
from crm_core.assembly.manifest import NAME
from crm_core.errors import BuildError, Problem, nearest

if TYPE_CHECKING:
    from crm_core.assembly.build import Build

__all__ = ["BUILT_IN", "GROUP", "Refusing", "available", "load_driver", "mistakes", "refusal", "switched_off"]

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


def mistakes(chosen: Mapping[str, str], off: Collection[str] = ()) -> list[Problem]:
    """What is wrong with the section ``[drivers]``, as far as that shows without importing a driver.

    ``off`` names plugins that are switched off. That a driver is theirs is no mistake: see :func:`switched_off`.
    """
    return [problem for kind, name in chosen.items() if (problem := _mistake(kind, name, off)) is not None]


def switched_off(chosen: Mapping[str, str], off: Collection[str], disabled: Collection[str]) -> Mapping[str, Problem]:
    """By kind, the chosen drivers of plugins that are switched off: nothing of such a plugin is imported.

    ``disabled`` are those of them that the build file disables; the others are left out of one run.
    """
    found = {}
    for kind, name in chosen.items():
        entries = available(kind).get(name, ())
        if entries and not _usable(entries, off):
            plugin = min(_plugins_of(entries[0]))
            mend = (
                "Switch it on by 'crm plugins enable {plugin}', or choose another driver in [drivers]."
                if plugin in disabled else "It is left out of this run only."
            )  # fmt: skip
            found[kind] = Problem(
                f"drivers.{kind}", "The driver {name!r} belongs to the plugin {plugin}, which is switched off.", mend,
                {"name": name, "plugin": plugin},
            )  # fmt: skip
    return found


def _usable(entries: Sequence[EntryPoint], off: Collection[str]) -> list[EntryPoint]:
    """The entry points that may be loaded: those of switched-off plugins may not."""
    return [each for each in entries if not (plugins := _plugins_of(each)) or not plugins <= set(off)]


def _plugins_of(entry: EntryPoint) -> set[str]:
    """The plugins that a driver comes with: those of its distribution, and of several those in the same package."""
    if entry.dist is None:
        return set()
    plugins = entry.dist.entry_points.select(group=PLUGINS)
    top = entry.module.partition(".")[0]
    return {each.name for each in plugins if each.module.partition(".")[0] == top} or {each.name for each in plugins}


def _mistake(kind: str, name: str, off: Collection[str]) -> Problem | None:
    path = f"drivers.{kind}"
    if not NAME.fullmatch(kind):
        return Problem(path, "{kind!r} is no kind of driver.", "Write it in snake_case.", {"kind": kind})
    found = available(kind)
    if name not in found:
        values = {"kind": kind, "name": name, "near": nearest(name, found)}
        mend = "Did you mean {near}? Otherwise install its distribution." if found else "Install its distribution."
        return Problem(path, "There is no driver {name!r} for {kind}.", mend, values)
    usable = _usable(found[name], off)
    if len(usable) > 1:
        origins = sorted(f"{each.dist.name} {each.dist.version}" if each.dist else each.value for each in usable)
        values = {"kind": kind, "name": name, "origins": " and ".join(origins)}
        return Problem(
            path, "Two distributions bring the driver {name!r} for {kind}: {origins}.", "Uninstall one.", values
        )
    return None


def load_driver(kind: str, name: str, off: Collection[str] = (), disabled: Collection[str] = ()) -> Any:
    """Import a driver and return what its entry point leads to, usually a class.

    ``off`` names plugins that are switched off, ``disabled`` those of them that the build file disables; none of their
    drivers is imported. Raises :class:`~crm_core.errors.BuildError` when the driver is missing, switched off, brought
    twice, or cannot be imported.
    """
    problem = _mistake(kind, name, off) or switched_off({kind: name}, off, disabled).get(kind)
    if problem is not None:
        raise BuildError("The driver cannot be used:", [problem])
    from stevedore.driver import DriverManager

    (entry,) = _usable(available(kind)[name], off)

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


def refusal(build: Build, kind: str) -> BuildError | None:
    """Why the driver that a build chose is not there: its plugin is switched off. ``None`` where it is there."""
    problem = switched_off(build.file.drivers, build.off, build.file.crm.disabled).get(kind)
    return None if problem is None else BuildError("The driver cannot be used:", [problem])


class Refusing:
    """Stands for a driver of a plugin that is switched off: whoever uses it is told so by ``refused``."""

    def __init__(self, refused: BuildError) -> None:
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        raise self._refused
