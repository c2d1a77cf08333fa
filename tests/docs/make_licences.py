"""Writes the table of licences, from what the installed distributions say of themselves.

Run it after a change of what is required: ``.venv/bin/python tests/docs/make_licences.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageMetadata, metadata, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/licences.md"
BEGIN = "<!-- The rest is written by tests/docs/make_licences.py. -->\n"
PARTS = {"": "always", "postgresql": "`crm-core[postgresql]`", "plugin-template": "`crm-core[plugin-template]`",
         "testing": "`crm-core[testing]`"}  # fmt: skip
"""The extras, in the order in which they are told."""

ALLOWED = frozenset(
    {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD", "ISC", "MIT", "PSF-2.0", "Unlicense", "MPL-2.0"}
)
"""Licences that ask nothing of whoever builds upon a library, or (MPL) only of changes in its own files."""
KNOWN = {
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "python-stdnum": "LGPL-2.1-or-later",
    "jinja2-ansible-filters": "GPL-3.0",
}
"""Distributions with other licences, each of which was looked at; the page says what that means."""

_SPELT = {
    "GPL3": "GPL-3.0", "Apache 2.0": "Apache-2.0", "BSD License": "BSD", "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
}  # fmt: skip


def licence(found: PackageMetadata) -> str:
    """The licence as an expression of SPDX, as far as a distribution tells it."""
    expression = found.get("License-Expression")
    if expression:
        return str(expression)
    classified = [
        each.rpartition(" :: ")[2] for each in found.get_all("Classifier") or () if each.startswith("License")
    ]
    told = (found.get("License") or "").strip()
    if re.fullmatch(r"[\w.+-]+", told) and told not in ("LGPL", "BSD"):
        return _SPELT.get(told, told)
    return _SPELT.get(told) or " AND ".join(_SPELT.get(each, each) for each in classified) or told or "unknown"


def distributions(extra: str) -> dict[str, set[str]]:
    """All that is needed for an extra ("" for what is always), by name, each with who requires it."""
    found: dict[str, set[str]] = {}

    def walk(name: str, extras: frozenset[str], among: str | None) -> None:
        for each in map(Requirement, requires(name) or ()):
            marker = each.marker
            if marker is not None and not any(marker.evaluate({"extra": one}) for one in ("", *extras)):
                continue
            if among is not None and (marker is None or not marker.evaluate({"extra": among})):
                continue
            new = canonicalize_name(each.name)
            seen = new in found
            found.setdefault(new, set()).add(name)
            if not seen:
                walk(new, frozenset(each.extras), None)

    walk("crm-core", frozenset({extra} if extra else ()), extra or None)
    return found


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Name, licence, the part it is needed for, and who requires it; each distribution once, at the first part."""
    told: set[str] = set()
    for extra, part in PARTS.items():
        for name, by in sorted(distributions(extra).items()):
            if name not in told:
                told.add(name)
                yield name, licence(metadata(name)), part, ", ".join(sorted(by))


def strange() -> Mapping[str, str]:
    """Distributions whose licence nobody has looked at yet."""
    return {
        name: said
        for name, said, _, _ in rows()
        if KNOWN.get(name) != said and not all(any(one in ALLOWED for one in each.strip("() ").split(" OR "))
                                               for each in said.split(" AND "))
    }  # fmt: skip


def page() -> str:
    """The whole page as it should be."""
    lines = ["| distribution | licence | needed for | required by |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {said} | {part} | {by} |" for name, said, part, by in rows()]
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[0] + BEGIN + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
