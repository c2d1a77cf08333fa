"""What an author gets who declares records and asks for a revision."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.orm import Mapped

from crm_core import fields as f
from crm_core.errors import MigrationError
from crm_core.fields import Address, Money, choice, day, flag, json, moment, money, number, ref
from crm_core.records import Dated, Record, Types, declared, extends, link, record, via
from crm_core.store.migrations import MigrationSource, drift, make_revision, unmigrated, upgrade


class Fruit(Enum):
    APPLE = "apple"
    PEAR = "pear"


@record("orchard.tree", access=via("account_id"), technical_key=("label",))
class Tree(Record):
    """A tree with one field of every kind."""

    account_id: Mapped[int] = ref("account")
    parent_id: Mapped[int | None] = ref("orchard.tree", default=None, on_delete="clear")
    label: Mapped[str] = f.text(70, folded=True)
    fruit: Mapped[Fruit] = choice(Fruit, default=Fruit.PEAR)
    height: Mapped[Decimal] = number(2, default=Decimal("1.5"))
    branches: Mapped[int] = number(0, default=7)
    worth: Mapped[Money] = money(default=Money("2.5", "CNY"))
    planted: Mapped[dt.date | None] = day(default=None)
    seen_at: Mapped[dt.datetime | None] = moment(default=None)
    ripe: Mapped[bool] = flag(default=True)
    marks: Mapped[frozenset[str]] = f.tags(default=frozenset({"old", "tall"}))
    data: Mapped[Any | None] = json(default=None)
    where: Mapped[Address | None] = f.address(default=None)
    note: Mapped[str] = f.text(None, default='the gardener\'s "own"')


@record("orchard.harvest", access=via("tree_id"))
class Harvest(Dated):
    """What a tree gave."""

    tree_id: Mapped[int] = ref("orchard.tree")
    baskets: Mapped[int] = number(0)


@extends("account", "orchard.grower")
class Grower(Record):
    """An account that grows fruit."""

    since: Mapped[dt.date | None] = day(default=None)


@pytest.fixture
def orchard(tmp_path, kernel):
    link(Types(declared[name] for name in declared if declared[name].plugin in ("crm", "orchard")))
    return MigrationSource.of("orchard", tmp_path / "orchard" / "migrations", declared)


def without(path, *names):
    """Take columns out of a revision, so that the next one has to add them."""
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not any(f'Column("{name}"' in line for name in names)]
    assert len(kept) == len(lines) - len(names)
    path.write_text("".join(line for line in kept if not any(f'["{name}"' in line for name in names)))


ADDED = ("fruit", "height", "branches", "worth_amount", "worth_currency", "ripe", "marks", "note", "planted")


def test_the_first_revision_makes_the_tables_of_the_records(engine, kernel, orchard):
    path = make_revision(orchard, "First tables", [kernel])
    assert path == orchard.location / "0001_first_tables.py"
    upgrade(engine, [kernel, orchard])
    assert drift(engine, orchard) == unmigrated(orchard, [kernel]) == []


def test_a_revision_file_reads_well_and_knows_no_record_class(orchard, kernel):
    code = make_revision(orchard, 'First "tables"\n of the orchard.', [kernel]).read_text()
    assert code.startswith('"""First \'tables\' of the orchard."""\n')
    for line in (
        'sa.Column("fruit", c.stored_text(40), nullable=False),',
        'sa.Column("height", c.Scaled(2), nullable=False),',
        'sa.Column("worth_amount", c.Scaled(4)),',
        'sa.Column("seen_at", c.Moment()),',
        'sa.Column("marks", c.Tags(), nullable=False),',
        'sa.Column("data", c.Json()),',
        'sa.Column("branches", c.BIGINT, nullable=False),',
        'sa.Column("note", c.stored_text(None), nullable=False),',
        'op.create_index("uq_orchard__tree", "orchard__tree", ["label"], unique=True)',
    ):
        assert line in code
    key = code[code.index('name="fk_orchard__tree_parent_id"') :].partition(")")[0]
    assert [part.strip() for part in key.split(",")][1:4] == [
        'ondelete="SET NULL"',
        'initially="DEFERRED"',
        "deferrable=True",
    ]
    assert "crm_core" not in code.replace("from crm_core.fields import columns as c\n", "")
    assert "Fruit" not in code


def test_a_revision_file_passes_the_linters(orchard, kernel):
    ruff = shutil.which("ruff", path=str(sys.executable).rpartition("/")[0])
    if ruff is None:
        pytest.skip("ruff is not installed")
    without(make_revision(orchard, "First tables", [kernel]), *ADDED, "baskets")
    make_revision(orchard, "More about trees", [kernel])
    for arguments in (["format", "--diff"], ["check"]):
        subprocess.run(
            [ruff, *arguments, "--config", "line-length=120", "--isolated", str(orchard.location)], check=True
        )


def test_nothing_to_do_is_said(orchard, kernel):
    make_revision(orchard, "First tables", [kernel])
    with pytest.raises(MigrationError, match="already make all"):
        make_revision(orchard, "Nothing", [kernel])
    assert len(list(orchard.location.glob("*.py"))) == 1


def test_fields_that_are_added_give_their_defaults_to_the_rows_that_are_there(engine, kernel, orchard, accounts):
    without(make_revision(orchard, "First tables", [kernel]), *ADDED)
    upgrade(engine, [kernel, orchard])
    table = Tree.crm_type.table
    now = dt.datetime.now(dt.UTC)
    known = {"account_id": 1, "label": "x", "label_key": "x", "version": 1, "created_at": now, "updated_at": now}
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
        for id_ in (1, 2):
            row = {**known, "id": id_, "label": f"x{id_}"}
            connection.execute(insert(table).values(row))
    path = make_revision(orchard, "More about trees", [kernel])
    assert path.name == "0002_more_about_trees.py"
    assert "NotImplementedError" not in path.read_text().partition("def downgrade")[0]
    upgrade(engine, [kernel, orchard])
    assert drift(engine, orchard) == unmigrated(orchard, [kernel]) == []
    with engine.connect() as connection:
        rows = connection.execute(table.select()).all()
    assert len(rows) == 2
    for row in rows:
        assert row.fruit is Fruit.PEAR
        assert (row.height, row.branches, row.ripe) == (Decimal("1.5"), 7, True)
        assert (row.worth_amount, row.worth_currency) == (Decimal("2.5"), "CNY")
        assert (row.marks, row.note, row.planted) == (frozenset({"old", "tall"}), 'the gardener\'s "own"', None)


def test_for_a_required_field_the_author_is_asked(kernel, orchard):
    without(make_revision(orchard, "First tables", [kernel]), "baskets", "label_key")
    code = make_revision(orchard, "Baskets", [kernel]).read_text()
    assert "Which value do existing rows get in orchard__harvest.baskets?" in code
    assert "Which value do existing rows get in orchard__tree.label_key?" in code
    with pytest.raises(MigrationError, match="Which value do existing rows get"):
        unmigrated(orchard, [kernel])


def test_a_revision_that_was_changed_by_hand_is_compared_as_it_is(orchard, kernel):
    path = make_revision(orchard, "First tables", [kernel])
    path.write_text(path.read_text().replace("c.stored_text(70)", "c.stored_text(60)"))
    said = unmigrated(orchard, [kernel])
    assert len(said) == 1
    assert said[0].startswith("orchard__tree.label is ")


def test_numbers_go_on_after_revisions_of_another_naming(orchard, kernel):
    path = make_revision(orchard, "First tables", [kernel])
    path.write_text(path.read_text().replace('revision = "0001"', 'revision = "0002"'))
    without(path, "ripe")
    code = make_revision(orchard, "Ripe", [kernel])
    assert code.name == "0003_ripe.py"
    assert 'down_revision = "0002"' in code.read_text()
