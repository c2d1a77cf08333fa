"""The kernel's revisions make exactly what its records and the store's tables declare."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, Engine, create_engine, inspect, text

from crm_core.fields import columns as c
from crm_core.store.engine import open_engine
from crm_core.store.migrations import check_current, downgrade, drift, unmigrated, upgrade

HOW = """
The kernel declares something that no revision makes. While nothing is released, write the first revision anew;
afterwards make a new one (docs/how-to/migrate.md):
    rm crm_core/migrations/0001_*.py
    python -c "from crm_core.store.migrations import *; print(make_revision(kernel_source(), 'First tables'))"
"""


def test_the_kernels_revisions_make_what_it_declares(kernel):
    missing = unmigrated(kernel)
    assert not missing, HOW + "\n".join(missing)


def test_the_kernels_schema_does_not_drift(engine, kernel):
    upgrade(engine, [kernel])
    check_current(engine, [kernel])
    assert drift(engine, kernel) == []


def test_the_kernels_first_tables_can_be_taken_away(engine, kernel):
    upgrade(engine, [kernel])
    downgrade(engine, kernel)
    assert inspect(engine).get_table_names() == []


@pytest.fixture
def other(request: pytest.FixtureRequest, engine: Engine, tmp_path: Any) -> Any:
    """A second, empty database of the same kind."""
    if engine.dialect.name == "sqlite":
        other = open_engine(f"sqlite:///{tmp_path / 'other.db'}")
        yield other
        other.dispose()
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"{engine.url.database}_other"
    other = open_engine(server.create_database(name))
    yield other
    other.dispose()
    server.drop_database(name)


def test_revisions_and_create_all_make_the_same_schema(engine, other, kernel):
    upgrade(engine, [kernel])
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE crm_version_crm"))
    kernel.tables[0].metadata.create_all(other, tables=kernel.tables)
    assert schema(engine) == schema(other)


def schema(engine: Engine) -> Any:
    return sqlite_schema(engine) if engine.dialect.name == "sqlite" else postgresql_schema(engine)


def sqlite_schema(engine: Engine) -> Any:
    """Every statement that made the database, each with its parts in order of the alphabet."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {name: sorted(line.strip().rstrip(",") for line in sql.splitlines()) for name, sql in rows}


def postgresql_schema(engine: Engine) -> Any:
    queries = (
        "SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation,"
        " pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
        " WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND c.relkind IN ('r', 'S')",
        "SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    )
    with engine.connect() as connection:
        return [sorted(map(str, connection.execute(text(query)))) for query in queries]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE crm_unit ADD COLUMN colour VARCHAR(3)", "crm_unit.colour belongs to no field"),
        ("ALTER TABLE crm_unit DROP COLUMN custom", "crm_unit has no column custom"),
        ("DROP INDEX ix_crm_unit_code", "crm_unit has no ix_crm_unit_code"),
        ("CREATE INDEX ix_mine ON crm_unit (kind)", "crm_unit has ix_mine, which is not declared so"),
        ("CREATE TABLE crm_shed (id INTEGER)", "the table crm_shed belongs to no record"),
        ("DROP TABLE crm_share", "the table crm_share is missing"),
        (
            "ALTER TABLE crm_participant RENAME COLUMN custom TO extra",
            "crm_participant has no column custom; crm_participant.extra belongs to no field",
        ),
    ],
)
def test_drift_says_what_differs(engine, kernel, change, said):
    upgrade(engine, [kernel])
    with engine.begin() as connection:
        connection.execute(text(change))
    assert said in "; ".join(drift(engine, kernel))


def test_drift_sees_keys_types_and_what_may_be_empty(engine, garden, kernel):
    garden.tables = (garden.plants(Column("height", c.stored_text(20), nullable=False)),)
    garden.write(garden.create("garden__plant") + 'op.add_column("garden__plant", sa.Column("name", sa.Text()))')
    garden.write('op.add_column("garden__plant", sa.Column("height", c.stored_text(10)))')
    upgrade(engine, [kernel, garden.source])
    said = drift(engine, garden.source)
    assert "garden__plant.height may be empty, but is declared so that it must be filled" in said
    assert any(line.startswith("garden__plant.height is ") for line in said)
    assert any(line.startswith("garden__plant.name is ") for line in said)


def test_a_reference_that_deletes_differently_is_drift(engine, garden, kernel):
    garden.tables = (garden.plants(ondelete="SET NULL"),)
    garden.write(garden.create("garden__plant"))
    upgrade(engine, [kernel, garden.source])
    said = drift(engine, garden.source)
    assert "garden__plant has no fk_garden__plant_account_id" in said
    assert "garden__plant has fk_garden__plant_account_id, which is not declared so" in said


def test_a_plugin_without_tables_has_no_drift(garden):
    engine = create_engine("sqlite://")
    assert drift(engine, garden.source) == []
