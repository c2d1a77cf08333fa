#!/usr/bin/env python3
"""Compare the public API with that of the last release, and name what breaks whoever uses it.

Public is what ``crm_core`` exports, and what its modules name in ``__all__``. A release is a tag ``v1.2.3``. What is
removed or changed on purpose stands in ``downstream/accepted.txt``, a line each as it is printed here, until the next
release. Ends with 1 when anything else breaks, and with 0 where there is no release yet.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "crm_core"
_PRIVATE = ("crm_core.cli", "crm_core.testing.conformance.checks", "crm_core.migrations")
"""The command line is used as commands; checks and revisions by those who run them."""


def last_release(repository: Path) -> str | None:
    """The newest tag of a release that is an ancestor of what is checked out."""
    ended = subprocess.run(  # git is what the path says it is
        ["git", "-C", str(repository), "tag", "--merged", "HEAD", "--sort=-version:refname", "--list", "v[0-9]*"],  # noqa: S607
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return next((tag for tag in ended.stdout.split() if re.fullmatch(r"v\d+(\.\d+)+", tag)), None)


def breakages(repository: Path, release: str, package: str = PACKAGE) -> Iterator[str]:
    """What breaks, a line each: the path of the object and what became of it."""
    old = griffe.load_git(package, ref=release, repo=repository, resolve_aliases=True, resolve_external=False)
    new = griffe.load(package, search_paths=[repository], resolve_aliases=True, resolve_external=False)
    for each in griffe.find_breaking_changes(old, new):
        if not each.obj.path.startswith(_PRIVATE):
            yield f"{each.obj.path}: {each.kind.value}"


def accepted(file: Path) -> set[str]:
    """The lines that were accepted; a line that begins with # is a remark."""
    if not file.exists():
        return set()
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line and not line.startswith("#")}


def main(arguments: list[str] | None = None) -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repository", type=Path, default=ROOT)
    parser.add_argument("--against", metavar="REF", help="a tag or commit; else the last release")
    parser.add_argument("--package", default=PACKAGE)
    given = parser.parse_args(arguments)
    release = given.against or last_release(given.repository)
    if release is None:
        print("There is no release yet, so nothing can break.")
        return 0
    known = accepted(given.repository / "downstream" / "accepted.txt")
    found = sorted(set(breakages(given.repository, release, given.package)) - known)
    for line in found:
        print(line)
    print(f"{len(found)} breaking changes since {release}" + (f", {len(known)} accepted" if known else ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
