"""The command in a process of its own, with plugins that look installed there."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.forked import ask

from . import leaver

REPOSITORY = Path(__file__).parents[2]

MANIFEST = """\
from crm_core.assembly.manifest import Manifest

manifest = Manifest(name={name!r}, version="1.0", crm_core=">=0.1,<1", module="crm_{name}.plugin", **{options!r})
"""


@attrs.frozen
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str


@attrs.frozen
class Site:
    """A folder with distributions, as pip would leave them."""

    folder: Path

    def add(self, name: str, *, package: str = "", manifest: str = "", plugin: str = "", **options: object) -> Path:
        """Write the distribution ``crm-<name>``; texts are put before what its modules hold anyway."""
        home = self.folder / f"crm_{name}"
        home.mkdir()
        self._info(name)
        (home / "__init__.py").write_text(textwrap.dedent(package), encoding="utf-8")
        text = textwrap.dedent(manifest) + MANIFEST.format(name=name, options=options)
        (home / "manifest.py").write_text(text, encoding="utf-8")
        (home / "plugin.py").write_text(textwrap.dedent(plugin), encoding="utf-8")
        return home

    def add_leaver(self) -> Path:
        """Install the distribution ``crm-leaver``."""
        home = self.folder / "crm_leaver"
        shutil.copytree(leaver.DIST / "crm_leaver", home, ignore=shutil.ignore_patterns("__pycache__"))
        self._info("leaver")
        return home

    def take(self, name: str) -> None:
        """Uninstall a distribution."""
        shutil.rmtree(self.folder / f"crm_{name}")
        shutil.rmtree(self.folder / f"crm_{name}-1.0.dist-info")

    def _info(self, name: str) -> None:
        info = self.folder / f"crm_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: crm-{name}\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(
            f"[crm_core.plugins]\n{name} = crm_{name}.manifest:manifest\n", encoding="utf-8"
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Distributions for this test alone."""
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder)


@pytest.fixture
def command(site: Site, tmp_path: Path, crm_server: str) -> Callable[..., Ended]:
    """Runs ``crm`` in a process of its own (:mod:`tests.forked`), where the distributions of ``site`` are installed."""

    def run(*args: object, code: int | None = 0, **environ: str) -> Ended:
        kept = {name: os.environ[name] for name in os.environ if name.startswith("COVERAGE")}
        path = os.pathsep.join((str(site.folder), str(REPOSITORY), os.environ.get("PYTHONPATH", "")))
        whole = {"PATH": os.environ["PATH"], "PYTHONPATH": path, **kept, **environ}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull, "rb") as nothing:
            streams = [stream.fileno() for stream in (nothing, out, err)]
            ended = ask(crm_server, [str(each) for each in args], str(tmp_path), whole, streams)
            said = []
            for stream in (out, err):
                stream.seek(0)
                said.append(stream.read().decode())
        assert code is None or ended == code, (ended, *said)
        return Ended(ended, *said)

    return run


@pytest.fixture(scope="session", autouse=True)
def leaver_installed() -> Iterator[None]:
    """The distribution ``crm-leaver`` can be imported."""
    sys.path.insert(0, str(leaver.DIST))
    yield
    sys.path.remove(str(leaver.DIST))


@pytest.fixture
def opened(database_url: str) -> Iterator[Callable[..., Any]]:
    """Opens the CRM on the database of the test, with the plugin or without; closed with the test."""
    made = []

    def make(*, without: tuple[str, ...] = (), **options: Any) -> Any:
        crm = leaver.open_crm(database_url, without=without, **options)
        made.append(crm)
        return crm

    yield make
    for crm in made:
        crm.close()


@pytest.fixture
def company(fill_database: Any, opened: Callable[..., Any]) -> leaver.Company:
    """A small company whose people use the plugin."""
    ids, sets = fill_database(_found)
    return leaver.Company(opened(), ids, sets)


def _found(url: str) -> tuple[dict[str, int], dict[str, int]]:
    with leaver.open_crm(url, check=False) as crm:
        crm.migrate()
        company = leaver.found(crm)
    return company.ids, company.sets
