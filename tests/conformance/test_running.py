"""Running the kit: what is chosen, what a crash becomes, and what the report says."""

from __future__ import annotations

import json
import os
import sys

import pytest
from sqlalchemy.exc import OperationalError

from crm_core import CrmError, Manifest, MigrationError, NotFound
from crm_core.assembly import given
from crm_core.testing import CHECKS, Check, Finding, check_plugin, verify
from crm_core.testing.conformance import running
from crm_core.testing.conformance.population import populate
from crm_core.testing.conformance.subject import EXAMPLES
from crm_core.translation import Translator


def check(function, name="mine", **options):
    return Check(name, "It is as I like it.", function, **options)


def one_finding(subject):
    yield Finding("mine", "{thing} is wrong.", "place.py:3", "Mend {thing}.", {"thing": "<b>this</b>"})


def run(*checks, **options):
    return verify("stakeholders", checks=checks, **options)


def test_a_finding_says_what_where_and_how_to_mend():
    report = run(check(one_finding))
    assert not report.ok
    assert report.text().splitlines()[2:] == ["mine: place.py:3", "  <b>this</b> is wrong.", "  -> Mend <b>this</b>."]
    (told,) = json.loads(json.dumps(report.as_json()))["checks"]
    assert told["findings"] == [{"what": "<b>this</b> is wrong.", "where": "place.py:3", "mend": "Mend <b>this</b>."}]
    assert told["outcome"] == "failed"


def test_the_page_stands_by_itself_and_escapes():
    page = run(check(one_finding)).html(Translator("zh_CN"))
    assert "&lt;b&gt;this&lt;/b&gt; is wrong." in page and "<b>this" not in page
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert 'lang="zh-CN"' in page


def test_a_check_that_crashes_is_a_finding_and_no_pass():
    def crashes(subject):
        yield from one_finding(subject)
        raise ZeroDivisionError("seven by zero")

    report = run(check(crashes), check(lambda subject: (), "other"))
    assert [result.outcome for result in report.results] == ["crashed", "passed"]
    assert len(report.findings) == 2  # what was found before counts
    assert report.findings[1].said() == "The check could not be run: ZeroDivisionError: seven by zero"
    assert "crashes" in report.findings[1].mended()
    assert not report.ok


def test_what_a_forgotten_column_breaks_is_told_by_drift_alone():
    def drifted(subject):
        yield Finding("drift", "Records and revisions differ.", "migrations")

    def asks_for_it(subject):
        raise OperationalError("SELECT forgotten", {}, Exception("no such column: forgotten"))

    report = run(check(drifted, "drift"), check(asks_for_it), check(lambda subject: 1 / 0, "other"))
    assert [result.outcome for result in report.results] == ["failed", "not run", "crashed"]
    assert "see drift" in report.results[1].notes[0].said()
    assert "see drift" in report.text()
    assert not report.ok
    assert run(check(asks_for_it), check(drifted, "drift")).results[0].outcome == "crashed"
    assert run(check(lambda subject: (), "drift"), check(asks_for_it)).results[1].outcome == "crashed"


def test_what_cannot_be_loaded_is_told_once():
    broken = Manifest(name="broken", version="1", crm_core=">=0.1,<1", module="there.is.none")
    needs_it = check(lambda subject: [subject.build and None], "needs")
    report = verify("broken", discovery=given(broken), checks=(CHECKS[0], needs_it))
    assert [result.outcome for result in report.results] == ["failed", "not run"]
    assert len(report.findings) == 1 and not report.ok
    assert "needs: not run" in report.text()
    report = verify("broken", discovery=given(broken), checks=(needs_it,))
    assert len(report.findings) == 1 and not report.ok  # nobody else said it


def test_checks_are_chosen_by_name():
    called = []
    checks = [check(lambda subject, name=name: called.append(name) or (), name) for name in "abc"]
    report = run(*checks, only=["a", "b"], skip=["b"])
    assert called == ["a"]
    assert [result.outcome for result in report.results] == ["passed", "skipped", "skipped"]
    assert report.ok
    with pytest.raises(NotFound, match="no check 'd'"):
        run(*checks, only=["d"])
    with pytest.raises(NotFound, match="no check 'd'"):
        run(*checks, skip=["d"])


def test_a_plugin_is_named_by_itself_or_by_its_distribution():
    assert run(check(lambda subject: ())).distribution == "crm-stakeholders"
    assert verify("crm_stakeholders", checks=(check(lambda subject: ()),)).plugin == "stakeholders"
    with pytest.raises(NotFound, match="stakeholders"):
        verify("stakeholder")


def test_the_line_in_a_test_suite_lists_all_findings(twins):
    (broken,) = [each for each in twins if each.folder.name == "loads"]
    with broken.installed(), pytest.raises(AssertionError, match=r"There is no hook"):
        check_plugin(broken.plugin, only=["loads"])
    check_plugin("stakeholders", only=["loads"])


def test_on_another_database_only_what_may_differ_is_looked_at_again(twins, monkeypatch):
    (broken,) = [each for each in twins if each.folder.name == "loads"]
    with broken.installed():
        check_plugin(broken.plugin, only=["loads"], again=True)  # it touches no database, and so it is left out

    asked = []
    monkeypatch.setattr(running, "verify", lambda name, **options: asked.append(options) or run())
    check_plugin("stakeholders", skip=["erasure"], again=True)
    left_out = {each.name for each in CHECKS if not each.database} | {"hooks-scale", "constant-statements", "erasure"}
    assert set(asked[0]["skip"]) == left_out
    assert 0 < asked[0]["examples"] < EXAMPLES


def test_notes_of_a_check_are_shown_with_its_result():
    def noting(subject):
        subject.note("mine", "The weather was not looked at.")
        return ()

    report = run(check(noting))
    assert report.ok
    assert report.as_json()["checks"][0]["notes"] == ["The weather was not looked at."]
    assert "The weather" in report.text() and "The weather" in report.html()


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    assert run(check(lambda subject: ())).ok  # nothing is generated here
    with pytest.raises(CrmError, match=r"needs Hypothesis.*crm-core\[testing\]"):
        run(check(lambda subject: (), database=True))


def test_progress_is_told_before_each_check():
    seen = []
    run(
        check(lambda subject: (), "a"),
        check(lambda subject: (), "b"),
        progress=lambda each, number, count: seen.append((each.name, number, count)),
    )
    assert seen == [("a", 0, 2), ("b", 1, 2)]


def test_every_database_is_empty_and_gone_afterwards(database_url):
    from sqlalchemy import func, select

    from crm_core import Account
    from crm_core.store.engine import open_engine

    addresses = []

    def fills(subject):
        for _ in range(2):
            with subject.crm() as crm:
                addresses.append(str(crm.store.engine.url))
                with crm.system_session("test") as session:
                    assert session.scalar(select(func.count()).select_from(Account)) == 0
                    session.add(Account(name="Acme"))
        with subject.crm(migrated=False) as crm, pytest.raises(MigrationError):
            crm.check()
        return ()

    report = run(check(fills, database=True), database_url=database_url)
    assert report.ok, report.text()
    assert report.results[0].database == ("PostgreSQL" if database_url.startswith("postgresql") else "SQLite")
    assert len(set(addresses)) == 2
    if database_url.startswith("postgresql"):
        engine = open_engine(database_url)
        with engine.connect() as connection:
            names = connection.exec_driver_sql("SELECT datname FROM pg_database").scalars().all()
        engine.dispose()
        # Other tests may have theirs on the same server meanwhile.
        assert [name for name in names if name.startswith(f"crm_verify_{os.getpid()}_")] == []


def test_rows_of_every_record_are_generated_with_what_they_refer_to():
    counts = {}

    def fills(subject):
        with subject.crm() as crm:
            population = populate(subject, crm, each=3)
            counts.update({name: len(ids) for name, ids in population.ids.items()})
        return ()

    report = verify("project_sales", checks=(check(fills, database=True),))
    assert report.ok, report.text()
    assert counts["stakeholders.role"] == counts["project_sales.project"] == counts["project_sales.milestone"] == 3
