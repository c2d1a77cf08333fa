"""What the database holds against what is installed."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, event

from crm_core.errors import MigrationError
from crm_core.store.engine import open_engine
from crm_core.store.migrations import MigrationSource, check_current, current, downgrade, plan, upgrade


def test_an_empty_database_is_behind(engine, kernel, garden):
    garden.write("pass")
    engine.connect().close()
    assert current(engine) == {}
    with pytest.raises(MigrationError) as caught:
        check_current(engine, [kernel, garden.source])
    assert str(caught.value) == (
        "The database is behind this build: crm (nothing, needs 0001), garden (nothing, needs 0001). "
        "Run crm migrate, after a backup."
    )


def test_a_database_that_is_not_there_is_not_made_by_looking(kernel, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'none.db'}")
    assert current(engine) == {}
    with pytest.raises(MigrationError, match=r"There is no database .*none\.db\. Make a new one by 'crm migrate'"):
        check_current(engine, [kernel])
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_told_and_changes_nothing(engine, kernel, garden):
    upgrade(engine, [kernel])
    garden.write("pass", doc="Make beds.")
    garden.write("pass", doc="Make paths.")
    planned = plan(engine, [kernel, garden.source])
    assert str(planned) == "crm: 0001, up to date\ngarden: nothing -> 0002\n  0001  Make beds.\n  0002  Make paths."
    assert not planned.empty
    assert [revision.id for revision in planned["garden"].pending] == ["0001", "0002"]
    assert current(engine) == {"crm": "0001"}
    told = []
    assert upgrade(engine, [kernel, garden.source], lambda plugin, revision: told.append((plugin, revision.doc))) == (
        planned
    )
    assert told == [("garden", "Make beds."), ("garden", "Make paths.")]
    assert plan(engine, [kernel, garden.source]).empty


def test_every_start_asks_one_question(engine, kernel, garden, kitchen):
    garden.write("pass")
    sources = [kernel, garden.source, kitchen.source]
    upgrade(engine, sources)
    asked = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    check_current(engine, sources)
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1


@pytest.mark.parametrize("act", [check_current, plan, upgrade, lambda engine, sources: downgrade(engine, sources[1])])
def test_a_newer_plugin_was_here(engine, kernel, garden, act):
    garden.write("pass")
    newer = garden.write("pass")
    upgrade(engine, [kernel, garden.source])
    newer.unlink()
    with pytest.raises(MigrationError) as caught:
        act(engine, [kernel, garden.source])
    assert caught.value.plugin == "garden"
    assert str(caught.value) == (
        "The database is at revision 0002 of garden, which the installed version does not know (it ends at 0001): "
        "a newer version was here. Install that newer version of garden again and run crm migrate, or restore the "
        "backup from before it."
    )


def test_tables_that_no_revision_makes_are_the_authors_to_mend(engine, kernel, garden):
    upgrade(engine, [kernel])
    garden.tables = (garden.plants(),)
    for act in (check_current, plan, upgrade):
        with pytest.raises(
            MigrationError, match=r"garden declares tables \(garden__plant\).*crm plugin revision garden"
        ):
            act(engine, [kernel, garden.source])


def test_a_plugin_without_tables_needs_no_folder(engine, kernel, tmp_path):
    plain = MigrationSource("plain", tmp_path / "nowhere")
    upgrade(engine, [kernel, plain])
    check_current(engine, [kernel, plain])


def test_going_back_step_by_step(engine, kernel, garden):
    garden.write(garden.create("garden__bed"), 'op.drop_table("garden__bed")')
    garden.write(garden.create("garden__path"), 'op.drop_table("garden__path")')
    upgrade(engine, [kernel, garden.source])
    undone = downgrade(engine, garden.source, "0001")
    assert str(undone) == "garden: 0002 -> 0001\n  0002  By hand."
    assert current(engine)["garden"] == "0001"
    assert downgrade(engine, garden.source, "0001").empty
    with pytest.raises(MigrationError, match=r"garden cannot go back from 0001 to 0002\. Choose one of: base, 0001\."):
        downgrade(engine, garden.source, "0002")
    with pytest.raises(MigrationError, match=r"Choose one of: base, 0001\."):
        downgrade(engine, garden.source, "trunk")
    downgrade(engine, garden.source)
    assert "garden" not in current(engine)


def test_what_cannot_be_undone_says_so_and_stays(engine, kernel, garden):
    garden.write("pass", "raise NotImplementedError('what was merged cannot be told apart')")
    upgrade(engine, [kernel, garden.source])
    with pytest.raises(MigrationError, match=r"could not be undone \(downgrade\): what was merged cannot be told"):
        downgrade(engine, garden.source)
    assert current(engine)["garden"] == "0001"


def test_a_database_that_cannot_be_written_is_no_plugins_fault(tmp_path, kernel, garden):
    path = tmp_path / "read_only.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine, [kernel])
    garden.write("pass")
    engine.dispose()
    engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(MigrationError, match="readonly database"):
        upgrade(engine, [kernel, garden.source])
    engine.dispose()


def test_other_databases_are_refused(kernel):
    from sqlalchemy import create_mock_engine

    from crm_core.store.migrating.transactions import exclusive

    with (
        pytest.raises(MigrationError, match="cannot migrate a database of kind mysql"),
        exclusive(create_mock_engine("mysql+pymysql://", lambda *_: None)),
    ):
        pass
