"""A CRM with jobs of a plugin that is made for the test."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_core import Crm, Manifest
from crm_core.assembly import given, kernel
from crm_core.records import KERNEL

HEADER = """
    from crm_core import Account, Job, hookimpl
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Manifest]]:
    """Writes a plugin and returns its manifest."""
    made: list[str] = []

    def make(name: str, source: str) -> Manifest:
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(textwrap.dedent(HEADER) + textwrap.dedent(source), encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        importlib.invalidate_caches()
        made.append(name)
        return Manifest(name=name, version="1.0", crm_core=">=0.1.0.dev0,<1", module=name)

    yield make
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def open_crm(database_url: str, fill_database: Any) -> Iterator[Callable[..., Crm]]:
    """Opens a CRM with these plugins on the test's database."""
    opened: list[Crm] = []

    def make(*manifests: Manifest, sections: Any = None, clock: Any = None, **settings: Any) -> Crm:
        # What the kernel does by the clock is not what these tests are about.
        silent = {job.name: {"schedule": ""} for job in kernel.crm_register_jobs() if job.schedule}
        given_jobs = (sections or {}).get("jobs", {})
        config = {
            "crm": {"plugins": [each.name for each in manifests], **settings},
            **(sections or {}),
            "jobs": silent | given_jobs,
        }
        if not opened:
            fill_database(_tables)
        crm = Crm.open(config, database=database_url, check=False, discovery=given(*manifests), clock=clock)
        if not opened and any(record_type.plugin != KERNEL for record_type in crm.types.values()):
            crm.store.create_all()
        opened.append(crm)
        return crm

    yield make
    for crm in opened:
        crm.close()


def _tables(url: str) -> None:
    with Crm.open({}, database=url, check=False) as crm:
        crm.store.create_all()
