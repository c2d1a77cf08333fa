"""Which plugins are there: entry points of installed distributions, or manifests given by the application."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping

import attrs

from crm_core.assembly.manifest import Command, Manifest

__all__ = ["GROUP", "Discovery", "Found", "commands", "given", "installed"]

GROUP = "crm_core.plugins"
"""The entry point group: ``key_accounts = crm_key_accounts.manifest:manifest``."""


@attrs.frozen
class Found:
    """A plugin that could be loaded: its name, how to get its manifest, and which distribution brings it."""

    name: str
    load: Callable[[], object]
    distribution: str | None = None
    version: str | None = None

    @property
    def origin(self) -> str:
        """The distribution with its version, as people write it."""
        return f"{self.distribution} {self.version}" if self.distribution else "the application"


Discovery = Callable[[], Iterable[Found]]


def installed() -> tuple[Found, ...]:
    """The plugins of all installed distributions, by name.

    They are looked for again as soon as a folder that Python imports from has changed, as by an installation.
    """
    return _installed(tuple((folder, _changed(folder)) for folder in sys.path))


def _changed(folder: str) -> int:
    """When something came into a folder or went, in nanoseconds; 0 for one that is not there."""
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=4)  # to ask every distribution takes longer than to assemble a build of a few plugins
def _installed(_folders: tuple[tuple[str, int], ...]) -> tuple[Found, ...]:
    from importlib.metadata import entry_points

    found = [
        Found(entry.name, entry.load, entry.dist.name, entry.dist.version)
        if entry.dist
        else Found(entry.name, entry.load)
        for entry in entry_points(group=GROUP)
    ]
    return tuple(sorted(found, key=lambda each: (each.name, each.distribution or "")))


def given(*manifests: Manifest) -> Discovery:
    """A discovery that offers these manifests only: plugins that live inside an application, or in a test."""
    found = tuple(Found(manifest.name, _constant(manifest)) for manifest in manifests)
    return lambda: found


def _constant(manifest: Manifest) -> Callable[[], Manifest]:
    return lambda: manifest


def commands(discovery: Discovery = installed) -> Mapping[str, tuple[str, Command]]:
    """The commands that manifests declare, by name, each with its plugin; imports manifests only.

    A manifest that cannot be read is passed over here, because ``crm --help`` must work for whoever repairs
    it; the assembly report tells of it. Of two commands with one name the first by plugin counts; assembly
    refuses the pair.
    """
    result: dict[str, tuple[str, Command]] = {}
    for found in discovery():
        try:
            manifest = found.load()
        except Exception:  # noqa: S112 - told by the assembly report  # nosec B112
            continue
        if isinstance(manifest, Manifest):
            for name, command in manifest.commands.items():
                result.setdefault(name, (manifest.name, command))
    return result
