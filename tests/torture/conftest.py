"""The programs of ``torture`` in processes of their own, with something planted in the kernel where a test says so."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]


@attrs.frozen
class Ended:
    """How a program ended."""

    code: int
    out: str


@pytest.fixture
def torture(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Ended]:
    """Runs a program on the kind of database of this run; ``planted`` is Python that is run before."""

    def run(program: str, *options: object, planted: str = "") -> Ended:
        script = tmp_path / "script.py"
        script.write_text(
            f"{textwrap.dedent(planted)}\nfrom torture.__main__ import main\nif __name__ == '__main__':\n    main()\n"
        )
        database = "postgresql" if request.config.getoption("postgresql") else "sqlite"
        path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
        ended = subprocess.run(
            [sys.executable, script, program, "--database", database, "--seed", "7", *map(str, options)],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=800,
            check=False,
        )  # fmt: skip
        return Ended(ended.returncode, ended.stdout + ended.stderr)

    return run
