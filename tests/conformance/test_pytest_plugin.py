"""The pytest plugin: found by its entry point, it gives a partner's tests databases without a line of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import crm_core

SUITE = """
from crm_core import Crm

def test_a_database(database_url, request):
    assert database_url.startswith({scheme!r})
    assert [each.name for each in request.node.iter_markers()] == ["store"]
    with Crm.open({{}}, database=database_url, check=False) as crm:
        crm.migrate()
        crm.check()
"""


@pytest.fixture
def partner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project elsewhere, in an environment where crm-core is installed with its entry point."""
    info = tmp_path / "site" / "crm_core_entry-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crm-core-entry\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[pytest11]\ncrm_core = crm_core.testing.plugin\n", encoding="utf-8")
    places = [str(info.parent), str(Path(crm_core.__file__).parents[1])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))
    for name in ("CRM_TEST_POSTGRESQL", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n", encoding="utf-8")
    return project


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=200)


def test_the_fixtures_are_there_without_a_conftest(partner):
    (partner / "test_it.py").write_text(SUITE.format(scheme="sqlite:///"), encoding="utf-8")
    ended = run(partner, "-m", "store")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout


@pytest.mark.usefixtures("postgresql_server")
def test_one_option_gives_postgresql(partner):
    (partner / "test_it.py").write_text(SUITE.format(scheme="postgresql+psycopg://"), encoding="utf-8")
    ended = run(partner, "--postgresql")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout


def test_it_does_not_load_the_kernel(partner):
    """Everybody who has crm-core installed loads it in every run of pytest."""
    code = "import sys, crm_core.testing.plugin; print(sorted({'sqlalchemy', 'hypothesis'} & sys.modules.keys()))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_distribution_declares_it():
    text = (Path(crm_core.__file__).parents[1] / "setup.cfg").read_text(encoding="utf-8")
    assert "pytest11 =\n    crm_core = crm_core.testing.plugin\n" in text
