"""``crm build rehearse``: a new version that demands a value which nobody has given is told before it is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crm_core import Crm
from crm_core.builds.rehearsing import rehearse
from tests.builds.conftest import install

from .test_rehearse import NEW_BUILD, execute, told

__all__ = ["install"]

PLUGIN = """
from sqlalchemy.orm import Mapped
from crm_core.fields import number, text
from crm_core.hooks import hookimpl
from crm_core.records import Record, public, record

@record("{name}.thing", access=public())
class Thing(Record):
    note: Mapped[str | None] = text(default=None)
    size: Mapped[int] = number(scale=0)

@hookimpl
def crm_register_records():
    return [Thing]
"""
FIRST = '''
"""The first tables."""
import sqlalchemy as sa
from alembic import op
revision = "0001"
down_revision = None

def upgrade():
    op.create_table(
        "{name}__thing",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.{moment}, nullable=False),
        sa.Column("created_by", sa.BigInteger),
        sa.Column("updated_at", sa.{moment}, nullable=False),
        sa.Column("custom", sa.Text),
        sa.Column("note", sa.Text),
    )

def downgrade():
    op.drop_table("{name}__thing")
'''
SECOND = '''
"""The size of things."""
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"

def upgrade():
    {body}

def downgrade():
    pass
'''

Upgraded = Callable[[str, str], tuple[Path, Path]]


@pytest.fixture
def upgraded(install, build_file, tmp_path, database_url) -> Iterator[Upgraded]:
    """The build of today, with three things without a size, and that of tomorrow, which demands one."""

    def make(name: str, body: str) -> tuple[Path, Path]:
        folder = install(name, source=PLUGIN.format(name=name))
        manifest = (folder / "manifest.py").read_text(encoding="utf-8")
        (folder / "manifest.py").write_text(manifest.replace("label=", 'migrations="migrations", label='), "utf-8")
        (folder / "migrations").mkdir()
        moment = "BigInteger" if database_url.startswith("sqlite") else "DateTime(timezone=True)"
        (folder / "migrations" / "0001_first.py").write_text(FIRST.format(name=name, moment=moment), "utf-8")
        for module in [each for each in sys.modules if each.split(".")[0] == f"crm_{name}"]:
            del sys.modules[module]
        text = build_file.read_text(encoding="utf-8").replace("[crm]", f'[crm]\nplugins = ["{name}"]')
        build_file.write_text(text, encoding="utf-8")
        with Crm.open(build_file, check=False) as crm:
            crm.migrate()
        now = "1740000000000000" if database_url.startswith("sqlite") else "now()"
        execute(database_url, *(
            f"INSERT INTO {name}__thing (id, version, created_at, updated_at, note) "
            f"VALUES ({id_}, 1, {now}, {now}, 'x')"
            for id_ in (1, 2, 3)
        ))  # fmt: skip
        if body:
            (folder / "migrations" / "0002_size.py").write_text(SECOND.format(body=body), encoding="utf-8")
        new = tmp_path / "new.toml"
        new.write_text(NEW_BUILD.format(plugins=[name], database=database_url, more=""), encoding="utf-8")
        return build_file, new

    yield make


def test_a_column_that_is_left_empty_is_told_with_the_rows(upgraded):
    """The migration runs; the rows could not be written again."""
    report = rehearse(*upgraded("wanting", 'op.add_column("wanting__thing", sa.Column("size", sa.BigInteger))'))
    assert not report.right
    words = told(report, "breaks")["wanting.thing.size"]
    assert "3 rows could not be written as they are (such as 1, 2, 3), 0 before" in words
    assert report.untouched is True


def test_a_column_that_must_be_filled_fails_in_the_migration(upgraded):
    body = 'op.add_column("insisting__thing", sa.Column("size", sa.BigInteger, nullable=False))'
    report = rehearse(*upgraded("insisting", body))
    assert not report.right
    assert "migrate" in told(report, "breaks")
    assert report.untouched is True


def test_a_field_without_any_revision_is_told(upgraded):
    report = rehearse(*upgraded("forgetting", ""))
    assert not report.right
    assert told(report, "breaks") == {
        "forgetting.thing.size": "forgetting.thing.size: The table forgetting__thing has no such column after the "
        "migration. Ship a revision that makes it."
    }
    assert report.untouched is True


def test_a_custom_field_that_new_records_must_give_is_told(build_file, tmp_path):
    new = tmp_path / "new.toml"
    field = '\n[custom_fields.account.club]\nkind = "text"\nrequired = true\n'
    new.write_text(build_file.read_text(encoding="utf-8") + field, encoding="utf-8")
    report = rehearse(build_file, new)
    assert not report.right
    assert told(report, "breaks") == {
        "account.custom.club": "account.custom.club: The field is new, and new records must give it."
    }
