"""Revision files as authors write them, and the mistakes in them."""

from __future__ import annotations

import pytest

from crm_core.errors import MigrationError
from crm_core.store.migrations import MigrationSource, read_revisions


def read(garden):
    return read_revisions(garden.source)


def test_revisions_are_read_in_their_order_whatever_their_names(garden):
    garden.write("pass", doc="One.")
    (garden.location / "0001_by_hand.py").rename(garden.location / "z.py")
    garden.write("pass", doc="Two.")
    (garden.location / "_helper.py").write_text("x = 1")
    (garden.location / "notes.txt").write_text("no revision")
    assert [(revision.id, revision.follows, revision.doc) for revision in read(garden)] == [
        ("0001", None, "One."),
        ("0002", "0001", "Two."),
    ]


@pytest.mark.parametrize(
    ("text", "doc"),
    [
        ('"""Make beds.\n\nAnd more."""', "Make beds."),
        ("'''Make beds.'''", "Make beds."),
        ('# licence\n"""\nMake beds.\n"""', "Make beds."),
        ("import sqlalchemy", "0001_beds"),
    ],
)
def test_the_first_line_of_the_docstring_tells_what_it_does(garden, text, doc):
    body = f"{text}\n\nrevision: str = '0001'\ndown_revision: str | None = None  # the first\n"
    (garden.location / "0001_beds.py").write_text(body)
    assert read(garden)[0].doc == doc


def test_a_file_that_alembic_wrote_can_be_read(garden):
    (garden.location / "ab12_beds.py").write_text(
        '"""beds\n\nRevision ID: ab12\nRevises: \n\n"""\n'
        "# revision identifiers, used by Alembic.\n"
        "revision: str = 'ab12'\ndown_revision: Union[str, Sequence[str], None] = None\n"
        "branch_labels: Union[str, Sequence[str], None] = None\ndepends_on: Union[str, Sequence[str], None] = None\n"
    )
    assert read(garden)[0].id == "ab12"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"id": "0001", "follows": None}, "two revisions 0001: 0001_by_hand.py and 0002_by_hand.py.*the next number"),
        ({"id": "0002", "follows": None}, "The revisions 0001, 0002 of garden all follow nothing.*down_revision"),
        ({"id": "0002", "follows": "0007"}, "The revisions 0002 of garden follow none that is there.*Restore"),
        ({"id": "0002", "follows": "0002"}, "The revisions 0002 of garden follow none that is there"),
        ({"id": "0002", "follows": ("0001", "0003")}, "does not say which revision it is, or which one it follows"),
        ({"id": "x" * 33, "follows": "0001"}, "longer than 32 characters"),
        ({"id": "0002", "follows": "0001\"\ndepends_on = ('other',)#"}, "uses depends_on.*order of their requirements"),
    ],
)
def test_revisions_that_are_not_one_line_are_refused(garden, said, message):
    garden.write("pass")
    path = garden.write("pass", **said)
    path.write_text(path.read_text().replace("\\n", "\n").replace("'0001\"", "'0001'"))
    with pytest.raises(MigrationError, match=message) as caught:
        read(garden)
    assert caught.value.plugin == "garden"


def test_a_python_file_that_is_no_revision_is_named(garden):
    (garden.location / "helper.py").write_text("x = 1")
    with pytest.raises(MigrationError, match=r"helper\.py of garden does not say.*underscore"):
        read(garden)


@pytest.mark.parametrize("name", ["Garden", "garden-shed", "garden__shed", "x" * 60, "1st", ""])
def test_a_plugin_whose_version_table_could_not_be_named_is_refused(name, tmp_path):
    with pytest.raises(MigrationError, match="cannot be the name of a plugin with tables"):
        MigrationSource(name, tmp_path)
