"""A folder in which mutmut changes a copy of the kernel and runs its tests, without touching the repository."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import click

from torture.mutation.areas import ROOT, Area

__all__ = ["Failed", "Ground", "alone"]

_COPIED = ("conftest.py", "constraints.txt", "docs", "examples", "plugins", "README.md", "tests", "torture")
"""What tests read besides the kernel."""

_LEFT_OUT = (r"^\s*raise\b", r"fail\(", r"^\s*assert\b", r"^\s*(mend|problem)\b.*= ")
"""Lines that are not changed: what an error says, which is not what it decides, and what is there for the type checker.
Whether an error is raised stands in a line before."""

_SETTINGS = """
[tool.mutmut]
source_paths = ["crm_core"]
only_mutate = {only}
also_copy = {copied}
do_not_mutate_patterns = {left_out}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:randomly"]
pytest_add_cli_args_test_selection = {tests}
timeout_multiplier = 10.0
timeout_constant = 5.0
track_dependencies = false
use_git_change_detection = false
use_setproctitle = false
"""

_MAKE = "from mutmut import __main__ as run; from mutmut.mutation.trampoline import set_mutant_under_test as under; \
under('mutant_generation'); run.copy_src_dir(); run.copy_also_copy_files(); run.setup_source_paths(); \
run.create_mutants(1)"


class Failed(Exception):
    """mutmut came to no end; the message is the end of what it said."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep another run out of the folder: while one copies the tests, those of the other fail, and seem to notice."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.UsageError(
                f"Another run is at work in {folder}. Wait for its end, or name another folder."
            ) from None
        yield


@attrs.frozen
class Ground:
    """One area's folder. What was found for a change stays there, and is not tried again in another run."""

    folder: Path
    area: Area
    files: Sequence[str]

    @property
    def mutants(self) -> Path:
        """The changed copy."""
        return self.folder / "mutants"

    def prepare(self) -> None:
        """Lay out the folder, and write every change into the copies of the modules."""
        self.mutants.mkdir(parents=True, exist_ok=True)
        for name in ("crm_core", "setup.cfg", *_COPIED):
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(ROOT / name)
        # All of the area, also those that are not tried now: mutmut looks but once which tests run through a function,
        # and takes a module that it copied unchanged for one that has no changes.
        settings = _SETTINGS.format(
            only=json.dumps([*self.area.files()]), copied=json.dumps([*_COPIED]), tests=json.dumps([*self.area.tests]),
            left_out=json.dumps([*_LEFT_OUT]),
        )  # fmt: skip
        own = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        (self.folder / "pyproject.toml").write_text(own + settings, encoding="utf-8")
        self._forget_stale_tests()
        self._run([sys.executable, "-c", _MAKE], "making the changes")

    def _forget_stale_tests(self) -> None:
        """Of a test that changed mutmut would not see that it runs through other functions now."""
        known = self.mutants / "mutmut-stats.json"
        places = [ROOT / test for test in self.area.tests]
        files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*.py"))]
        if known.exists() and any(file.stat().st_mtime > known.stat().st_mtime for file in files):
            known.unlink()

    def results(self, file: str) -> Mapping[str, int | None]:
        """Every change of a module with the exit code of its tests; ``None`` if they were not run."""
        meta = self.mutants / f"{file}.meta"
        found: dict[str, Any] = json.loads(meta.read_text(encoding="utf-8")) if meta.exists() else {}
        codes: dict[str, int | None] = found.get("exit_code_by_key", {})
        return codes

    def run(self, names: Iterable[str], processes: int) -> None:
        """Run the tests for these changes."""
        wanted = [*names]
        if wanted:
            command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(processes), *wanted]
            self._run(command, f"{self.area.name}, {len(wanted)} changes")

    def _run(self, command: Sequence[str], what: str) -> None:
        log = self.folder / "log.txt"
        nice = shutil.which("nice")
        places = [self.mutants, *self.mutants.glob("plugins/*"), *self.mutants.glob("tests/dists/crm-partner-*")]
        path = os.pathsep.join([*map(str, places), *_others()])
        # Whoever measures the coverage of this process does not mean the changed copy.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
        environment = {**inherited, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1",
                       "HYPOTHESIS_PROFILE": "mutation"}  # fmt: skip
        with log.open("w", encoding="utf-8") as out:
            ended = subprocess.run(
                command if nice is None else [nice, *command], cwd=self.folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
        if ended.returncode:
            said = log.read_text(encoding="utf-8").replace("\r", "\n").splitlines()
            raise Failed(f"{what}: mutmut ended with {ended.returncode}.\n" + "\n".join(said[-40:]))


def _others() -> list[str]:
    """What this process finds modules by, without the sources that are to be changed."""
    sources = (ROOT, *ROOT.glob("plugins/*"), *ROOT.glob("tests/dists/*"))
    return [place for place in sys.path if place and Path(place).resolve() not in {each.resolve() for each in sources}]
