"""The page of licences tells of every distribution that an installation has, and none has an unseen licence."""

from __future__ import annotations

import email.message

import make_licences
import pytest
from make_licences import KNOWN, PAGE, distributions, licence, page, rows, strange


def test_the_table_is_that_of_what_is_installed() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: .venv/bin/python tests/docs/make_licences.py"


def test_every_licence_was_looked_at() -> None:
    assert strange() == {}, "look at them, and name them in tests/docs/make_licences.py and in the page above the table"


def test_another_licence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_licences, "ALLOWED", make_licences.ALLOWED - {"MIT"})
    assert "sqlalchemy" in strange()
    assert "structlog" not in strange()  # it may be had under another one


def test_what_is_not_allowed_in_general_is_told_above_the_table() -> None:
    above = PAGE.read_text(encoding="utf-8").partition(make_licences.BEGIN)[0]
    assert [name for name in KNOWN if f"`{name}`" not in above] == []
    assert KNOWN.keys() <= {name for name, *_ in rows()}


def test_all_parts_are_there() -> None:
    assert {"sqlalchemy", "alembic", "markupsafe"} <= distributions("").keys()
    assert "psycopg" not in distributions("") and "psycopg" in distributions("postgresql")
    assert "copier" in distributions("plugin-template") and "hypothesis" in distributions("testing")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([("License-Expression", "MIT OR Apache-2.0")], "MIT OR Apache-2.0"),
        ([("License", "BSD-3-Clause"), ("Classifier", "License :: OSI Approved :: BSD License")], "BSD-3-Clause"),
        ([("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        ([("License", "Copyright (c) ... whole text")], "Copyright (c) ... whole text"),
        ([], "unknown"),
    ],
)
def test_a_licence_is_read_from_wherever_it_is_told(fields: list[tuple[str, str]], said: str) -> None:
    found = email.message.Message()
    for name, value in fields:
        found[name] = value
    assert licence(found) == said  # type: ignore[arg-type]
