"""The lock of a build: the exact kernel and plugins that it was tried with, known by their content.

A lock names versions and hashes and no address, so it holds wherever the distributions come from. The hash of a
plugin is over the files that its distribution brings, which are the same whether it was installed from a wheel or in
place. What Python has compiled of them is not looked at: it is made again from the files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import attrs
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crm_core.assembly.build import Build, LoadedPlugin
from crm_core.assembly.manifest import HOOK_API
from crm_core.assembly.packages import hash_of_folder, hash_of_plugin
from crm_core.assembly.toml_text import read_toml
from crm_core.errors import BuildError, Problem
from crm_core.records import KERNEL

__all__ = [
    "Lock",
    "Locked",
    "check_lock",
    "constraints",
    "differences",
    "lock_file",
    "lock_of",
    "read_lock",
    "written",
]

_FORMAT = 2
_COMMENT = "Written by 'crm build lock'; 'crm build verify' compares it with what is installed."
_CONSTRAINTS = "Written by 'crm build lock --constraints', for: pip wheel --constraint FILE --wheel-dir DIR ..."
_DISTRIBUTION = "crm-core"


@attrs.frozen
class Locked:
    """A plugin as it was locked; the kernel is one, too. ``sha256`` is over the files that it brings."""

    name: str
    version: str
    sha256: str
    distribution: str | None = None


@attrs.frozen
class Lock:
    """What a build is made of: contract, plugins by name, and the versions of the libraries that they need."""

    contract: str
    plugins: Mapping[str, Locked]
    libraries: Mapping[str, str]


def lock_of(build: Build) -> Lock:
    """The lock of what is installed here for a build."""
    plugins = {plugin.name: _locked(plugin) for plugin in build.plugins}
    own = {canonicalize_name(each.distribution) for each in plugins.values() if each.distribution}
    extras = frozenset({"postgresql"} if build.file.database.startswith("postgresql") else ())
    roots: dict[str, frozenset[str]] = {_DISTRIBUTION: extras}
    roots |= {name: frozenset() for name in sorted(own)}
    libraries = {name: version for name, version in _needed(roots) if name not in {*own, _DISTRIBUTION}}
    return Lock(HOOK_API, plugins, dict(sorted(libraries.items())))


def lock_file(build: Build) -> Path | None:
    """Where the lock of a build lies: ``crm.lock`` beside ``crm.toml``; nowhere for a build without a file."""
    return None if build.file.source is None else build.file.source.with_suffix(".lock")


def check_lock(build: Build) -> list[Problem]:
    """Every difference between the lock beside the build file and what is here; nothing when they are the same.

    Plugins that are switched off are passed over. Raises :class:`~crm_core.errors.BuildError` when there is no lock.
    """
    file = lock_file(build)
    if file is None:
        raise BuildError("A build that is no file has no lock.", mend="Give the path of a build file.")
    return differences(read_lock(file), lock_of(build), without={each.plugin for each in build.report.off})


def differences(lock: Lock, here: Lock, *, without: Collection[str] = ()) -> list[Problem]:
    """What is different here from what was locked, plugin by plugin and library by library."""
    return list(_differences(lock, here, without))


def _differences(lock: Lock, here: Lock, without: Collection[str]) -> Iterator[Problem]:
    install = "Install what is locked, or lock the build anew by 'crm build lock' after you have tried it."
    if lock.contract != here.contract:
        yield Problem("contract", "{locked} is locked, and {here} is offered here.", install,
                      {"locked": lock.contract, "here": here.contract})  # fmt: skip
    for name in sorted({*lock.plugins, *here.plugins} - set(without)):
        locked, found = lock.plugins.get(name), here.plugins.get(name)
        if locked is None:
            yield Problem(name, "The plugin is in the build and not in the lock.", install)
        elif found is None:
            yield Problem(name, "The plugin is in the lock and not in the build.", install)
        elif locked.version != found.version:
            yield Problem(name, "Version {locked} is locked, and {here} is here.", install,
                          {"locked": locked.version, "here": found.version})  # fmt: skip
        elif locked.sha256 != found.sha256:
            yield Problem(name, "Its files are not those that were locked, though the version {version} is the same.",
                          "Install the distribution again; who changed its files?",
                          {"version": found.version})  # fmt: skip
    for name in sorted(here.libraries if without else {*lock.libraries, *here.libraries}):
        wanted, there = lock.libraries.get(name), here.libraries.get(name)
        if wanted != there:
            yield Problem(name, "Version {locked} of the library is locked, and {here} is here.", install,
                          {"locked": wanted or "none", "here": there or "none"})  # fmt: skip


# -- the file --------------------------------------------------------------------------------------------------


def written(lock: Lock) -> str:
    """The lock as the text of its file."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment(_COMMENT))
    document.add("format", tomlkit.item(_FORMAT))
    document.add("contract", tomlkit.item(lock.contract))
    plugins = tomlkit.table(is_super_table=True)
    for name, plugin in lock.plugins.items():
        plugins.add(name, tomlkit.item({key: value for key, value in attrs.asdict(plugin).items()
                                        if key != "name" and value is not None}))  # fmt: skip
    document.add("plugins", plugins)
    document.add("libraries", tomlkit.item(dict(lock.libraries)))
    return tomlkit.dumps(document)


def constraints(lock: Lock) -> str:
    """Every version of a lock as constraints for pip, one ``name==version`` a line: ``pip wheel --constraint FILE``.

    They say which version, never from where, and nothing that is not asked for is installed because of them.
    """
    versions = dict(lock.libraries)
    versions |= {
        canonicalize_name(each.distribution): each.version for each in lock.plugins.values() if each.distribution
    }
    lines = [f"{name}=={version}" for name, version in sorted(versions.items())]
    return "\n".join([f"# {_CONSTRAINTS}", *lines, ""])


def read_lock(file: Path) -> Lock:
    """The lock in a file.

    Raises :class:`~crm_core.errors.BuildError` when there is none, or it is none of ours.
    """
    try:
        content = read_toml(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}")
        plugins = {name: Locked(name, **values) for name, values in content["plugins"].items()}
        return Lock(content["contract"], plugins, dict(content["libraries"]))
    except FileNotFoundError:
        raise BuildError("There is no lock {file}.", mend="Write one by 'crm build lock'.", file=str(file)) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError(
            "{file} is no lock of a build: {reason}.",
            mend="Restore it from where it is kept, or write it anew by 'crm build lock'.",
            file=str(file),
            reason=f"{type(error).__name__}: {error}",
        ) from None


# -- what is here ----------------------------------------------------------------------------------------------


def _locked(plugin: LoadedPlugin) -> Locked:
    if plugin.name == KERNEL:
        from crm_core import __version__

        return Locked(KERNEL, __version__, hash_of_folder(Path(__file__).parents[1]), _DISTRIBUTION)
    return Locked(plugin.name, plugin.manifest.version, hash_of_plugin(plugin), plugin.distribution)


def _needed(roots: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    """What distributions with these extras need, and what that needs, with the versions that are installed."""
    waiting, seen = list(roots.items()), set[tuple[str, frozenset[str]]]()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # pip's business; a plugin that misses it does not import
        yield canonicalize_name(name), distribution.version
        for line in distribution.requires or ():
            try:
                wanted = Requirement(line)
            except InvalidRequirement:
                continue  # of old metadata, which pip reads no better
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras or {""}):
                waiting.append((canonicalize_name(wanted.name), frozenset(wanted.extras)))
