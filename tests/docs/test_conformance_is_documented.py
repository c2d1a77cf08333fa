"""The reference of the conformance kit names every check, and every module that a plugin may import from."""

from __future__ import annotations

import re
from pathlib import Path

from make_conformance import PAGE, page

from crm_core.testing.conformance.public import PUBLIC_MODULES, exports

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_are_those_of_the_kit() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: .venv/bin/python tests/docs/make_conformance.py"


def test_what_the_documentation_imports_is_public() -> None:
    """Otherwise an author who copies an example is told by the kit that it may break in any version."""
    found = []
    for path in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]:
        if "_build" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        for module, names in re.findall(r"^ *from (crm_core[\w.]*) import (.+)$", text, re.MULTILINE):
            for name in re.findall(r"\w+", re.sub(r"#.*| as \w+", "", names)):
                if module not in PUBLIC_MODULES or name not in exports(module):
                    found.append(f"{path.relative_to(DOCS.parent)}: from {module} import {name}")
    assert found == []


def test_what_is_public_can_be_imported() -> None:
    assert [name for name in PUBLIC_MODULES if not exports(name)] == []
