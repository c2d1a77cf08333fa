"""The plugin in a build: manifest, settings, migrations, Chinese texts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from babel.messages.pofile import read_po

import crm_industrial
from crm_core import Crm
from crm_core.store.migrations import downgrade, drift, unmigrated, upgrade
from crm_core.translation.update import flaws
from crm_industrial import views

PLUGIN = "industrial"
PACKAGE = Path(crm_industrial.__file__).parent
CONFIG = {"crm": {"plugins": [PLUGIN]}}


def test_the_assembly_report_names_the_plugin(company) -> None:
    crm = company.crm
    (entry,) = [entry for entry in crm.report.loaded if entry.name == PLUGIN]
    assert entry.distribution == "crm-industrial"
    assert entry.records == ("industrial.programme", "industrial.touch")
    assert crm.report.warnings == ()
    for hook in ("crm_check_changes", "crm_check_contact", "crm_gather_overview", "crm_gather_timeline"):
        assert PLUGIN in crm.report.hooks[hook]
    assert crm.build.permissions["industrial.touch.create"]
    assert crm.build.policy.vocabularies["industrial.touch_kind"]["factory_tour"] == "Factory tour"


def test_the_manifest_is_read_without_the_rest_of_the_plugin() -> None:
    code = (
        "import sys, crm_industrial.manifest as m; assert m.manifest.name == 'industrial'; "
        "sys.exit(any(name in sys.modules for name in ('sqlalchemy', 'crm_industrial.plugin')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_migrations_go_up_and_down_and_make_what_is_declared(database_url) -> None:
    with Crm.open(CONFIG, database=database_url, check=False) as crm:
        sources = crm.build.migration_sources()
        for _ in range(2):
            upgrade(crm.store.engine, sources)
            assert drift(crm.store.engine, sources[-1]) == []
            downgrade(crm.store.engine, sources[-1])
        crm.migrate()
        crm.check()
        assert unmigrated(sources[-1], sources[:-1]) == []


def test_every_text_is_there_in_chinese(company) -> None:
    with (PACKAGE / f"locale/zh_CN/LC_MESSAGES/{PLUGIN}.po").open("rb") as file:
        chinese = {message.id: message.string for message in read_po(file, locale="zh_CN") if message.id}
    wanted = set(views._HEADER) | {"Nurture", "Touches", "Spent", "First touch", "Last touch"}
    for record_type in company.crm.build.plugin(PLUGIN).types:
        wanted |= {record_type.label, *(field.label for field in record_type.fields)}
    wanted |= set(company.crm.build.policy.vocabularies["industrial.touch_kind"].values())
    assert wanted - chinese.keys() == set()
    assert [str(flaw) for flaw in flaws(PACKAGE)] == []
