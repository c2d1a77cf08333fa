#!/usr/bin/env python3
"""Compare the public API with that of the last release, and name what breaks whoever uses it.

Public are the modules of ``PUBLIC_MODULES`` in ``crm_core.testing.conformance.public``, which the conformance kit
allows plugins to import from, with the names that they export, as the release had them; and the parameters of the
hooks. A release is a tag ``v1.2.3``. What is removed or changed on purpose stands in ``downstream/accepted.txt``, a
line each as it is printed here, until the next release. Ends with 1 when anything else breaks, and with 0 where there
is no release yet.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "crm_core"
_LIST = "testing.conformance.public.PUBLIC_MODULES"
HOOKS = tuple(f"crm_core.hooks.{family}" for family in ("registration", "checks", "gathering", "events"))
"""Where the hooks are declared, which plugins implement and do not import."""


def last_release(repository: Path) -> str | None:
    """The newest tag of a release that is an ancestor of what is checked out."""
    ended = subprocess.run(  # git is what the path says it is
        ["git", "-C", str(repository), "tag", "--merged", "HEAD", "--sort=-version:refname", "--list", "v[0-9]*"],  # noqa: S607
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return next((tag for tag in ended.stdout.split() if re.fullmatch(r"v\d+(\.\d+)+", tag)), None)


def breakages(repository: Path, release: str, package: str = PACKAGE) -> Iterator[str]:
    """What breaks, a line each: the path of the object and what became of it."""
    options: dict[str, Any] = {"resolve_aliases": True, "resolve_external": False}
    old: Any = griffe.load_git(package, ref=release, repo=repository, **options)
    new: Any = griffe.load(package, search_paths=[repository], try_relative_path=False, **options)
    was, is_ = public_modules(old), public_modules(new)
    if was is None:
        yield from (f"{each.obj.path}: {each.kind.value}" for each in griffe.find_breaking_changes(old, new))
        return
    for name in was:
        before, after = module(old, name), module(new, name)
        if before is None:
            continue  # the release named what it did not have
        if after is None or name not in (is_ or ()):
            yield f"{name}: The module is no longer public"
            continue
        # Exactly what is exported is compared, wherever it is defined; modules below it count where they are named.
        before.exports, after.exports = exported(before), exported(after)
        for member in before.modules.values():
            member.public = member.name in (before.exports or ())
        for each in griffe.find_breaking_changes(before, after):
            # A plugin need not take all that a hook gives.
            if name not in HOOKS or each.kind is not griffe.BreakageKind.PARAMETER_ADDED_REQUIRED:
                yield f"{each.obj.path}: {each.kind.value}"


def public_modules(package: Any) -> tuple[str, ...] | None:
    """The modules that a version of a package says are public, with those of the hooks; ``None`` if it does not say."""
    try:
        said = package[_LIST].value
    except KeyError:
        return None
    return (*ast.literal_eval(str(said)), *HOOKS)


def module(package: Any, name: str) -> Any:
    """A module of a package by its whole name; ``None`` where there is none."""
    try:
        return package[name.removeprefix(f"{package.path}.")] if name != package.path else package
    except KeyError:
        return None


def exported(of: Any) -> set[str] | None:
    """The names that a module exports: those of ``__all__``; what it imports, where that is computed.

    ``None`` where it has no ``__all__``.
    """
    if of.exports is None or all(isinstance(name, str) for name in of.exports):
        return None if of.exports is None else set(of.exports)
    return {
        name
        for name, member in of.members.items()
        if member.is_alias and member.target_path.partition(".")[0] not in sys.stdlib_module_names
    }


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
