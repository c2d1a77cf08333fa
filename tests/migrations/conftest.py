from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import Column, Engine, ForeignKeyConstraint, MetaData, Table, insert

from crm_core.domain.accounts import Account
from crm_core.fields import columns as c
from crm_core.store.engine import open_engine
from crm_core.store.migrations import MigrationSource, kernel_source, upgrade

REVISION = '''"""{doc}"""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "{id}"
down_revision = {follows!r}


def upgrade():
{up}


def downgrade():
{down}
'''


@attrs.define
class Plugin:
    """A plugin that consists of migrations."""

    name: str
    location: Path
    tables: tuple[Table, ...] = ()
    count: int = 0

    @property
    def source(self) -> MigrationSource:
        return MigrationSource(self.name, self.location, self.tables)

    def write(self, up: str, down: str = "pass", doc: str = "By hand.", **said: Any) -> Path:
        """A revision file written by hand that follows the last one written so."""
        self.count += 1
        said = {"id": f"{self.count:04d}", "follows": f"{self.count - 1:04d}" if self.count > 1 else None, **said}
        up, down = ("\n".join(f"    {line}" for line in body.strip("\n").split("\n")) for body in (up, down))
        path = self.location / f"{self.count:04d}_by_hand.py"
        path.write_text(REVISION.format(doc=doc, up=up, down=down, **said), encoding="utf-8")
        return path

    @staticmethod
    def plants(*extra: Column[Any], ondelete: str = "CASCADE", length: int = 40) -> Table:
        """The table of a plugin `garden`, as if from records; each call declares it anew."""
        return Table(
            "garden__plant",
            MetaData(),
            Column("id", c.BIGINT, primary_key=True, autoincrement=False),
            Column("account_id", c.BIGINT, nullable=False, index=True),
            Column("name", c.stored_text(length), nullable=False),
            *extra,
            reference("garden__plant", "account_id", Account.crm_type.table, ondelete),
        )

    @staticmethod
    def leaves(plants: Table) -> Table:
        """Children of plants, deleted with them."""
        return Table(
            "garden__leaf",
            plants.metadata,
            Column("id", c.BIGINT, primary_key=True, autoincrement=False),
            Column("plant_id", c.BIGINT, nullable=False),
            reference("garden__leaf", "plant_id", plants, "CASCADE"),
        )

    @staticmethod
    def create(table: str) -> str:
        """Code that makes a small table whose rows belong to accounts."""
        return CREATE.format(table=table)


def reference(table: str, column: str, target: Table, ondelete: str | None) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        [column],
        [target.c.id],
        name=f"fk_{table}_{column}",
        ondelete=ondelete,
        deferrable=True,
        initially="DEFERRED",
    )


CREATE = """
op.create_table(
    "{table}",
    sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
    sa.Column("account_id", c.BIGINT, nullable=False),
    sa.ForeignKeyConstraint(
        ["account_id"], ["crm_account.id"], ondelete="CASCADE", deferrable=True, initially="DEFERRED",
        name="fk_{table}_account_id",
    ),
    sa.PrimaryKeyConstraint("id"),
)
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def kernel() -> MigrationSource:
    return kernel_source()


@pytest.fixture
def garden(tmp_path: Path) -> Plugin:
    return plugin(tmp_path, "garden")


@pytest.fixture
def kitchen(tmp_path: Path) -> Plugin:
    return plugin(tmp_path, "kitchen")


def plugin(folder: Path, name: str) -> Plugin:
    location = folder / name / "migrations"
    location.mkdir(parents=True)
    return Plugin(name, location)


@pytest.fixture
def accounts(engine: Engine, kernel: MigrationSource, add_account: Callable[[Engine, int], None]) -> list[int]:
    """The ids of a few accounts in a migrated database."""
    upgrade(engine, [kernel])
    ids = [1, 2, 3]
    for id_ in ids:
        add_account(engine, id_)
    return ids


@pytest.fixture
def add_account() -> Callable[..., None]:
    """Writes an account behind the session's back, as it was when the migration began."""

    def add(engine: Engine, id_: int = 1) -> None:
        table = Account.crm_type.table
        required = [column for column in table.columns if not column.nullable and column.name != "id"]
        with engine.begin() as connection:
            connection.execute(insert(table).values(id=id_, **{column.name: _some(column) for column in required}))

    return add


def _some(column: Column[Any]) -> Any:
    import datetime as dt

    if isinstance(column.type, c.Moment):
        return dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    if isinstance(column.type, c.Tags):
        return frozenset()
    return {int: 1, bool: True, str: "x"}[column.type.python_type]
