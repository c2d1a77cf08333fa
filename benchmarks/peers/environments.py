"""A virtual environment for each foreign system, made by pip with pinned versions and kept under ``.peers/``."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

__all__ = ["ENVIRONMENTS", "FOLDER", "Environment", "Unavailable", "clean", "prepared"]

_HERE = Path(__file__).parent
FOLDER = _HERE.parents[1] / ".peers"
"""Where the environments are; ``make clean`` removes it."""

_PATIENCE = 1200


class Unavailable(Exception):
    """A foreign system cannot be had here; the text says why."""


@attrs.frozen
class Environment:
    """What is installed. ``module`` is imported to know whether it is there; ``finish`` adds what pip does not."""

    name: str
    requirements: tuple[str, ...]
    module: str
    finish: Callable[[Path], None] | None = None

    @property
    def constraints(self) -> Path:
        """The versions."""
        return _HERE / f"constraints-{self.name}.txt"


def _add_owner(python: Path) -> None:
    """Tryton finds a module beside its others."""
    where = "import trytond.modules, os; print(os.path.dirname(trytond.modules.__file__))"
    answer = subprocess.run([python, "-c", where], env=clean(), capture_output=True, text=True, check=True)
    target = Path(answer.stdout.strip()) / "crm_benchmark_owner"
    shutil.copytree(
        _HERE / "scripts" / "tryton_owner", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )


ENVIRONMENTS: Mapping[str, Environment] = {
    each.name: each
    for each in (
        Environment("django", ("Django", "psycopg[binary]"), "django"),
        Environment(
            "tryton", ("trytond", "trytond_party", "trytond_sale_opportunity", "psycopg[binary,pool]"), "trytond",
            _add_owner,
        ),
        Environment("creme", ("creme-crm[pgsql]", "psycopg[binary]"), "creme"),
    )
}  # fmt: skip


def clean() -> dict[str, str]:
    """The environment variables of a foreign process: it must not see our packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DJANGO", "TRYTON"))}


def prepared(environment: Environment, *, here: bool = False, folder: Path | None = None) -> Path:
    """The Python that runs a foreign system, installed if it is not; ``here`` takes ours, if that can run it.

    Raises :class:`Unavailable` where it cannot be installed.
    """
    if here:
        if importlib.util.find_spec(environment.module) is None or environment.finish is not None:
            raise Unavailable(f"{environment.name} is not in this environment, and none was to be made for it")
        return Path(sys.executable)
    place = (folder or FOLDER) / environment.name
    python, stamp = place / "bin" / "python", place / "installed"
    wanted = "\n".join([sys.version, *environment.requirements, environment.constraints.read_text(encoding="utf-8")])
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        stamp.unlink(missing_ok=True)
        place.parent.mkdir(exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(place)])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--constraint", str(environment.constraints), *environment.requirements])
        stamp.write_text(wanted, encoding="utf-8")
    if environment.finish is not None:
        environment.finish(python)
    return python


def _run(command: list[str]) -> None:
    try:
        ended = subprocess.run(
            command, env=clean(), capture_output=True, text=True, check=False, timeout=_PATIENCE,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"it could not be installed: {error}") from error
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")] or ended.stderr.splitlines()
        raise Unavailable(f"it could not be installed: {(lines or ['pip said nothing'])[0][:300]}")
