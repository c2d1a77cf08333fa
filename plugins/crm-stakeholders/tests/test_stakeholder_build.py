"""The plugin in a build: manifest, settings, migrations, Chinese texts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import crm_stakeholders
from crm_core import BuildError, Crm
from crm_core.store.migrations import downgrade, drift, upgrade

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


def human_texts() -> set[str]:
    """Texts in the modules that look as if people read them: beginning with a capital, or of several words."""
    found = set()
    for path in PACKAGE.glob("*.py"):
        if path.name == "__init__.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        silent |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        found |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
        }
    spoken = re.compile(r"[A-Z{]\S*[a-z}]|\w+ ")
    return {text for text in found if spoken.match(text) and not re.fullmatch(r"[A-Z]\w+", text)}


def test_every_text_is_there_in_chinese(crm):
    with (PACKAGE / "locale/zh_CN/LC_MESSAGES/stakeholders.po").open("rb") as file:
        chinese = {message.id: message.string for message in read_po(file, locale="zh_CN") if message.id}
    wanted = human_texts()
    for record_type in crm.build.plugin("stakeholders").types:
        wanted |= {record_type.label, *(field.label for field in record_type.fields)}
    for name in ("stakeholders.role", "stakeholders.scope"):
        wanted |= set(crm.build.policy.vocabularies[name].values())
    assert wanted - chinese.keys() == set()
    assert {text for text, translation in chinese.items() if not translation} == set()
    for text, translation in chinese.items():
        assert set(re.findall(r"{\w+", text)) == set(re.findall(r"{\w+", translation)), text
