"""``crm build rehearse``: deliberately harmful upgrades are caught, and the original stays as it is."""

from __future__ import annotations

import hashlib
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from crm_core import Crm
from crm_core.builds.rehearsing import rehearse
from crm_core.domain.accounts import Account
from crm_core.store.copies import differences
from crm_core.store.engine import open_engine
from tests.builds.conftest import install

from .conftest import contents

__all__ = ["install"]

NEW_BUILD = '[crm]\nname = "After"\nplugins = {plugins}\ndatabase = {database!r}\n{more}'
FIRST = '''
"""The first tables."""
import sqlalchemy as sa
from alembic import op
revision = "0001"
down_revision = None

def upgrade():
    op.create_table(
        "harmful__thing",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("note", sa.Text),
        sa.Column("size", sa.BigInteger),
    )

def downgrade():
    op.drop_table("harmful__thing")
'''
SECOND = '''
"""Something else."""
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"

def upgrade():
{body}

def downgrade():
    pass
'''


class Upgrade:
    """A plugin with a table of three rows, and its next revision."""

    def __init__(self, home: Path, build_file: Path, folder: Path, address: str) -> None:
        self.old, self.folder, self.address = build_file, folder, address
        self.new = home / "new.toml"

    def next(self, body: str, more: str = "", plugins: str = '["harmful"]') -> Path:
        if body:
            revision = SECOND.format(body=textwrap.indent(textwrap.dedent(body), "    "))
            (self.folder / "migrations" / "0002_next.py").write_text(revision, encoding="utf-8")
        self.new.write_text(NEW_BUILD.format(plugins=plugins, database=self.address, more=more), encoding="utf-8")
        return self.new


@pytest.fixture
def upgrade(install, build_file, tmp_path, database_url):
    folder = install("harmful")
    manifest = (folder / "manifest.py").read_text(encoding="utf-8")
    (folder / "manifest.py").write_text(manifest.replace("label=", 'migrations="migrations", label='), "utf-8")
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001_first.py").write_text(FIRST, encoding="utf-8")
    for module in [each for each in sys.modules if each.split(".")[0] == "crm_harmful"]:
        del sys.modules[module]
    build_file.write_text(
        build_file.read_text(encoding="utf-8").replace("[crm]", '[crm]\nplugins = ["harmful"]'), encoding="utf-8"
    )
    with Crm.open(build_file, check=False) as crm:
        crm.migrate()
    execute(
        database_url, "CREATE TABLE harmful__link (kind TEXT, number BIGINT, note TEXT, PRIMARY KEY (kind, number))",
        "CREATE TABLE harmful__log (note TEXT)", "INSERT INTO harmful__log VALUES ('one'), ('two')",
        "INSERT INTO harmful__link VALUES ('é', 2, 'long note'), ('B', 10, 'b'), ('a', 9, 'a'), ('a', 10, 'c')",
    )  # fmt: skip
    execute(database_url, *(
        f"INSERT INTO harmful__thing (id, note, size) VALUES ({id_}, '{'long ' * id_}', {id_})" for id_ in (1, 2, 3)
    ))  # fmt: skip
    return Upgrade(tmp_path, build_file, folder, database_url)


def execute(address: str, *statements: str) -> None:
    engine = open_engine(address)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def told(report, weight: str) -> dict[str, str]:
    return {each.words.path: each.words.text() for each in report.found if each.weight == weight}


def test_an_upgrade_that_harms_nothing_passes(upgrade):
    before = contents(upgrade.address)
    new = upgrade.next('op.add_column("harmful__thing", sa.Column("more", sa.Text))')
    report = rehearse(upgrade.old, new)
    assert report.right, report.as_json()
    assert report.untouched is True
    assert differences(before, contents(upgrade.address)) == []
    assert "migrate" in [step.name for step in report.steps]
    assert next(each for each in report.tables if each.name == "harmful__thing").after == 3


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ('op.drop_column("harmful__thing", "note")', "harmful__thing.note", "The column is gone, with 3 values"),
        ("op.execute(\"DELETE FROM harmful__thing WHERE id = 2\")", "harmful__thing",
         "1 of 3 rows are gone (such as 2)"),
        ("op.execute(\"UPDATE harmful__thing SET note = substr(note, 1, 6)\")", "harmful__thing.note",
         "2 values are cut short"),
        ("op.execute(\"UPDATE harmful__thing SET size = NULL WHERE id > 1\")", "harmful__thing.size",
         "2 values are gone"),
        ('op.drop_table("harmful__thing")', "harmful__thing", "The table is gone, with 3 rows"),
        ("op.execute(\"DELETE FROM crm_affiliation\")", "crm_affiliation", "4 of 4 rows are gone"),
        ("op.execute(\"DELETE FROM harmful__link WHERE number = 10\")", "harmful__link",
         "2 of 4 rows are gone (such as B / 10, a / 10)"),
        ("op.execute(\"UPDATE harmful__link SET note = 'long' WHERE number = 2\")", "harmful__link.note",
         "1 values are cut short"),
        ("op.execute(\"UPDATE harmful__link SET number = 3 WHERE number = 2\")", "harmful__link",
         "1 of 4 rows are gone (such as é / 2)"),
        ("op.execute(\"DELETE FROM harmful__log WHERE note = 'one'\")", "harmful__log", "1 of 2 rows are gone"),
    ],
)  # fmt: skip
def test_what_is_lost_is_told(upgrade, body, where, words):
    before = contents(upgrade.address)
    report = rehearse(upgrade.old, upgrade.next(body))
    assert not report.right
    assert words in told(report, "loses")[where]
    assert differences(before, contents(upgrade.address)) == []
    assert report.untouched is True


def test_values_that_are_different_are_told_and_no_loss(upgrade):
    new = upgrade.next('op.execute("UPDATE harmful__thing SET size = size + 1")')
    report = rehearse(upgrade.old, new)
    assert report.right
    assert "3 values are different" in told(report, "changes")["harmful__thing.size"]


def test_of_a_table_without_a_key_it_is_told_that_it_is_different(upgrade):
    report = rehearse(upgrade.old, upgrade.next("op.execute(\"UPDATE harmful__log SET note = 'x'\")"))
    assert report.right
    assert "hold something else" in told(report, "changes")["harmful__log"]


def test_a_migration_that_raises_breaks(upgrade):
    report = rehearse(upgrade.old, upgrade.next('raise RuntimeError("no luck")'))
    assert not report.right
    assert "no luck" in told(report, "breaks")["migrate"]
    assert report.untouched is True


def test_a_plugin_that_is_not_installed_breaks(upgrade):
    report = rehearse(upgrade.old, upgrade.next("", plugins='["harmful", "harmfull"]'))
    assert not report.right
    assert any("harmfull" in words for words in told(report, "breaks").values())


def test_a_plugin_that_is_left_out_loses_sight_of_its_rows(upgrade):
    report = rehearse(upgrade.old, upgrade.next("", plugins="[]"))
    assert not report.right
    assert "its 9 rows are kept, and nobody sees them" in told(report, "loses")["harmful"]


def test_values_that_no_longer_fit_are_told(build_file, tmp_path, database_url):
    """A custom field that becomes narrower."""
    field = '\n[custom_fields.account.nickname]\nkind = "text"\nlength = {length}\n'
    text_ = build_file.read_text(encoding="utf-8")
    build_file.write_text(text_ + field.format(length=20), encoding="utf-8")
    with Crm.open(build_file, check=False) as crm:
        crm.migrate()
        with crm.system_session("test", reason="nick") as session:
            session.add_one(Account(name="Nicked")).custom = {"nickname": "twelve chars"}
    new = tmp_path / "new.toml"
    new.write_text(text_ + field.format(length=5), encoding="utf-8")
    report = rehearse(build_file, new)
    assert not report.right
    assert "1 rows could not be written as they are" in told(report, "breaks")["account.custom.nickname"]


# -- expectations ----------------------------------------------------------------------------------------------

EXPECTS = """
[acceptance.four]
record = "account"
count = 4

[acceptance.some_places]
record = "affiliation"
min = 1
same = true
label = "People keep their places"
"""


def test_what_the_build_expects_is_asked_before_and_after(upgrade):
    report = rehearse(upgrade.old, upgrade.next("op.execute(\"DELETE FROM crm_affiliation WHERE id = "
                                                "(SELECT min(id) FROM crm_affiliation)\")", EXPECTS))  # fmt: skip
    four, places = report.accepted
    assert (four.before, four.after, four.problem) in {(4, 4, None), (None, 4, None)}
    assert (places.label, places.after) == ("People keep their places", 3)
    assert places.before in {4, None}
    assert not report.right


def test_counts_are_asked_before_although_the_old_build_is_behind(upgrade):
    """Both builds use the new version of the plugin, whose revision the database lacks."""
    new = upgrade.next('op.execute("DELETE FROM crm_affiliation")', EXPECTS)
    report = rehearse(upgrade.old, new)
    assert [each.before for each in report.accepted] == [4, 4]
    assert "4 records matched before, and 0 do now" in " ".join(told(report, "breaks").values()) or "at least 1" in str(
        told(report, "breaks")
    )
    assert report.remarks


def test_overviews_are_compared_where_the_old_build_still_opens(build_file, tmp_path, database_url):
    new = tmp_path / "new.toml"
    new.write_text(build_file.read_text(encoding="utf-8"), encoding="utf-8")
    report = rehearse(build_file, new, accounts=3, seed=7)
    assert report.right, report.as_json()
    assert (report.compared, len(report.sampled), report.copy) == (3, 3, None)
    assert rehearse(build_file, new, accounts=3, seed=7).sampled == report.sampled


def test_a_part_of_an_overview_that_fails_is_told(install, build_file, tmp_path):
    install("fails", source="""
from crm_core.hooks import hookimpl

@hookimpl
def crm_gather_overview(session, accounts):
    raise LookupError("nothing there")
""")  # fmt: skip
    new = tmp_path / "new.toml"
    new.write_text(build_file.read_text(encoding="utf-8").replace("[crm]", '[crm]\nplugins = ["fails"]'), "utf-8")
    report = rehearse(build_file, new)
    assert not report.right
    wanted = "The part of fails (crm_gather_overview) fails in 4"
    assert any(wanted in words for words in told(report, "breaks").values()), told(report, "breaks")


def test_conformance_is_asked_when_wanted(build_file):
    from crm_core.errors import Problem

    asked = []

    def conformance(plugin):
        asked.append(plugin)
        yield Problem(plugin, "It is not honest.")

    report = rehearse(build_file, build_file, conformance=conformance)
    assert asked == ["crm"]
    assert told(report, "breaks") == {"crm": "crm: It is not honest."}


# -- the copy --------------------------------------------------------------------------------------------------


def leftovers(address: str, kept: str | None = None) -> list[str]:
    """The copies of this database: on a server others rehearse as well. What was ``kept`` has a name of its own."""
    url = make_url(address)
    if url.get_backend_name() == "sqlite":
        file = Path(str(url.database))
        return [each.name for each in file.parent.iterdir() if "part-" in each.name or "rehearsal" in each.name]
    engine = open_engine(address)
    own = "SELECT 'crm\\_rehearsal\\_' || oid || '\\_%' FROM pg_database WHERE datname = current_database()"
    query = text(f"SELECT datname FROM pg_database WHERE datname LIKE ({own}) OR datname = :kept")
    with engine.connect() as connection:
        found = list(connection.execute(query, {"kept": kept}).scalars())
    engine.dispose()
    return found


def test_the_copy_goes_and_stays_if_it_is_to_be_kept(build_file, database_url):
    rehearse(build_file, build_file)
    assert leftovers(database_url) == []
    report = rehearse(build_file, build_file, keep=True)
    assert len(leftovers(database_url, make_url(report.copy).database)) == 1
    with Crm.open(build_file, database=report.copy) as crm, crm.system_session("look") as session:
        assert session.count(Account) == 4
    if database_url.startswith("postgresql"):
        name = make_url(report.copy).database
        engine = open_engine(database_url).execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        engine.dispose()


def test_a_database_in_use_is_rehearsed_too(build_file, database_url):
    """On PostgreSQL no template can be made of it; a dump can."""
    with Crm.open(build_file) as crm, crm.system_session("busy", read_only=True) as session:
        assert session.count(Account) == 4
        report = rehearse(build_file, build_file)
    assert report.right
    assert report.untouched is True
    assert leftovers(database_url) == []


def test_whoever_is_killed_leaves_the_original_as_it_is(build_file, database_url, killed):
    before = contents(database_url)
    killed(
        "crm_core.builds.rehearsing.running.table_findings",
        f"from pathlib import Path\nfrom crm_core.builds.rehearsing import rehearse\n"
        f"rehearse(Path({str(build_file)!r}), Path({str(build_file)!r}))",
    )
    assert differences(before, contents(database_url)) == []
    assert len(leftovers(database_url)) == 1
    rehearse(build_file, build_file)
    assert leftovers(database_url) == []


def test_not_a_byte_of_a_sqlite_file_changes(request, build_file, database_url):
    if request.config.getoption("postgresql"):
        pytest.skip("about SQLite")
    file = Path(str(make_url(database_url).database))
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    rehearse(build_file, build_file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_it_is_said_when_others_write_meanwhile(build_file, monkeypatch):
    from crm_core.builds.rehearsing import running

    def busy(*given, compare=running.table_findings):
        with Crm.open(build_file) as crm, crm.system_session("busy", reason="meanwhile") as session:
            session.add_one(Account(name="Meanwhile"))
        return compare(*given)

    monkeypatch.setattr(running, "table_findings", busy)
    report = rehearse(build_file, build_file)
    assert (report.untouched, report.busy, report.right) == (None, True, True)


# -- the commands ----------------------------------------------------------------------------------------------


def test_the_command(crm, upgrade, tmp_path):
    new = upgrade.next('op.execute("DELETE FROM harmful__thing")', EXPECTS)
    page = tmp_path / "report.html"
    ended = crm("--build", upgrade.old, "build", "rehearse", "--to", new, "--html", page, code=1)
    assert "3 of 3 rows are gone" in ended.out
    assert "Something would break or be lost." in ended.out
    assert "3 of 3 rows are gone" in page.read_text(encoding="utf-8")
    ended = crm("--build", upgrade.old, "build", "rehearse", "--to", new, "--json", "--sample", "2", code=1)
    assert ended.json["right"] is False
    assert len(ended.json["overviews"]["sampled"]) == 2
    assert {each["path"] for each in ended.json["found"] if each["weight"] == "loses"} == {"harmful__thing"}


def test_check_asks_the_data_when_wanted(crm, build_file):
    build_file.write_text(build_file.read_text(encoding="utf-8") + EXPECTS, encoding="utf-8")
    ended = crm("--build", build_file, "build", "check", "--data", "--json")
    assert [(each["name"], each["found"], each["problem"]) for each in ended.json["acceptance"]] == [
        ("four", 4, None), ("some_places", 4, None),
    ]  # fmt: skip
    build_file.write_text(build_file.read_text(encoding="utf-8").replace("count = 4", "count = 5"), encoding="utf-8")
    ended = crm("--build", build_file, "build", "check", "--data", code=1)
    assert "4 records match, and 5 should." in ended.out
    assert crm("--build", build_file, "build", "check").code == 0
