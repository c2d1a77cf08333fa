"""Stands for ``pip`` in examples: installs a folder for the page alone, and touches no environment.

``pip install --editable FOLDER`` writes the metadata that setuptools makes of the folder beside the page, and lets the
folder be imported from. A name is taken to be installed already, which is checked.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Do what pip would do for these arguments."""
    if arguments[:1] != ["install"]:
        sys.exit(f"Only 'pip install' is known here, not: {arguments}")
    state = Path(os.environ["DOCS_STATE"])
    for target in (each for each in arguments[1:] if not each.startswith("-")):
        if Path(target, "pyproject.toml").is_file():
            _install(Path(target).resolve(), state)
        else:
            importlib.metadata.version(re.split(r"[\[<>=~! ]", target)[0])


def _install(folder: Path, state: Path) -> None:
    from setuptools import build_meta

    here = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(sys.stderr if os.environ.get("DOCS_DEBUG") else open(os.devnull, "w")):
            build_meta.prepare_metadata_for_build_editable(str(state / "site"))
    finally:
        os.chdir(here)
    listed = state / "installed"
    folders = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    listed.write_text("\n".join(dict.fromkeys([str(folder), *folders])) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
