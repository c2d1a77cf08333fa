from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from crm_core.assembly import Build, Manifest, assemble, given
from crm_core.testing.projects import installed_projects

HEADER = """\
from __future__ import annotations

import attrs
from sqlalchemy.orm import Mapped

from crm_core.errors import Objection
from crm_core.fields import number, ref, text
from crm_core.hooks import Finding, Panel, TimelineEntry, hookimpl, only_for
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
def install_project() -> Iterator[Callable[[Path], None]]:
    """Makes the distribution in a folder look installed for the rest of the test."""
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(installed_projects(folder))


@pytest.fixture
def install(install_project: Callable[[Path], None]) -> Callable[..., None]:
    """Makes distributions of ``tests/dists`` look installed, by name."""

    def make(*names: str) -> None:
        for name in names:
            install_project(DISTS / name)

    return make
