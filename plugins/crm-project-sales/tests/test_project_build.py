"""The plugin in a build: manifest, settings, migrations, Chinese texts."""

from __future__ import annotations

from pathlib import Path

import pytest

import crm_project_sales
from crm_core import BuildError, Crm
from crm_core.store.migrations import downgrade, drift, upgrade
from crm_core.translation import Translator
from crm_core.translation.update import flaws

PACKAGE = Path(crm_project_sales.__file__).parent
CONFIG = {"crm": {"plugins": ["stakeholders", "project_sales"]}}


def test_the_assembly_report_names_the_plugin(crm):
    (entry,) = [entry for entry in crm.report.loaded if entry.name == "project_sales"]
    assert entry.distribution == "crm-project-sales"
    assert entry.requires == {"stakeholders": ">=0.1.0.dev0"}
    assert len(entry.records) == 4
    assert crm.report.warnings == ()
    assert crm.report.hooks["crm_check_changes"][-2:] == ("stakeholders", "project_sales")
    assert crm.report.hooks["crm_check_contact"] == ("project_sales",)
    assert crm.build.policy.vocabularies["activity.kind"]["site_visit"] == "Site visit"


def test_the_build_needs_stakeholders():
    with pytest.raises(BuildError, match="stakeholders"):
        Crm.open({"crm": {"plugins": ["project_sales"]}}, database="sqlite://", check=False)


LABEL = {"label": "Fit"}


@pytest.mark.parametrize(
    ("section", "path", "complaint"),
    [
        ({"criteria": {}}, r"plugins\.project_sales", "at least one"),
        ({"criteria": {"fit": {**LABEL, "weight": 0}}}, r"criteria\.fit", "greater than 0"),
        ({"criteria": {"fit": {**LABEL, "knock_out_below": 6}}}, r"criteria\.fit", "0 to 5"),
        ({"criteria": {"fit": {"weight": 1}}}, r"criteria\.fit\.label", "missing"),
        ({"go_from": 30}, r"plugins\.project_sales", "ordered"),
        ({"go_form": 80}, r"plugins\.project_sales\.go_form", "go_from"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_their_path(section, path, complaint):
    config = {**CONFIG, "plugins": {"project_sales": section}}
    with pytest.raises(BuildError, match=f"{path}.*{complaint}"):
        Crm.open(config, database="sqlite://", check=False)


def test_migrations_go_up_and_down_and_make_what_is_declared(database_url):
    with Crm.open(CONFIG, database=database_url, check=False) as crm:
        sources = crm.build.migration_sources()
        for _ in range(2):
            upgrade(crm.store.engine, sources)
            assert drift(crm.store.engine, sources[-1]) == []
            downgrade(crm.store.engine, sources[-1])
        crm.migrate()
        crm.check()


def test_every_text_is_there_in_chinese(crm):
    assert list(flaws(PACKAGE, language="zh_CN")) == []
    chinese = Translator("zh_CN", [("project_sales", PACKAGE / "locale")])
    wanted = set()
    for record_type in crm.build.plugin("project_sales").types:
        wanted |= {record_type.label, *(field.label for field in record_type.fields)}
    wanted |= set(crm.build.policy.vocabularies["project_sales.milestone_kind"].values())
    wanted |= {criterion.label for criterion in crm.build.settings["project_sales"].criteria.values()}
    assert {text for text in wanted if chinese(text, "project_sales") == text} == set()
