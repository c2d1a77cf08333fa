"""Every hook is in the reference with its parameters, and has a test that implements it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import attrs
import pytest

from crm_core.hooks import SPECS
from crm_core.store.changes import Change, ChangeBatch

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/hooks.md").read_text(encoding="utf-8")
TESTS = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("plugins/*/tests/**/test_*.py")]


@pytest.fixture(scope="module")
def implemented() -> set[str]:
    return {
        name
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef)
            else [hook for hook in SPECS if f"def {hook}(" in node.value]
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            else []
        )
    }


@pytest.mark.parametrize("hook", SPECS)
def test_the_reference_names_the_hook_with_its_parameters(hook: str) -> None:
    assert f"### `{SPECS[hook].signature}`" in REFERENCE


@pytest.mark.parametrize("hook", SPECS)
def test_a_test_implements_the_hook(hook: str, implemented: set[str]) -> None:
    assert hook in implemented


def test_the_reference_names_no_hook_that_is_gone() -> None:
    written = set(re.findall(r"^### `(crm_\w+)\(", REFERENCE, re.MULTILINE))

    assert written == set(SPECS)


@pytest.mark.parametrize(("word", "cls"), [("batch", ChangeBatch), ("change", Change)])
def test_the_reference_names_all_that_a_change_tells(word: str, cls: type) -> None:
    public = {name for name in dir(cls) if not name.startswith("_")} | {each.name for each in attrs.fields(cls)}
    public -= {"changes"}  # what one iterates over
    rows = re.findall(rf"^\| `{word}\.(\w+)", REFERENCE, re.MULTILINE)

    assert set(rows) == public
