"""Who is measured, each in a process of its own that is ordered by lines of JSON."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import attrs

from benchmarks.peers.data import PAGE, USERS
from benchmarks.peers.environments import ENVIRONMENTS, clean, prepared

__all__ = ["BASE", "PEERS", "Kind", "Side", "SideFailed", "repository_plugins", "with_required"]

_SCRIPTS = Path(__file__).parent / "scripts"
_PLUGINS = Path(__file__).parents[2] / "plugins"
PATIENCE = 1800.0
"""Seconds that one job may take."""


class SideFailed(Exception):
    """A side could not do what it was told; the text says why."""


def repository_plugins() -> list[str]:
    """The names of the plugins in this repository."""
    import tomllib

    found = []
    for path in sorted(_PLUGINS.glob("*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        found += list(project["entry-points"]["crm_core.plugins"])
    return found


def with_required(plugin: str) -> list[str]:
    """A plugin after those that it requires."""
    (found,) = entry_points(group="crm_core.plugins", name=plugin)
    return [*dict.fromkeys(each for other in found.load().requires for each in with_required(other)), plugin]


@attrs.frozen
class Kind:
    """Somebody who is measured: a title, a script, where it runs, and how it goes on from a page."""

    name: str
    title: str
    script: str
    deep: str = "keyset"
    environment: str | None = None
    options: Mapping[str, Any] = attrs.field(factory=dict)

    def python(self, here: bool) -> Path:
        """The Python that runs it; raises :class:`~benchmarks.peers.environments.Unavailable`."""
        if self.environment is None:
            return Path(sys.executable)
        return prepared(ENVIRONMENTS[self.environment], here=here)


def ours(name: str, title: str, plugins: list[str], *, access: bool = False) -> Kind:
    """The kernel with these plugins; with ``access`` written by a user whose rights are checked."""
    return Kind(name, title, "ours.py", options={"plugins": plugins, "access": access})


BASE = ours("ours", "crm-core, everything on", repository_plugins(), access=True)
"""What the others are compared with."""

PEERS: Mapping[str, Kind] = {
    each.name: each
    for each in (
        ours("kernel", "crm-core, kernel alone", []),
        Kind("core", "SQLAlchemy Core", "core.py"),
        Kind("raw", "driver alone", "raw.py"),
        Kind("django", "Django 5.2", "django_side.py", "offset", "django"),
        Kind("tryton", "Tryton 8.2", "tryton_side.py", "offset", "tryton"),
        Kind("creme", "Creme CRM 2.8", "creme_side.py", "offset", "creme"),
    )
}
"""The others, by the names of the option ``--side``."""


class Side:
    """A running process."""

    def __init__(
        self, kind: Kind, python: Path, database: Mapping[str, Any], data: Path, folder: Path, *, fresh: bool = False
    ) -> None:
        self.kind = kind
        given = {
            "database": database, "data": str(data), "folder": str(folder), "users": USERS, "page": PAGE,
            "fresh": fresh, **kind.options,
        }  # fmt: skip
        # Modules that are compiled at every start would be slow to start, whoever they belong to.
        environment = {**(clean() if kind.environment else os.environ), "PYTHONDONTWRITEBYTECODE": ""}
        self._log = folder / f"{kind.name}.log"
        with self._log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [str(python), str(_SCRIPTS / kind.script), json.dumps(given)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8",
                env=environment,
            )  # fmt: skip
        try:
            self.memory = float(self._answer()["memory"])
        except BaseException:
            self.close()
            raise

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Let it do something; raises :class:`SideFailed`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise SideFailed(self._died()) from error
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        if not ready:
            self._process.kill()
            raise SideFailed(f"it did not answer within {PATIENCE:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise SideFailed(self._died())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SideFailed(str(answer["error"]))
        return answer

    def _died(self) -> str:
        code = self._process.wait(10)
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"it ended with {code}: {lines[-1] if lines else 'without a word'}"

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(OSError):  # it ended before us, and nobody reads what was left
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
