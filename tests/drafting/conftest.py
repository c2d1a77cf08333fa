"""What the tests of drafts share: builds, tables, and how much of a draft equals a mapping that was written by hand."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from crm_core.assembly import Build, assemble
from crm_core.exchange.drafting import Draft, as_toml, draft
from crm_core.exchange.drafting.table import read_table
from crm_core.exchange.drafting.targets import Targets
from crm_core.translation import Translator

BUILD: Mapping[str, Any] = {"crm": {"time_zone": "Asia/Shanghai", "currency": "CNY"}}


def chinese(build: Build) -> Any:
    """Labels in Chinese, as the command line gives them."""
    return Translator("zh_CN", [(each.name, each.locale) for each in build.plugins if each.locale is not None]).text


@pytest.fixture(scope="session")
def build() -> Build:
    return assemble(BUILD)


@pytest.fixture(scope="session")
def targets(build: Build) -> Targets:
    return Targets(build, [chinese(build)])


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a table: its columns with their values, a list of which is repeated."""

    def make_(name: str, columns: Mapping[str, Sequence[object]], rows: int = 12, encoding: str = "utf-8") -> Path:
        lines = [",".join(columns)]
        for row in range(rows):
            lines.append(",".join(f'"{values[row % len(values)]}"' for values in columns.values()))
        path = tmp_path / name
        path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
        return path

    return make_


@pytest.fixture
def column(make: Callable[..., Path]) -> Callable[..., Any]:
    """One column with these values."""
    return lambda *values, header="column": read_table(make("one.csv", {header: values}, len(values))).columns[0]


@pytest.fixture
def drafted(build: Build) -> Callable[..., tuple[Draft, dict[str, Any]]]:
    """A draft, and what it says as TOML."""

    def drafted_(path: Path, given: Build = build, **options: Any) -> tuple[Draft, dict[str, Any]]:
        found = draft(given, path, labels=[chinese(given)], **options)
        return found, tomllib.loads(as_toml(found, "crm import mapping.toml --dry-run"))

    return drafted_


@pytest.fixture
def fields(drafted: Callable[..., Any]) -> Callable[..., dict[str, dict[str, Any]]]:
    """The fields of a draft by record; of several sections for one record all together."""

    def fields_(path: Path, **options: Any) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for section in drafted(path, **options)[1]["section"]:
            found.setdefault(section["record"], {}).update(section["fields"])
        return found

    return fields_
