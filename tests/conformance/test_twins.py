"""The kit is itself tested: for every check there is a plugin that is broken on purpose, and is caught."""

from __future__ import annotations

import pytest

from crm_core.testing import CHECKS, verify
from tests.conformance.conftest import TWINS


def each_of(twins):
    return pytest.mark.parametrize("one", twins, ids=[twin.folder.name for twin in twins])


def test_every_check_has_a_broken_twin(twins):
    assert {check.name for check in CHECKS} - {twin.check for twin in twins} == set()


def test_every_twin_is_for_a_check_and_lies_in_a_folder_of_its_name(twins):
    assert {twin.check for twin in twins} <= {check.name for check in CHECKS}
    assert [twin.folder.name for twin in twins if not twin.folder.name.startswith(twin.check)] == []


ON_DATABASES = [twin for twin in TWINS if twin.check in {check.name for check in CHECKS if check.database}]
ALIKE = {check.name for check in CHECKS if check.alike}


@each_of(ON_DATABASES)
def test_each_twin_is_caught_by_its_check(one, database_url):
    if one.check in ALIKE and database_url.startswith("postgresql"):
        pytest.skip("what counts and measures is the same on either database")
    assert_caught(one, database_url)


@each_of([twin for twin in TWINS if twin not in ON_DATABASES])
def test_so_is_each_whose_check_needs_no_database(one):
    assert_caught(one, None)


def assert_caught(twin, database_url):
    with twin.installed():
        report = verify(twin.plugin, only=[twin.check], database_url=database_url)
    assert not report.ok
    assert {result.outcome for result in report.results if result.check == twin.check} == {"failed"}
    text = report.text()
    for what in twin.what:
        assert any(what in each.said() and twin.where in each.where for each in report.findings), text
    assert all(each.said() and each.where and each.mended() for each in report.findings), text


def test_each_twin_is_caught_by_no_other_check(twin):
    """So that a finding tells where to look; the checks that take long, as databases do, are left out here."""
    quick = [check.name for check in CHECKS if not check.database]
    with twin.installed():
        report = verify(twin.plugin, only=quick)
    findings = [each for each in report.findings if each.check not in (twin.check, *twin.others)]
    assert findings == [], report.text()
