"""Whatever a table looks like: a draft says that there is none, or it is a mapping that fits the build and the file."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_core.assembly import Crm
from crm_core.errors import ExchangeError
from crm_core.exchange import read_mapping, run_import
from crm_core.exchange.drafting import as_json, as_toml, draft
from crm_core.exchange.drafting.targets import synonyms
from crm_core.fields import Field

from .conftest import BUILD, chinese

WORDS = sorted({word.rstrip("?") for fields in synonyms().values() for each in fields.values() for word in each
                if isinstance(word, str)})  # fmt: skip
HEADERS = st.sampled_from(WORDS) | st.text(min_size=1, max_size=12).filter(
    lambda text: text.strip() and "\x00" not in text
)
CELLS = st.one_of(
    st.just(""),
    st.integers(0, 30).map(str),
    st.sampled_from([
        "yes", "no", "NULL", "12,5", "1.234,50", "€ 5", "10 %", "CN", "China", "a@example.com", "13800138000",
        "01/02/2024", "2024-01-31", "2024-01-31 09:30", "王小明", "Acme Ltd", "example.com", "visit", "company",
        "<a><b>1</b></a>",
    ]),
    st.text(max_size=8).filter(lambda text: "\x00" not in text),
)  # fmt: skip
TABLES = st.lists(HEADERS, min_size=1, max_size=8, unique=True).flatmap(
    lambda header: st.tuples(
        st.just(header), st.lists(st.tuples(*[CELLS] * len(header)), min_size=1, max_size=6)
    )
)  # fmt: skip
NAMES = st.sampled_from(
    ["customers", "contacts", "employees", "visits 2024", "orders", "导出", "x", "territory history"]
)


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crm]:
    path = tmp_path_factory.mktemp("any") / "crm.db"
    with Crm.open(BUILD, database=f"sqlite:///{path}", check=False) as crm:
        crm.store.create_all()
        yield crm


def valued(field: Field, row: int) -> str:
    """Something that a field takes."""
    words = {"lifecycle": "customer", "role": "sales", "stage": "customer", "status": "planned", "consent": "given"}
    return {
        "number": str(row), "day": f"2024-01-{row + 1:02}", "moment": f"2024-01-{row + 1:02} 09:30:00", "flag": "yes",
        "money": f"{row}.50", "email": f"a{row}@example.com", "url": f"https://example.com/{row}",
        "phone": f"+86138001380{row:02}", "choice": words.get(field.name, "email"), "ref": f"R{row}",
    }.get(field.kind.name, words.get(field.name, f"word {row}"))  # fmt: skip


RECORDS = (
    "account", "account_address", "account_relation", "activity", "affiliation", "contact", "contact_point",
    "lifecycle", "membership", "ownership", "participant", "share", "unit", "user",
)  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
def test_a_table_with_the_fields_of_a_record_is_one_of_it(crm: Crm, tmp_path: Path, record: str) -> None:
    """By the names of the fields, with --record; and what it drafts fits."""
    fields = crm.types[record].fields
    lines = [["key", *(field.name for field in fields)]]
    lines += [[f"K{row}", *(valued(field, row) for field in fields)] for row in range(8)]
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    found = draft(crm.build, tmp_path / "rows.csv", record=record)
    mapping = read_mapping(tomllib.loads(as_toml(found, "crm import")))
    assert record in {section.record for section in mapping.sections}
    given = {name for section in mapping.sections if section.record == record for name in section.fields}
    assert {field.name for field in fields if field.required} <= given
    run_import(crm, mapping, tmp_path, dry_run=True)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(tables=st.lists(st.tuples(NAMES, TABLES), min_size=1, max_size=2, unique_by=lambda pair: pair[0]))
def test_it_is_a_mapping_that_can_be_rehearsed(crm: Crm, tmp_path_factory: pytest.TempPathFactory, tables) -> None:
    folder: Path = tmp_path_factory.mktemp("tables")
    for name, (header, rows) in tables:
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="", errors="replace") as file:
            csv.writer(file).writerows([header, *rows])
    try:
        found = draft(crm.build, folder, labels=[chinese(crm.build)])
    except ExchangeError as error:
        assert error.text()
        return
    text = as_toml(found, "crm import mapping.toml --dry-run")
    mapping = read_mapping(tomllib.loads(text))
    report = run_import(crm, mapping, folder, dry_run=True)
    assert {each.record for each in report.sections} == {
        section.record for each in found.files for section in each.sections
    }
    assert as_json(found)["files"]
    for each in found.files:
        for section in each.sections:
            assert all(0 <= field.certainty <= 1 for field in section.fields)
