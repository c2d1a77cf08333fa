"""``python -m crm_core.translation PACKAGE...``: bring the catalogues of packages up to date.

Writes the texts found in each package into its ``locale/zh_CN/LC_MESSAGES/<plugin>.po`` and tells which want a
translation. With ``--check`` it only tells, and ends with 1 when anything does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from crm_core.translation.update import flaws, update


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m crm_core.translation", description=__doc__)
    parser.add_argument("packages", nargs="+", type=Path, metavar="PACKAGE", help="the folder of a package")
    parser.add_argument("--language", default="zh_CN", help="the language of the catalogue (zh_CN)")
    parser.add_argument("--check", action="store_true", help="change nothing")
    given = parser.parse_args(arguments)
    wrong = 0
    for package in given.packages:
        if not package.is_dir():
            parser.error(f"there is no folder {package}")
        if not given.check:
            update(package.resolve(), language=given.language)
        for flaw in flaws(package.resolve(), language=given.language):
            print(f"{package}: {flaw}")
            wrong += 1
    return 1 if wrong and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
