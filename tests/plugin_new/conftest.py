from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from crm_core.testing.projects import metadata_of

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def in_project(tmp_path: Path) -> Run:
    """Runs Python in a process in which the distribution of a folder looks installed."""

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        site = tmp_path / "site"
        site.mkdir(exist_ok=True)
        metadata_of(folder, site)
        paths = [str(site), str(folder), *(str(Path(each).resolve()) for each in sys.path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def tests_of(in_project: Run) -> Run:
    """Runs the tests of the project in a folder."""
    known = bool(entry_points(group="pytest11", name="crm_core"))
    extra = () if known else ("-p", "crm_core.testing.plugin")

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        plain = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *extra)
        return in_project(folder, *plain, *arguments)

    return run
