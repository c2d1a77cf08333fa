"""Runs the steps of a page in this process, one after the other, and writes down what each printed.

Started by :mod:`examples` with the folder that holds ``steps.json``. It imports nothing of the project, so that an
example finds a fresh interpreter.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import traceback
import types
from pathlib import Path


def main(state: Path) -> None:
    """Run all steps, up to the first that fails although it should not."""
    given = json.loads((state / "steps.json").read_text(encoding="utf-8"))
    program = types.ModuleType("__main__")
    program.__file__ = given["page"]
    sys.modules["__main__"] = program
    sys.path[0] = ""
    results = []
    for step in given["steps"]:
        failed, printed = globals()[f"do_{step['do']}"](step, state, program)
        results.append({"failed": failed, "printed": printed})
        (state / "results.json").write_text(json.dumps(results), encoding="utf-8")
        if failed and not step.get("fails"):
            break


def do_write(step: dict, _state: Path, _program: types.ModuleType) -> tuple[bool, str]:
    """Write a file that the page shows."""
    path = Path(step["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(step["code"], encoding="utf-8")
    return False, ""


def do_python(step: dict, state: Path, program: types.ModuleType) -> tuple[bool, str]:
    """Run a block of the page's program; its traceback names the lines of the page."""
    printed = io.StringIO()
    for folder in reversed(_installed(state)):
        if folder not in sys.path:
            sys.path.insert(1, folder)
    try:
        with contextlib.redirect_stdout(printed):
            code = compile("\n" * (step["line"] - 1) + step["code"], str(program.__file__), "exec")
            exec(code, program.__dict__)  # the documentation is ours
    except BaseException:
        return True, printed.getvalue() + traceback.format_exc()
    return False, printed.getvalue()


def do_shell(step: dict, state: Path, _program: types.ModuleType) -> tuple[bool, str]:
    """Run commands; what they set in the environment, and where they go, holds for the next ones."""
    kept, where = state / "environment", state / "folder"
    script = "\n".join([
        "set -ea",
        f'trap \'export -p > "{kept}"; pwd > "{where}"\' EXIT',
        f'[ ! -f "{kept}" ] || . "{kept}"',
        f'PYTHONPATH="{os.pathsep.join([*_installed(state), os.environ.get("PYTHONPATH", "")])}"',
        step["code"],
    ])  # fmt: skip
    ran = subprocess.run(
        ["bash", "-c", script],  # the reader's own bash
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    os.chdir(where.read_text(encoding="utf-8").strip())
    return ran.returncode != 0, ran.stdout


def _installed(state: Path) -> list[str]:
    """The folders of distributions that the page has installed."""
    path = state / "installed"
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


if __name__ == "__main__":
    main(Path(sys.argv[1]))
