"""The files that a plugin's distribution brings to Python, whether it was installed from a wheel or in place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_core.assembly.build import LoadedPlugin

__all__ = ["hash_of", "hash_of_folder", "hash_of_plugin", "is_content"]

Files = Iterator[tuple[str, bytes]]


def hash_of(files: Iterable[tuple[str, bytes]]) -> str:
    """Over names (below the folder that Python searches) and contents of files, in the order of their names."""
    total = hashlib.sha256()
    for name, content in sorted(files):
        total.update(f"{len(name.encode())}:{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def hash_of_folder(package: Path) -> str:
    """The hash of one package."""
    return hash_of(_below(package.name, package))


def hash_of_plugin(plugin: LoadedPlugin) -> str:
    """The hash of everything that comes with a plugin: its package, and what else its distribution brings."""
    own = plugin.manifest.module.partition(".")[0]
    others = set() if plugin.distribution is None else _tops(plugin.distribution) - {own}
    return hash_of([*_own(plugin, own), *(each for name in sorted(others) for each in _found(plugin, name))])


def is_content(name: str) -> bool:
    """Whether a file of a wheel or an installation was written by somebody: not by Python, pip or who builds wheels."""
    top = name.partition("/")[0]
    written = not name.endswith((".pyc", ".pyo")) and "__pycache__" not in name.split("/")
    return written and not top.endswith((".dist-info", ".data")) and not top.startswith(("__editable__", "..", "/"))


def _own(plugin: LoadedPlugin, name: str) -> Files:
    folder = plugin.folder
    if folder is None:
        # A single module, or one of the application's own, which no distribution brings.
        file = getattr(plugin.namespace, "__file__", None)
        return iter([(f"{name}.py", Path(file).read_bytes() if file else b"")])
    for _ in range(max(plugin.manifest.module.count(".") - 1, 0)):
        folder = folder.parent
    return _below(name, folder)


def _tops(distribution: str) -> set[str]:
    """The names right in the folder that Python searches: packages, modules, and files that Python reads at its start.

    An installation in place records only how to find the sources, which ``top_level.txt`` names.
    """
    try:
        known = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return set()
    recorded = {each.parts[0] for each in known.files or () if is_content(each.as_posix())}
    return {PurePath(each).stem if each.endswith(".py") else each for each in recorded} | set(
        (known.read_text("top_level.txt") or "").split()
    )


def _found(plugin: LoadedPlugin, name: str) -> Files:
    if not name.isidentifier():
        assert plugin.distribution is not None
        file = Path(str(metadata.distribution(plugin.distribution).locate_file(name)))
        return iter([(name, file.read_bytes())]) if file.is_file() else _below(name, file)
    spec = find_spec(name)  # of a name without dots, so that nothing is imported
    if spec is None:
        return iter(())
    if spec.submodule_search_locations:
        return (each for folder in spec.submodule_search_locations for each in _below(name, Path(folder)))
    return iter([(Path(spec.origin).name, Path(spec.origin).read_bytes())] if spec.origin else ())


def _below(name: str, folder: Path) -> Files:
    for file in folder.rglob("*"):
        inner = f"{name}/{file.relative_to(folder).as_posix()}"
        if file.is_file() and is_content(inner):
            yield inner, file.read_bytes()
