from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_core.testing.projects import installed_projects

DISTS = Path(__file__).parents[1] / "dists"


@attrs.frozen
class Twin:
    """A plugin that is broken on purpose, with the check that must catch it and the findings that it must make."""

    folder: Path
    plugin: str
    check: str
    what: tuple[str, ...]
    where: str
    others: tuple[str, ...] = ()
    """Checks that cannot but find the same fault, too."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        # Its records are mapped once in this process, so its modules stay for the next test.
        with installed_projects(self.folder, forget=False):
            yield


def _twin(folder: Path) -> Twin:
    content: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    (plugin,) = content["project"]["entry-points"]["crm_core.plugins"]
    told = content["tool"]["conformance"]
    what = told["what"] if isinstance(told["what"], list) else [told["what"]]
    return Twin(folder, plugin, told["check"], tuple(what), told.get("where", ""), tuple(told.get("others", ())))


TWINS = [_twin(project.parent) for project in sorted(DISTS.glob("twins/*/pyproject.toml"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "twin" in metafunc.fixturenames:
        metafunc.parametrize("twin", TWINS, ids=[twin.folder.name for twin in TWINS])


@pytest.fixture(scope="session")
def twins() -> list[Twin]:
    """All of them."""
    return TWINS
