"""Drivers: one of several, with duplicates refused wherever they stand in the list."""

from __future__ import annotations

import pytest

from crm_core.assembly import Crm, assemble, load_driver
from crm_core.assembly.drivers import available, mistakes
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
