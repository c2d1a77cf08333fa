"""The plugin in a build: manifest, settings, migrations, Chinese texts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import crm_project_sales
from crm_core import BuildError, Crm
from crm_core.store.migrations import downgrade, drift, upgrade

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
    with (PACKAGE / "locale/zh_CN/LC_MESSAGES/project_sales.po").open("rb") as file:
        chinese = {message.id: message.string for message in read_po(file, locale="zh_CN") if message.id}
    wanted = human_texts()
    for record_type in crm.build.plugin("project_sales").types:
        wanted |= {record_type.label, *(field.label for field in record_type.fields)}
    wanted |= set(crm.build.policy.vocabularies["project_sales.milestone_kind"].values())
    wanted |= {criterion.label for criterion in crm.build.settings["project_sales"].criteria.values()}
    assert wanted - chinese.keys() == set()
    assert {text for text, translation in chinese.items() if not translation} == set()
    for text, translation in chinese.items():
        assert set(re.findall(r"{\w+", text)) == set(re.findall(r"{\w+", translation)), text
