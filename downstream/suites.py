#!/usr/bin/env python3
"""Run the suite of every plugin of this repository against the kernel, each in a process of its own.

A plugin sees the kernel, itself and what it requires: what it uses of another plugin without requiring it is missing
here, as it would be at a customer's. Suites outside of the repository are named on the command line.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def suites(root: Path = ROOT) -> dict[str, Path]:
    """The folders of distributions that have tests, by name."""
    return {folder.name: folder for folder in sorted((root / "plugins").iterdir()) if (folder / "tests").is_dir()}


def requirements(folder: Path, known: dict[str, Path]) -> list[Path]:
    """The folders of those among the known distributions that one needs, with what they need."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: list[Path] = []
    for line in project.get("dependencies", ()):
        name = line.split(";")[0].split("[")[0].rstrip("<>=!~ .0123456789devab,").strip()
        if name in known:
            found += [known[name], *requirements(known[name], known)]
    return found


def run(folder: Path, known: dict[str, Path], arguments: list[str]) -> tuple[int, str, float]:
    """The exit code of a suite, its last line, and how long it took in seconds."""
    path = os.pathsep.join(str(each) for each in (ROOT, folder, *requirements(folder, known)))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(ROOT),
        str(folder / "tests"),
    ]
    begun = time.monotonic()
    ended = subprocess.run(
        [*command, *arguments, str(folder / "tests")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in ended.stdout.splitlines() if line.strip()]
    if ended.returncode:
        sys.stderr.write(ended.stdout + ended.stderr)
    return ended.returncode, lines[-1] if lines else "nothing was printed", time.monotonic() - begun


def main(given: list[str] | None = None) -> int:
    """Run the suites and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("suites", nargs="*", help="names of distributions here, or folders of others; else all here")
    parser.add_argument("--pytest", action="append", default=[], metavar="ARGUMENT", help="an argument for pytest")
    asked = parser.parse_args(given)
    known = suites()
    chosen = {each: known.get(each) or Path(each) for each in asked.suites} or known
    missing = [name for name, folder in chosen.items() if not (folder / "pyproject.toml").is_file()]
    if missing:
        parser.error(f"there is no distribution {', '.join(missing)}; here are {', '.join(known)}")
    failed = 0
    for name, folder in chosen.items():
        code, line, seconds = run(folder, known, asked.pytest)
        failed += code != 0
        print(f"{'FAILED' if code else 'passed'}  {name:28} {seconds:6.1f} s  {line}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
