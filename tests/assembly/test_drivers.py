"""Drivers: one of several, with duplicates refused wherever they stand in the list."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from crm_core.assembly import Crm, assemble, load_driver
from crm_core.assembly.drivers import available, mistakes
from crm_core.domain.accounts import Account
from crm_core.errors import BuildError

KIND = "duplicate_test"


def told(kind: str, name: str) -> str:
    (problem,) = mistakes({kind: name})
    return str(problem)


def test_a_driver_is_loaded_by_kind_and_name(install) -> None:
    install("crm-duplicate-a", "crm-duplicate-b")

    assert load_driver(KIND, "between").__name__ == "One"
    assert load_driver(KIND, "other").__name__ == "Two"
    assert mistakes({KIND: "between"}) == []


def test_duplicates_that_are_no_neighbours_are_refused_and_both_are_named(install) -> None:
    install("crm-duplicate-a", "crm-duplicate-b")
    assert len(available(KIND)["twice"]) == 2

    words = (
        "Two distributions bring the driver 'twice' for duplicate_test: crm-duplicate-a 1.0 and crm-duplicate-b 2.0."
    )
    assert words in told(KIND, "twice")
    with pytest.raises(BuildError, match=r"crm-duplicate-a 1\.0 and crm-duplicate-b 2\.0"):
        load_driver(KIND, "twice")


def test_a_misspelt_driver_is_told_with_the_one_that_was_meant(install) -> None:
    install("crm-duplicate-b")

    assert told(KIND, "othr") == (
        "drivers.duplicate_test: There is no driver 'othr' for duplicate_test. "
        "Did you mean other? Otherwise install its distribution."
    )


def test_where_no_driver_is_installed_nothing_is_suggested() -> None:
    assert told("no_such_kind", "x").endswith("for no_such_kind. Install its distribution.")
    assert "is no kind of driver. Write it in snake_case." in told("ERP", "x")


def test_a_driver_that_cannot_be_imported_keeps_the_cause(install) -> None:
    install("crm-duplicate-a")

    with pytest.raises(BuildError, match="The driver 'failing' for duplicate_test cannot be imported: AttributeError"):
        load_driver(KIND, "failing")


def test_a_crm_gives_the_driver_that_its_file_chose(install) -> None:
    install("crm-duplicate-a")
    with Crm.open({"drivers": {KIND: "between"}}, database="sqlite://", check=False) as crm:
        assert crm.driver(KIND).__name__ == "One"
        with pytest.raises(BuildError, match=r"the build file chooses no driver for erp\. Add \[drivers\] erp"):
            crm.driver("erp")


def test_a_driver_is_judged_before_start() -> None:
    with pytest.raises(BuildError, match=r"drivers\.erp: There is no driver 'http' for erp"):
        assemble({"drivers": {"erp": "http"}})


# -- of plugins that are switched off --------------------------------------------------------------------------------


@pytest.fixture
def deadly(tmp_path: Path, install_project) -> None:
    """A distribution that fails to be imported, with a plugin and drivers, and one with a driver of the same name."""
    (tmp_path / "deadly").mkdir()
    names = {"queue": "fatal", "search": "fatal", "matching": "fatal", "erp": "fatal", KIND: "between"}
    drivers = "".join(
        f'[project.entry-points."crm_core.drivers.{kind}"]\n{name} = "crm_deadly.drivers:Fatal"\n'
        for kind, name in names.items()
    )
    (tmp_path / "deadly" / "pyproject.toml").write_text(
        '[project]\nname = "crm-deadly"\nversion = "1.0"\n'
        '[project.entry-points."crm_core.plugins"]\ndeadly = "crm_deadly.manifest:manifest"\n' + drivers
    )
    package = tmp_path / "deadly" / "crm_deadly"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    install_project(tmp_path / "deadly")


def opened(drivers: dict[str, str], *, disabled: tuple[str, ...] = ("deadly",), without: tuple[str, ...] = ()) -> Crm:
    crm = {"plugins": ["deadly"], "disabled": list(disabled)}
    return Crm.open({"crm": crm, "drivers": drivers}, database="sqlite://", check=False, without=without)


def test_a_driver_of_a_disabled_plugin_is_not_imported_and_whoever_needs_it_is_told(deadly) -> None:
    with opened({"erp": "fatal"}) as crm:
        (warning,) = crm.report.warnings
        assert str(warning) == (
            "drivers.erp: The driver 'fatal' belongs to the plugin deadly, which is switched off. "
            "Switch it on by 'crm plugins enable deadly', or choose another driver in [drivers]."
        )
        with pytest.raises(BuildError, match="belongs to the plugin deadly, which is switched off"):
            crm.driver("erp")
    assert "crm_deadly" not in sys.modules


@pytest.mark.parametrize("without", [("deadly",), ("*",)])
def test_leaving_a_plugin_out_of_one_run_leaves_its_drivers_out(deadly, without) -> None:
    with (
        opened({"erp": "fatal"}, disabled=(), without=without) as crm,
        pytest.raises(BuildError, match=r"which is switched off\. It is left out of this run only"),
    ):
        crm.driver("erp")


def test_a_plugin_that_is_not_in_the_build_may_still_bring_a_driver(install) -> None:
    install("crm-duplicate-a")
    with Crm.open({"drivers": {KIND: "between"}}, database="sqlite://", check=False) as crm:
        assert crm.driver(KIND).__name__ == "One"
    with (
        Crm.open({"drivers": {KIND: "between"}}, database="sqlite://", check=False, without=["*"]) as crm,
        pytest.raises(BuildError, match="the plugin duplicate, which is switched off"),
    ):
        crm.driver(KIND)


def test_of_two_drivers_of_a_name_the_one_whose_plugin_is_on_is_taken(deadly, install) -> None:
    install("crm-duplicate-a")
    assert "crm-deadly 1.0 and crm-duplicate-a 1.0" in told(KIND, "between")
    with Crm.open(
        {"crm": {"plugins": ["deadly"], "disabled": ["deadly"]}, "drivers": {KIND: "between"}},
        database="sqlite://", check=False,
    ) as crm:  # fmt: skip
        assert crm.driver(KIND).__name__ == "One"
        assert crm.report.warnings == ()


def test_without_its_queue_a_crm_can_be_looked_at_and_no_job_is_asked_for(deadly) -> None:
    with opened({"queue": "fatal"}) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            session.add_one(Account(name="Acme"))
        with pytest.raises(BuildError, match="The driver 'fatal' belongs to the plugin deadly"):
            crm.store.queue.counts()


def test_without_its_engine_duplicates_are_not_looked_for(deadly) -> None:
    with opened({"matching": "fatal"}) as crm:
        crm.migrate()
        with crm.system_session("test", read_only=True) as session:
            with pytest.raises(BuildError, match="The driver 'fatal' belongs to the plugin deadly"):
                session.store.matcher.candidates(session, crm.types["account"], None)
            assert session.count(Account) == 0


def test_without_its_index_nothing_is_searched_and_nothing_written_that_it_would_miss(deadly) -> None:
    with opened({"search": "fatal"}) as crm:
        crm.migrate()
        assert crm.unindexed() == []
        with crm.system_session("test", read_only=True) as session:
            assert session.count(Account) == 0
            with pytest.raises(BuildError, match="The driver 'fatal' belongs to the plugin deadly"):
                session.search("Acme")
        with pytest.raises(BuildError, match="The driver 'fatal'"), crm.system_session("test") as session:
            session.add_one(Account(name="Acme"))
        with pytest.raises(BuildError, match="The driver 'fatal'"):
            crm.reindex()
        crm.store.scrub()
        with crm.system_session("test", read_only=True) as session:
            assert session.count(Account) == 0
