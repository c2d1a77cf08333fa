"""Source is read, not run: imports wherever they stand, and what a statement touches."""

from __future__ import annotations

import textwrap

import pytest

from crm_core.testing.conformance.schema import touched
from crm_core.testing.conformance.sources import Import, read_sources

MODULE = """
from __future__ import annotations

import a.b
import c as d
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e import f
else:
    from g import h

def later():
    from . import i
    from ..j import k as m
"""


def test_imports_are_found_wherever_they_stand(tmp_path):
    package = tmp_path / "mine"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("from .inner import n\n", encoding="utf-8")
    (package / "inner" / "deep.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
    top, deep = read_sources(package, "mine")
    assert (top.module, top.place) == ("mine", "mine/__init__.py")
    assert top.imports == (Import("mine.inner", "n", "n", 1),)
    assert (deep.module, deep.where(3)) == ("mine.inner.deep", "mine/inner/deep.py:3")
    assert deep.imports[1:] == (
        Import("a.b", "", "a", 4),
        Import("c", "", "d", 5),
        Import("typing", "TYPE_CHECKING", "TYPE_CHECKING", 6),
        Import("e", "f", "f", 9, typing=True),
        Import("g", "h", "h", 11),
        Import("mine.inner", "i", "i", 14),
        Import("mine.j", "k", "m", 15),
    )


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("INSERT INTO crm_account (id) SELECT id FROM mine__thing", "crm_account"),
        ("insert or replace into crm_account values (1)", "crm_account"),
        ('UPDATE "crm_account" SET name = name', "crm_account"),
        ("UPDATE ONLY public.crm_account SET name = name", "crm_account"),
        ("DELETE FROM crm_account WHERE id = 1", "crm_account"),
        ("ALTER TABLE IF EXISTS crm_account ADD COLUMN x INTEGER", "crm_account"),
        ("DROP TABLE crm_account", "crm_account"),
        ("CREATE UNIQUE INDEX ix ON crm_account (name)", "crm_account"),
        ("CREATE TRIGGER t AFTER INSERT ON crm_account BEGIN SELECT 1; END", "crm_account"),
        ("WITH old AS (SELECT 1) INSERT INTO crm_account SELECT * FROM old", "crm_account"),
        ("TRUNCATE TABLE crm_account", "crm_account"),
    ],
)
def test_what_a_statement_writes_to_is_seen(statement, table):
    assert touched([statement]) == {table: statement}


@pytest.mark.parametrize("statement", ["SELECT * FROM crm_account", "PRAGMA foreign_keys", "SELECT 'UPDATE x'"])
def test_reading_touches_nothing(statement):
    assert touched([statement]) == {}
