from __future__ import annotations

import importlib
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_core.assembly import Build, Manifest, assemble, given

HEADER = """\
from __future__ import annotations

import attrs
from sqlalchemy.orm import Mapped

from crm_core.errors import Objection
from crm_core.fields import number, ref, text
from crm_core.hooks import Finding, Panel, TimelineEntry, hookimpl
from crm_core.records import Record, extends, owned, parent, public, record, via
from crm_core.store.policy import Role, Scope

"""
DISTS = Path(__file__).parents[1] / "dists"

WritePlugin = Callable[..., Manifest]


@pytest.fixture
def write_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritePlugin]:
    """Writes the module of a plugin into a folder that is imported from, and returns its manifest.

    Classes are mapped once in a process, so a plugin with records needs a name that no other test uses.
    """
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def write(name: str, source: str = "", **options: Any) -> Manifest:
        module = options.pop("module", f"fake_{name}")
        (folder / f"{module.replace('.', '/')}.py").write_text(HEADER + textwrap.dedent(source), encoding="utf-8")
        importlib.invalidate_caches()
        return Manifest(name=name, module=module, **{"version": "1.0", "crm_core": ">=0.1,<1", **options})

    yield write
    for module in set(sys.modules) - before:
        if module.startswith("fake_"):
            del sys.modules[module]


@pytest.fixture
def build() -> Callable[..., Build]:
    """Assembles a build of these manifests, all of them listed; ``config`` are further sections of the file."""

    def make(*manifests: Manifest, strict: bool | None = None, **config: Any) -> Build:
        config = {**config, "crm": {"plugins": [each.name for each in manifests], **config.get("crm", {})}}
        return assemble(config, strict=strict, discovery=given(*manifests))

    return make


@pytest.fixture
def install_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Makes the distribution in a folder look installed: the folder is imported from, and its metadata is there."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    folders: list[Path] = []

    def make(folder: Path) -> None:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        groups = [
            f"[{group}]\n" + "".join(f"{key} = {target}\n" for key, target in entries.items())
            for group, entries in project["entry-points"].items()
        ]
        (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        importlib.invalidate_caches()
        folders.append(folder)

    yield make
    for name, module in list(sys.modules.items()):
        if any(str(getattr(module, "__file__", None)).startswith(f"{folder}/") for folder in folders):
            del sys.modules[name]


@pytest.fixture
def install(install_project: Callable[[Path], None]) -> Callable[..., None]:
    """Makes distributions of ``tests/dists`` look installed, by name."""

    def make(*names: str) -> None:
        for name in names:
            install_project(DISTS / name)

    return make
