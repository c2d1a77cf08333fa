"""Raw connections bypass visibility and journal: only the store, jobs, migrations and the test kit may use them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = ("crm_core/store/", "crm_core/migrations/", "crm_core/jobs/", "crm_core/testing/")
RAW = {"exec_driver_sql", "connection", "raw_connection", "driver_connection", "core", "core_connection"}


def sources() -> list[Path]:
    found = [*ROOT.glob("crm_core/**/*.py"), *ROOT.glob("plugins/*/crm_*/**/*.py")]
    return [path for path in found if "/migrations/" not in path.as_posix().removeprefix(ROOT.as_posix())]


def raw_calls(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        f"{path.relative_to(ROOT)}:{node.lineno} .{node.func.attr}()"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RAW
    ]


def test_only_the_store_uses_raw_connections() -> None:
    outside = [path for path in sources() if not path.relative_to(ROOT).as_posix().startswith(ALLOWED)]
    assert outside
    assert [call for path in outside for call in raw_calls(path)] == []


def test_the_search_would_find_one(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.ROOT", tmp_path)
        bad = tmp_path / "bad.py"
        bad.write_text("session.connection().exec_driver_sql('select 1')", encoding="utf-8")
        assert len(raw_calls(bad)) == 2
