"""Distributions that look installed as long as a block lasts: for tests about what an installed plugin does."""

from __future__ import annotations

import importlib
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["installed_projects", "metadata_of"]


@contextmanager
def installed_projects(*folders: Path, forget: bool = True) -> Iterator[None]:
    """The distributions in these folders (each with a ``pyproject.toml``) look installed as long as the block lasts.

    Their folders are imported from, and ``importlib.metadata`` finds name, version, requirements, entry points and the
    README. Nothing is built or downloaded. ``forget`` lets go of their modules at the end; records are mapped once in a
    process, so whoever installs the same project again in one process keeps them.
    """
    with tempfile.TemporaryDirectory(prefix="crm-site-") as site:
        before = list(sys.path)
        for folder in folders:
            metadata_of(folder, Path(site))
        sys.path[:0] = [site, *(str(folder.resolve()) for folder in folders)]
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path[:] = before
            importlib.invalidate_caches()
            if forget:
                _forget(folders)


def metadata_of(folder: Path, site: Path) -> None:
    """Write into ``site`` what pip would know of the distribution in a folder; once it is there, nothing is changed."""
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    if info.exists():
        return
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    lines += [f"Requires-Dist: {each}" for each in project.get("dependencies", ())]
    readme = folder / str(project.get("readme", "README.md"))
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    (info / "METADATA").write_text("\n".join([*lines, "", text]), encoding="utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{key} = {target}\n" for key, target in entries.items())
        for group, entries in project.get("entry-points", {}).items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


def _forget(folders: tuple[Path, ...]) -> None:
    places = tuple(f"{folder.resolve()}/" for folder in folders)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(places):
            del sys.modules[name]
