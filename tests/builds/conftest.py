from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import crm

__all__ = ["crm"]

MANIFEST = """\
from crm_core.assembly.manifest import Manifest

manifest = Manifest(name="{name}", version="{version}", crm_core=">=0.1,<1", module="{package}.plugin", label="{name}")
"""
METADATA = "Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\nRequires-Dist: crm-core\n"
ENTRY = "[crm_core.plugins]\n{name} = {package}.manifest:manifest\n"

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a plugin as pip would leave it: a package, and metadata beside it. Returns the package's folder."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    before = set(sys.modules)

    def make(name: str, version: str = "1.0", source: str = "", **files: str) -> Path:
        package = f"crm_{name}"
        folder = site / package
        folder.mkdir(exist_ok=True)
        # Written anew within a second and of the same length, a module would be taken for the compiled one.
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        (folder / "__init__.py").write_text("", encoding="utf-8")
        (folder / "manifest.py").write_text(MANIFEST.format(name=name, version=version, package=package), "utf-8")
        (folder / "plugin.py").write_text(source, encoding="utf-8")
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        for old in site.glob(f"{package}-*.dist-info"):
            shutil.rmtree(old)
        info = site / f"{package}-{version}.dist-info"
        info.mkdir()
        distribution = package.replace("_", "-")
        (info / "METADATA").write_text(METADATA.format(distribution=distribution, version=version), encoding="utf-8")
        (info / "entry_points.txt").write_text(ENTRY.format(name=name, package=package), encoding="utf-8")
        for module in [each for each in sys.modules if each.split(".")[0] == package]:
            del sys.modules[module]
        return folder

    yield make
    for module in set(sys.modules) - before:
        if module.split(".")[0].startswith("crm_") and str(site) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]
