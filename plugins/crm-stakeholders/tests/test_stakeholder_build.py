"""The plugin in a build: manifest, settings, migrations, Chinese texts."""

from __future__ import annotations

from pathlib import Path

import pytest

import crm_stakeholders
from crm_core import BuildError, Crm
from crm_core.store.migrations import downgrade, drift, upgrade
from crm_core.translation import Translator
from crm_core.translation.update import flaws

PACKAGE = Path(crm_stakeholders.__file__).parent
CONFIG = {"crm": {"plugins": ["stakeholders"]}}


def test_the_assembly_report_names_the_plugin(crm):
    (entry,) = [entry for entry in crm.report.loaded if entry.name == "stakeholders"]
    assert entry.distribution == "crm-stakeholders"
    assert entry.records == ("stakeholders.role",)
    assert crm.report.warnings == ()
    assert "stakeholders" in crm.report.hooks["crm_check_changes"]
    assert crm.build.permissions["stakeholders.role.read_stance"]
    assert crm.build.policy.vocabularies["stakeholders.role"]["blocker"] == "Blocker"


@pytest.mark.parametrize("scopes", [[], ["final", "final"], [""], "final"])
def test_settings_that_make_no_sense_are_refused_at_their_path(scopes):
    config = {**CONFIG, "plugins": {"stakeholders": {"needed_scopes": scopes}}}
    with pytest.raises(BuildError, match=r"plugins\.stakeholders"):
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
    chinese = Translator("zh_CN", [("stakeholders", PACKAGE / "locale")])
    wanted = set()
    for record_type in crm.build.plugin("stakeholders").types:
        wanted |= {record_type.label, *(field.label for field in record_type.fields)}
    for name in ("stakeholders.role", "stakeholders.scope"):
        wanted |= set(crm.build.policy.vocabularies[name].values())
    assert {text for text in wanted if chinese(text, "stakeholders") == text} == set()
