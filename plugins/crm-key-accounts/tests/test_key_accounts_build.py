"""The plugin in a build: manifest, settings, migrations, Chinese texts."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

from babel.messages.pofile import read_po

import crm_key_accounts
from crm_core import Crm
from crm_core.store.migrations import downgrade, drift, unmigrated, upgrade

PLUGIN = "key_accounts"
PACKAGE = Path(crm_key_accounts.__file__).parent
CONFIG = {"crm": {"plugins": [PLUGIN]}}


def test_the_assembly_report_names_the_plugin(company) -> None:
    crm = company.crm
    (entry,) = [entry for entry in crm.report.loaded if entry.name == PLUGIN]
    assert entry.distribution == "crm-key-accounts"
    assert entry.records == ("key_accounts.profile", "key_accounts.snapshot", "key_accounts.alert")
    assert crm.report.warnings == ()
    for hook in ("crm_check_changes", "crm_on_changes", "crm_gather_overview", "crm_gather_timeline"):
        assert PLUGIN in crm.report.hooks[hook]
    assert crm.build.permissions["key_accounts.profile.read_plan"]
    assert crm.build.policy.vocabularies["key_accounts.dimension"]["growth"] == "Growth"


def test_the_manifest_is_read_without_the_rest_of_the_plugin() -> None:
    code = (
        "import sys, crm_key_accounts.manifest as m; assert m.manifest.name == 'key_accounts'; "
        "sys.exit(any(name in sys.modules for name in ('sqlalchemy', 'crm_key_accounts.plugin')))"
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


def human_texts() -> set[str]:
    """Texts in the modules that look as if people read them: beginning with a capital, or of several words."""
    found = set()
    for path in PACKAGE.glob("*.py"):
        if path.name == "__init__.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        silent |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        # What a validator of settings says is told by the kernel as it is.
        silent |= {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("ValueError", "TypeVar")
            for part in node.args
        }
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in silent else None
            if (
                isinstance(text, str)
                and re.match(r"[A-Z{]\S*[a-z}]|\w+ ", text)
                and not re.fullmatch(r"[A-Z]\w+", text)
            ):
                found.add(text)
    return found


def words(member: Enum) -> str:
    return str(member.value).replace("_", " ").capitalize()


def test_every_text_is_there_in_chinese(company) -> None:
    with (PACKAGE / f"locale/zh_CN/LC_MESSAGES/{PLUGIN}.po").open("rb") as file:
        chinese = {message.id: message.string for message in read_po(file, locale="zh_CN") if message.id}
    wanted = human_texts() | {"Tier", "Cause", "From"}
    for record_type in company.crm.build.plugin(PLUGIN).types:
        wanted |= {record_type.label, *(field.label for field in record_type.fields)}
        for field in record_type.fields:
            wanted |= {words(member) for member in getattr(field.kind, "enum", ())}
    wanted |= set(company.crm.build.policy.vocabularies["key_accounts.dimension"].values())
    assert wanted - chinese.keys() == set()
    assert {text for text, translation in chinese.items() if not translation} == set()
    for text, translation in chinese.items():
        assert set(re.findall(r"{\w+", text)) == set(re.findall(r"{\w+", translation)), text
