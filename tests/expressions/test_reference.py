"""Every example of the reference is a filter, on either database; and the reference names every function."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, select

import crm_core.domain.activities
import crm_core.domain.ownership
from crm_core.errors import ExpressionError
from crm_core.expressions import Derived, Environment, keyset, parse, parse_order
from crm_core.expressions.calls import FUNCTIONS
from crm_core.records import Types, declared

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "expressions.md").read_text(encoding="utf-8")
KERNEL = Types(record_type for record_type in declared.values() if record_type.plugin == "crm")


def examples() -> list[str]:
    found = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL):
        if not language:
            found += [block] if "#" in block else block.splitlines()
    return found + re.findall(r"\| `([^`]+)` \|$", REFERENCE, re.MULTILINE)


def environment() -> Environment:
    return Environment(
        now=dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
        tz=ZoneInfo("Asia/Shanghai"),
        visible=lambda record_type, table: None,
        derived=(
            Derived("account", "owner", "user", through="ownership", back="account_id", forward="user_id",
                    where={"role": crm_core.domain.ownership.OwnershipRole.OWNER, "scope": ""}),
            Derived("user", "unit", "unit", through="membership", back="user_id", forward="unit_id"),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("source", examples())
def test_an_example_runs(source: str) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        for record_type in KERNEL.values():
            record_type.table.create(connection)
        bound = parse(source).bind(KERNEL, KERNEL["account"], environment())
        assert connection.execute(select(KERNEL["account"].table.c.id).where(bound.where())).all() == []
    engine.dispose()


def test_there_are_examples() -> None:
    assert len(examples()) > 50


def test_every_function_has_its_place_in_the_reference() -> None:
    missing = [name for name in FUNCTIONS if not re.search(rf"\b{name}\(|`{name}`", REFERENCE)]
    assert missing == []


@pytest.mark.parametrize("example", [entry[3] for entry in FUNCTIONS.values()])
def test_the_examples_in_messages_are_right(example: str) -> None:
    sort = {"date": "created_at > {}", "moment": "created_at > {}", "today": "created_at > {}",
            "now": "created_at > {}",
            "days": "created_at > now() - {}", "hours": "created_at > now() - {}",
    "money": "revenue > {}"}  # fmt: skip
    source = sort.get(example.partition("(")[0], "{}").format(example)
    assert parse(source).bind(KERNEL, KERNEL["account"], environment())


def test_the_python_of_the_reference_runs() -> None:
    code = re.findall(r"^```python\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL)[0]
    names: dict[str, Any] = {
        "types": KERNEL,
        "select": select,
        "table": KERNEL["account"].table,
        "last_row": (1, "k", 1),
    }
    exec(code, names)
    assert names["chosen"].matches({"grade": "A"})
    assert "ORDER BY" in str(names["following"])
    assert names["keyset"] is keyset
    assert names["parse_order"] is parse_order


def test_the_error_of_the_reference_is_the_error() -> None:
    source, mark = re.findall(r"^```text\n(.*?)\n( *\^)\n```", REFERENCE, re.MULTILINE | re.DOTALL)[0]
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert caught.value.position == len(mark) - 1
    assert str(caught.value).partition("\n")[0] in REFERENCE
