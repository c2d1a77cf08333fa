"""A plugin's tables that are no records, without ids and with bytes: removed and brought back, once and interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from crm_core.leaving import restoring
from crm_core.leaving.removing import plan_removal, remove
from crm_core.leaving.restoring import restore
from crm_core.store.migrations import MigrationSource

from .leaver import Company

ROWS = [("a", b"\x00\xff"), ("a", b"\x00\xff"), ("b", b""), ("c", None), ("seed", b"\x01")]


class Killed(BaseException):
    """Nobody catches it."""


@pytest.fixture
def removed(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin with a technical table, into which its first revision writes a row; removed."""
    import crm_leaver  # there once the fixture has made it so

    revisions = tmp_path / "migrations"
    shutil.copytree(Path(crm_leaver.__file__).parent / "migrations", revisions)
    first = next(revisions.glob("0001*"))
    source = first.read_text(encoding="utf-8")
    made = (
        '"""To revision 0001."""\n'
        '    op.create_table("leaver__cache", sa.Column("key", c.stored_text(9)),\n'
        '                    sa.Column("body", sa.LargeBinary()))\n'
        "    op.execute(sa.text(\"INSERT INTO leaver__cache (key, body) VALUES ('seed', :body)\")"
        '.bindparams(body=b"\\x01"))\n'
    )
    changed = source.replace('"""To revision 0001."""\n', made, 1)
    changed = changed.replace('op.drop_table("leaver__profile")', 'op.drop_table("leaver__profile")\n    '
                              'op.drop_table("leaver__cache")')  # fmt: skip
    assert changed.count("leaver__cache") == 3
    first.write_text(changed, encoding="utf-8")
    kind = "BLOB" if company.crm.store.dialect == "sqlite" else "BYTEA"
    with company.crm.store.engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE leaver__cache (key VARCHAR(9), body {kind})"))
        connection.execute(text("INSERT INTO leaver__cache VALUES (:key, :body)"),
                           [{"key": key, "body": body} for key, body in ROWS])  # fmt: skip
    monkeypatch.setattr(restoring, "_source", lambda crm, exported: MigrationSource("leaver", revisions))
    remove(company.crm, plan_removal(company.crm, "leaver", tmp_path / "out"))
    return tmp_path / "out"


def cached(crm: Any) -> list[tuple[str, bytes | None]]:
    with crm.store.engine.connect() as connection:
        found = connection.execute(text("SELECT key, body FROM leaver__cache"))
        rows = [(key, None if body is None else bytes(body)) for key, body in found]
    return sorted(rows, key=repr)


def test_bytes_and_equal_rows_come_back_as_they_were(opened: Callable[..., Any], removed: Path) -> None:
    crm = opened(check=False)
    restore(crm, removed)
    assert cached(crm) == sorted(ROWS, key=repr)


def test_a_restoration_that_is_run_again_brings_nothing_twice(opened: Callable[..., Any], removed: Path) -> None:
    crm = opened(check=False)

    def killed_once_the_rows_are_there(what: str, name: str, rows: int) -> None:
        if what == "insert":
            raise Killed

    with pytest.raises(Killed):
        restore(crm, removed, killed_once_the_rows_are_there)
    restore(crm, removed)
    assert cached(crm) == sorted(ROWS, key=repr)
