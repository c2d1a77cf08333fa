"""Writes the tables of the reference of the conformance kit: its checks, and what a plugin may import.

Run it after a change of either: ``.venv/bin/python tests/docs/make_conformance.py``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from crm_core.testing import CHECKS
from crm_core.testing.conformance.public import PUBLIC_MODULES

PAGE = Path(__file__).parents[2] / "docs/reference/conformance.md"
BEGIN = "<!-- The rest is written by tests/docs/make_conformance.py. -->\n"


def page() -> str:
    """The whole page as it should be."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[0] + BEGIN + "\n" + "\n".join(_tables()) + "\n"


def _tables() -> list[str]:
    lines = ["## Checks", "", "| check | what it proves | uses a database |", "| --- | --- | --- |"]
    lines += [f"| `{each.name}` | {each.proves} | {'yes' if each.database else ''} |" for each in CHECKS]
    lines += ["", "## Public modules", "", "| module | what is in it |", "| --- | --- |"]
    return lines + [f"| `{name}` | {_said(name)} |" for name in PUBLIC_MODULES]


def _said(module: str) -> str:
    """The first sentence of the module's docstring."""
    paragraph = (import_module(module).__doc__ or "").strip().split("\n\n")[0]
    return " ".join(paragraph.split()).rstrip(".")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
