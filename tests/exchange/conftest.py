"""What the tests of import and export share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from crm_core.assembly import Crm
from crm_core.exchange import ImportReport, run_import
from torture.fuzz import scene as fuzz

EXAMPLES = Path(__file__).parents[2] / "examples" / "imports"
BUILD: Mapping[str, Any] = {
    **fuzz.BUILD,
    "roles": {
        "importer": {
            "permissions": {"system.import": "all", "external_ref.*": "all", "account.*": "own", "contact.*": "own",
                            "affiliation.*": "own", "*.read": "own"}
        }
    },
}  # fmt: skip


@pytest.fixture
def open_crm(database_url: str, fill_database: Any) -> Iterator[Callable[..., Crm]]:
    """Open a build on the test's database."""
    opened: list[Crm] = []

    def open_(given: Any = BUILD) -> Crm:
        if not opened:
            fill_database(_tables, json.dumps(given) if isinstance(given, Mapping) else given)
        opened.append(Crm.open(given, database=database_url, check=False))
        return opened[-1]

    yield open_
    for crm in opened:
        crm.close()


def _tables(url: str, given: str | Path) -> None:
    with Crm.open(json.loads(given) if isinstance(given, str) else given, database=url, check=False) as crm:
        crm.store.create_all()


@pytest.fixture
def crm(open_crm: Callable[..., Crm]) -> Crm:
    """A small build."""
    return open_crm()


@pytest.fixture
def load(crm: Crm, tmp_path: Path) -> Callable[..., ImportReport]:
    """Import what a test writes: a section (or several) and the content of ``data.csv``."""

    def load_(data: str | bytes, *sections: Mapping[str, Any], source: Mapping[str, Any] | None = None,
              file: str = "data.csv", **options: Any) -> ImportReport:  # fmt: skip
        path = tmp_path / file
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        mapping = {
            "source": {"system": "old", **(source or {})},
            "section": [{"record": "account", "file": file, "key": "id", **section} for section in sections],
        }
        return run_import(crm, mapping, tmp_path, **options)

    return load_
