"""Each test is a way in which migrations of plugins have gone wrong somewhere."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from sqlalchemy import Column, Integer, String, create_engine, insert, inspect, select, text

from crm_core.errors import MigrationError
from crm_core.fields import columns as c
from crm_core.store.migrations import check_current, current, downgrade, drift, make_revision, plan, upgrade


def tables(engine):
    return set(inspect(engine).get_table_names())


def rows(engine, table):
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def fill(engine, plants, leaves, accounts):
    with engine.begin() as connection:
        for number, account in enumerate(accounts, start=1):
            connection.execute(insert(plants).values(id=number, account_id=account, name=f"plant {number}"))
            connection.execute(insert(leaves).values(id=number, plant_id=number))


def test_each_plugin_has_a_version_table_of_its_own(engine, kernel, garden, kitchen):
    garden.write("pass")
    kitchen.write("pass")
    kitchen.write("pass")
    upgrade(engine, [kernel, garden.source, kitchen.source])
    assert {"crm_version_crm", "crm_version_garden", "crm_version_kitchen"} <= tables(engine)
    assert current(engine) == {"crm": "0001", "garden": "0001", "kitchen": "0002"}
    downgrade(engine, garden.source)
    assert "crm_version_garden" not in tables(engine)
    assert current(engine) == {"crm": "0001", "kitchen": "0002"}


def test_a_plugin_that_vanished_does_not_break_the_migrations_of_others(engine, kernel, garden, kitchen):
    garden.write(garden.create("garden__bed"))
    kitchen.write(garden.create("kitchen__pot"))
    upgrade(engine, [kernel, garden.source, kitchen.source])
    kitchen.write('op.add_column("kitchen__pot", sa.Column("size", sa.Integer()))')
    upgrade(engine, [kernel, kitchen.source])
    check_current(engine, [kernel, kitchen.source])
    assert current(engine)["garden"] == "0001"
    assert drift(engine, kernel) == []
    # And it finds its tables as they were when it comes back.
    assert plan(engine, [kernel, garden.source, kitchen.source]).empty


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(engine, kernel, garden, accounts):
    plants = garden.plants()
    leaves = garden.leaves(plants)
    garden.tables = (plants, leaves)
    make_revision(garden.source, "First tables", [kernel])
    upgrade(engine, [kernel, garden.source])
    fill(engine, plants, leaves, accounts)
    garden.count = 1
    garden.write(
        """
        with op.batch_alter_table("garden__plant") as batch_op:
            batch_op.alter_column("name", existing_type=c.stored_text(40), nullable=True)
        """.replace("\n        ", "\n")
    )
    upgrade(engine, [kernel, garden.source])
    assert rows(engine, "garden__plant") == rows(engine, "garden__leaf") == 3
    # Nor does the rebuilt table lose its keys, or how they are checked.
    assert drift(engine, garden.source) == [
        "garden__plant.name may be empty, but is declared so that it must be filled"
    ]


def test_the_switch_for_references_is_back_on_afterwards(engine, kernel, garden):
    garden.write("pass")
    garden.write("raise ValueError('no')")
    with pytest.raises(MigrationError):
        upgrade(engine, [kernel, garden.source])
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver.isolation_level is None
            assert driver.execute("PRAGMA foreign_keys").fetchone() == (1,)
            assert driver.execute("PRAGMA busy_timeout").fetchone() == (30000,)


@pytest.mark.parametrize("ours", [True, False], ids=["our engine", "any engine"])
@pytest.mark.parametrize("cause", ["raise ValueError('the moon is wrong')", 'op.execute("SELECT no_such_thing")'])
def test_a_failed_migration_leaves_nothing(engine, database_url, kernel, garden, accounts, cause, ours):
    garden.write("pass")
    garden.write(
        garden.create("garden__bed")
        + 'op.execute("INSERT INTO garden__bed (id, account_id) VALUES (1, 1)")\n'
        + """op.execute("UPDATE crm_account SET name = 'changed'")\n"""
        + cause,
        doc="Make beds.",
    )
    used = engine if ours else create_engine(engine.url)
    before = tables(engine)
    with pytest.raises(MigrationError) as caught:
        upgrade(used, [kernel, garden.source])
    used.dispose()
    assert tables(engine) == before | {"crm_version_garden"}
    assert current(engine)["garden"] == "0001"
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT name FROM crm_account")).scalars()) == {"x"}
    message = str(caught.value)
    assert caught.value.plugin == "garden"
    assert "Revision 0002 of garden (Make beds.) could not be run (upgrade): " in message
    assert "the moon is wrong" in message or "no_such_thing" in message
    assert "run crm migrate again" in message


def test_a_failure_says_in_which_direction_and_what_kind_it_is(engine, kernel, garden):
    """A batch that drops a column that is not there raises a bare KeyError, whose text is the name alone."""
    drops = 'with op.batch_alter_table("garden__bed", recreate="always") as batch_op:\n    batch_op.drop_column("said")'
    garden.write(garden.create("garden__bed"))
    garden.write("pass", drops)
    upgrade(engine, [kernel, garden.source])
    with pytest.raises(MigrationError) as down:
        downgrade(engine, garden.source, "0001")
    assert "could not be undone (downgrade): KeyError: the table garden__bed has no column 'said'. " in str(down.value)
    assert "crm migrate" not in str(down.value)
    garden.write("{}['said']")
    with pytest.raises(MigrationError, match=r"Revision 0003 .* could not be run \(upgrade\): KeyError: 'said'\. "):
        upgrade(engine, [kernel, garden.source])
    assert current(engine)["garden"] == "0002"


def test_a_first_revision_that_fails_leaves_not_even_a_version_table(engine, kernel, garden):
    garden.write(garden.create("garden__bed") + "raise ValueError('no')")
    with pytest.raises(MigrationError):
        upgrade(engine, [kernel, garden.source])
    assert not {name for name in tables(engine) if "garden" in name}


def test_references_that_lead_nowhere_are_refused_and_rolled_back(engine, kernel, garden, accounts):
    garden.write(garden.create("garden__bed"))
    garden.write('op.execute("INSERT INTO garden__bed (id, account_id) VALUES (1, 99)")')
    with pytest.raises(MigrationError, match="garden__bed"):
        upgrade(engine, [kernel, garden.source])
    assert rows(engine, "garden__bed") == 0
    assert current(engine)["garden"] == "0001"


def test_taking_away_a_table_that_rows_of_another_plugin_refer_to_is_refused(engine, kernel, garden, accounts):
    garden.write(garden.create("garden__bed"))
    upgrade(engine, [kernel, garden.source])
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO garden__bed (id, account_id) VALUES (1, 1)"))
    with pytest.raises(MigrationError, match="garden__bed"):
        downgrade(engine, kernel)
    assert rows(engine, "crm_account") == 3


def test_a_table_can_be_written_and_altered_in_one_revision(engine, kernel, garden, accounts):
    """PostgreSQL refuses to alter a table while deferred checks of its rows are still to come."""
    garden.write(garden.create("garden__bed"))
    garden.write(
        'op.execute("INSERT INTO garden__bed (id, account_id) VALUES (1, 1)")\n'
        'op.execute("UPDATE garden__bed SET account_id = 2")\n'
        'op.add_column("garden__bed", sa.Column("size", sa.Integer()))'
    )
    upgrade(engine, [kernel, garden.source])
    assert rows(engine, "garden__bed") == 1


def test_a_revision_that_ends_the_transaction_is_found_out(engine, kernel, garden):
    garden.write('op.get_bind().connection.driver_connection.execute("COMMIT")')
    with pytest.raises(MigrationError, match=r"ended the transaction.*Restore the backup"):
        upgrade(engine, [kernel, garden.source])


def test_a_revision_sees_no_tables_but_its_plugins_own(engine, kernel, garden, kitchen):
    kitchen.write(garden.create("kitchen__pot"))
    garden.write(garden.create("garden__shed"), 'op.drop_table("garden__shed")')
    garden.tables = (garden.plants(),)
    path = make_revision(garden.source, "Plants, and no shed", [kernel, kitchen.source])
    code = path.read_text()
    assert 'op.drop_table("garden__shed")' in code
    assert "kitchen" not in code
    assert 'drop_table("crm_' not in code
    upgrade(engine, [kernel, kitchen.source, garden.source])
    assert {"kitchen__pot", "crm_account", "garden__plant"} <= tables(engine)
    assert "garden__shed" not in tables(engine)
    assert drift(engine, garden.source) == drift(engine, kernel) == []


def test_drift_of_the_kernel_does_not_see_plugins_whose_names_begin_like_its_own(engine, kernel, garden):
    garden.write(garden.create("crm_tools__hammer"))
    upgrade(engine, [kernel, garden.source])
    assert drift(engine, kernel) == []


def test_full_text_tables_are_nobodys_drift(engine, kernel):
    upgrade(engine, [kernel])
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            connection.execute(text("CREATE VIRTUAL TABLE crm_search USING fts5(words)"))
    assert drift(engine, kernel) == []


def test_up_down_and_up_again_keeps_what_is_not_the_plugins(engine, kernel, garden, kitchen, accounts):
    plants = garden.plants()
    leaves = garden.leaves(plants)
    garden.tables = (plants, leaves)
    make_revision(garden.source, "First tables", [kernel])
    kitchen.write(garden.create("kitchen__pot"), 'op.drop_table("kitchen__pot")')
    sources = [kernel, garden.source, kitchen.source]
    upgrade(engine, sources)
    fill(engine, plants, leaves, accounts)
    with engine.begin() as connection:
        before = connection.execute(select(kernel.tables[0])).all()
        connection.execute(text("INSERT INTO kitchen__pot (id, account_id) VALUES (1, 1)"))
    for source in (garden.source, kitchen.source):
        downgrade(engine, source)
        assert not {name for name in tables(engine) if source.owns(name)}
        upgrade(engine, sources)
        check_current(engine, sources)
    with engine.connect() as connection:
        assert connection.execute(select(kernel.tables[0])).all() == before
    assert rows(engine, "crm_account") == 3
    assert rows(engine, "garden__plant") == rows(engine, "kitchen__pot") == 0


RUN = """
import sys
from pathlib import Path
from crm_core.store.engine import open_engine
from crm_core.store.migrations import MigrationSource, kernel_source, upgrade

url, name, location = sys.argv[1:]
engine = open_engine(url)
sys.stdin.readline()
sources = [kernel_source(), MigrationSource(name, Path(location))]
upgrade(engine, sources, lambda plugin, revision: print(plugin, revision.id))
"""


def test_processes_that_migrate_at_once_run_each_revision_once(database_url, engine, garden):
    for number in range(3):
        garden.write(f"import time\ntime.sleep(0.2)\n{garden.create(f'garden__bed_{number}')}")
    command = [sys.executable, "-c", RUN, database_url, "garden", str(garden.location)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=120) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], said
    lines = sorted(line for out, _ in said for line in out.splitlines())
    assert lines == ["crm 0001", "garden 0001", "garden 0002", "garden 0003"]


def test_a_number_of_another_scale_is_a_difference_although_sqlite_stores_it_alike(kernel, garden):
    garden.tables = (garden.plants(Column("height", c.Scaled(4))),)
    make_revision(garden.source, "First tables", [kernel])
    garden.tables = (garden.plants(Column("height", c.Scaled(2))),)
    code = make_revision(garden.source, "Coarser", [kernel]).read_text()
    assert "type_=c.Scaled(2)" in code
    # What becomes of the stored values nobody but the author can say.
    assert "raise NotImplementedError(" in code
    with pytest.raises(MigrationError, match=r"garden__plant\.height goes from 4 to 2 decimals"):
        make_revision(garden.source, "Nothing", [kernel])


def test_what_sqlite_would_not_notice_is_a_difference(kernel, garden):
    garden.tables = (garden.plants(Column("at", c.Moment()), Column("data", c.Json()), Column("words", String(10))),)
    make_revision(garden.source, "First tables", [kernel])
    garden.tables = (
        garden.plants(
            Column("at", String(32)), Column("data", c.Tags()), Column("words", c.stored_text(10)), length=80
        ),
    )
    code = make_revision(garden.source, "Other types", [kernel]).read_text()
    for column in ("at", "data", "words", "name"):
        assert f'batch_op.alter_column("{column}"' in code.replace("(\n            ", "(")


def test_a_column_that_must_be_filled_can_come_into_a_table_with_rows(engine, kernel, garden, accounts):
    """SQLite refuses it even in an empty table, PostgreSQL in one with rows."""
    plants = garden.plants()
    leaves = garden.leaves(plants)
    garden.tables = (plants, leaves)
    make_revision(garden.source, "First tables", [kernel])
    upgrade(engine, [kernel, garden.source])
    fill(engine, plants, leaves, accounts)
    plants = garden.plants(Column("height", Integer, nullable=False))
    garden.tables = (plants, garden.leaves(plants))
    path = make_revision(garden.source, "Height", [kernel])
    code = path.read_text()
    question = next(line for line in code.splitlines() if "raise NotImplementedError" in line)
    assert "Which value do existing rows get in garden__plant.height?" in code
    start = code.index(question)
    end = code.index("table = ")
    path.write_text(code[:start].rstrip() + "\n    " + code[end:].replace('"height": None', '"height": 7'))
    upgrade(engine, [kernel, garden.source])
    assert drift(engine, garden.source) == []
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT height FROM garden__plant")).scalars()) == {7}


def test_a_failing_start_does_not_import_alembic(database_url, engine, kernel):
    upgrade(engine, [kernel])
    program = """
    import sys
    from crm_core.store.engine import open_engine
    from crm_core.store.migrations import check_current, kernel_source, plan
    engine = open_engine(sys.argv[1])
    check_current(engine, [kernel_source()])
    print(plan(engine, [kernel_source()]))
    sys.exit("alembic" in sys.modules or "mako" in sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), database_url], check=True, timeout=60)
